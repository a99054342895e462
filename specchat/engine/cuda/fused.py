"""A model's norms (with the sums before them), rotations and gates as one kernel each, its query,
key and value as one product.

A step of one token launches a few hundred products, which read the weights, and without this over
a thousand small operations between them. Recorded or not, each of those costs a GPU a few
microseconds whatever its size, together as much as reading the weights of a small model.

A module is replaced only where the kernel gives what the module gives, tried when it is replaced.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from specchat.engine.hardware import on_cuda_device
from specchat.engine.model import attention

log = logging.getLogger(__name__)

FAMILIES = ("Llama", "Mistral", "Qwen2", "Qwen3", "Granite")
LAYERS = {f"{family}DecoderLayer" for family in FAMILIES}
ATTENTION = {f"{family}Attention" for family in FAMILIES}
"""transformers' classes whose forward pass is `_decode`'s and `_attend`'s."""

TRIED_ROWS = 3
LARGEST_ERROR = 0.02  # of the largest number; bf16 rounds to 0.004

Forward = Callable[..., Any]


class FusedModules:
    """The modules of a model that are computed by kernels, and whether they are now."""

    def __init__(self) -> None:
        self._forwards: list[tuple[nn.Module, Forward]] = []

    def __len__(self) -> int:
        return len(self._forwards)

    def add(self, module: nn.Module, forward: Forward) -> None:
        """Compute a module by `forward` from now on."""
        self._forwards.append((module, forward))
        vars(module)["forward"] = forward

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """The modules as they came, for comparison."""
        for module, _ in self._forwards:
            del vars(module)["forward"]
        try:
            yield
        finally:
            for module, forward in self._forwards:
                vars(module)["forward"] = forward


def fuse(model: nn.Module) -> FusedModules:
    """Replace what can be replaced in a model on one or more GPUs."""
    fused = FusedModules()
    known: dict[object, bool] = {}
    for name, module in model.named_modules():
        if "forward" in vars(module):  # somebody else replaced it, accelerate for example
            continue
        found = _find(module)
        if found is None:
            continue
        kind, forward, alike = found
        if kind not in known:
            known[kind] = _tried(name, alike)
        if known[kind]:
            fused.add(module, forward)
    return fused


def _find(module: Any) -> tuple[object, Forward, Callable[[], bool]] | None:
    """What a module is: its kind, its forward pass, and whether that gives what it should."""
    name = type(module).__name__
    if name in LAYERS:
        size = module.post_attention_layernorm.weight.shape[0]
        return (name, size), partial(_decode, module), partial(_adds_alike, module, size)
    if name in ATTENTION:
        options = _options(module)
        if options is None:
            return None
        joined = _joined(module.q_proj, module.k_proj, module.v_proj)
        forward = partial(_attend, module, joined, options)
        return (name, module.head_dim), forward, partial(_rotates_alike, module)
    if name.endswith("RMSNorm") and hasattr(module, "variance_epsilon"):
        size = module.weight.shape[0]
        forward = partial(_norm, module)
    elif all(hasattr(module, part) for part in ("gate_proj", "up_proj", "down_proj", "act_fn")):
        size = getattr(module.gate_proj, "in_features", 0)
        forward = partial(_gate, module)
    else:
        return None
    return (name, size), forward, partial(_gives_the_same, module, forward, size)


def _tried(name: str, alike: Callable[[], bool]) -> bool:
    try:
        with torch.inference_mode():
            good = alike()
    except Exception as error:  # the model works without
        log.warning("%s is not computed by a kernel: %s: %s", name, type(error).__name__, error)
        return False
    if not good:
        log.info("%s is not computed by a kernel: it means something else here", name)
    return good


def _gives_the_same(module: nn.Module, forward: Forward, size: int) -> bool:
    parameter = next(module.parameters())
    x = _noise(TRIED_ROWS, size, like=parameter)
    return _close(forward(x), module(x))


def _rotates_alike(module: Any) -> bool:
    from specchat.engine.cuda import fused_kernels

    apply = sys.modules[type(module).__module__].apply_rotary_pos_emb  # type: ignore[attr-defined]
    size, parameter = module.head_dim, next(module.parameters())
    query, key, angle = (_noise(TRIED_ROWS, n, size, like=parameter) for n in (4, 2, 1))
    angle[..., size // 2 :] = angle[..., : size // 2]
    cos, sin = angle.cos().transpose(0, 1), angle.sin().transpose(0, 1)  # [1, rows, size]
    expected = apply(query[None].transpose(1, 2), key[None].transpose(1, 2), cos, sin)
    with on_cuda_device(query.device):
        fused_kernels.rotate(query, key, cos[0], sin[0])
    return all(
        _close(found, right[0].transpose(0, 1))
        for found, right in zip((query, key), expected, strict=True)
    )


def _noise(*shape: int, like: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=generator).to(like.device, like.dtype)


def _close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    error = (found.float() - expected.float()).abs().max()
    return bool(error <= LARGEST_ERROR * expected.float().abs().max())


def _adds_alike(layer: Any, size: int) -> bool:
    norm, factor = layer.post_attention_layernorm, _factor(layer)
    x, more = _noise(2, TRIED_ROWS, size, like=norm.weight)
    total = x + factor * more
    found = _add_and_norm(x, more, factor, norm)
    return _close(found[0], total) and _close(found[1], type(norm).forward(norm, total))


def _options(module: Any) -> dict[str, Any] | None:
    """What the module's own forward pass tells attention: scale, window, cap. Families keep these
    in places of their own, so it is asked instead of read. None where it tells nothing."""
    parameter = next(module.parameters())
    hidden = _noise(1, TRIED_ROWS, module.q_proj.in_features, like=parameter)
    angle = _noise(1, TRIED_ROWS, module.head_dim, like=parameter)
    rotation = angle.cos(), angle.sin()
    try:
        told = attention.told_by(
            module, hidden_states=hidden, position_embeddings=rotation, attention_mask=None
        )
    except Exception as error:  # the model works without
        log.warning("attention is not fused: %s: %s", type(error).__name__, error)
        return None
    return told if "scaling" in told else None


def _joined(*linears: nn.Module) -> tuple[torch.Tensor, torch.Tensor | None] | None:
    """Weight and bias of several products of the same rows as one, of which theirs become parts;
    None where they are stored as something else."""
    plain = [
        linear
        for linear in linears
        if isinstance(linear, nn.Linear) and type(linear.weight.detach()) is torch.Tensor
    ]  # a quantised weight is a tensor of its own kind
    if len(plain) < len(linears) or len({linear.bias is None for linear in plain}) > 1:
        return None
    kinds = ["weight"] if plain[0].bias is None else ["weight", "bias"]
    joined = []
    for kind in kinds:
        own = [getattr(linear, kind) for linear in plain]
        whole = torch.cat([parameter.detach() for parameter in own])
        for parameter, part in zip(own, whole.split([len(each) for each in own]), strict=True):
            parameter.data = part
        joined.append(whole)
    return joined[0], joined[1] if len(joined) > 1 else None


def _factor(layer: Any) -> float:
    return float(getattr(layer, "residual_multiplier", 1.0))


def _norm(module: Any, x: torch.Tensor) -> torch.Tensor:
    from specchat.engine.cuda import fused_kernels

    with on_cuda_device(x.device):
        return fused_kernels.rms_norm(x, module.weight, module.variance_epsilon)


def _add_and_norm(
    x: torch.Tensor, more: torch.Tensor, factor: float, norm: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    from specchat.engine.cuda import fused_kernels

    with on_cuda_device(x.device):
        return fused_kernels.add_and_norm(x, more, factor, norm.weight, norm.variance_epsilon)


def _gate(module: Any, x: torch.Tensor) -> torch.Tensor:
    from specchat.engine.cuda import fused_kernels

    gate, up = module.gate_proj(x).flatten(0, -2), module.up_proj(x).flatten(0, -2)
    with on_cuda_device(x.device):
        act = fused_kernels.silu_times(gate, up)
    out: torch.Tensor = module.down_proj(act.view(*x.shape[:-1], -1))
    return out


def _decode(layer: Any, hidden_states: torch.Tensor, **kwargs: Any) -> torch.Tensor:
    """The forward pass of a decoder layer. `hidden_states [1, rows, n]`."""
    factor = _factor(layer)
    attended, _ = layer.self_attn(layer.input_layernorm(hidden_states), **kwargs)
    total, normed = _add_and_norm(hidden_states, attended, factor, layer.post_attention_layernorm)
    return torch.add(total, layer.mlp(normed), alpha=factor)


def _attend(
    module: Any,
    joined: tuple[torch.Tensor, torch.Tensor | None] | None,
    options: dict[str, Any],
    hidden_states: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor],
    attention_mask: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """The forward pass of an attention module over a paged cache. `hidden_states [1, rows, n]`."""
    from specchat.engine.cuda import fused_kernels

    linears = module.q_proj, module.k_proj, module.v_proj
    if joined is None:
        products = [linear(hidden_states) for linear in linears]
    else:
        widths = [linear.out_features for linear in linears]
        products = list(F.linear(hidden_states, *joined).split(widths, -1))
    query, key, value = (p.unflatten(-1, (-1, module.head_dim)) for p in products)
    if hasattr(module, "q_norm"):
        query, key = module.q_norm(query), module.k_norm(key)
    cos, sin = position_embeddings
    with on_cuda_device(query.device):
        fused_kernels.rotate(query[0], key[0], cos[0], sin[0])
    query, key, value = (states.transpose(1, 2) for states in (query, key, value))
    out, _ = attention.attend(module, query, key, value, attention_mask, **{**kwargs, **options})
    return module.o_proj(out.reshape(*hidden_states.shape[:-1], -1)), None
