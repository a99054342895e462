"""Norms, rotations and gates of a model as one kernel each.

A step of one token launches a few hundred products, which read the weights, and without this over
a thousand small operations between them. Recorded or not, each of those costs a card a few
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
from torch import nn

from specchat.engine import attention
from specchat.engine.hardware import on_card

log = logging.getLogger(__name__)

ATTENTION = {
    "LlamaAttention", "MistralAttention", "Qwen2Attention", "Qwen3Attention", "GraniteAttention",
}  # fmt: skip
"""transformers' classes whose forward pass is `_attend`'s."""

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
    """Replace what can be replaced in a model on one or more cards."""
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


def _find(module: nn.Module) -> tuple[object, Forward, Callable[[], bool]] | None:
    """What a module is: its kind, its forward pass, and whether that gives what it should."""
    name = type(module).__name__
    if name in ATTENTION:
        kind = (name, module.head_dim, module.q_proj.out_features, module.k_proj.out_features)
        return kind, partial(_attend, module), partial(_rotates_alike, module)
    forward: Forward
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
    from specchat.engine import fused_kernels

    apply = sys.modules[type(module).__module__].apply_rotary_pos_emb  # type: ignore[attr-defined]
    size, parameter = module.head_dim, next(module.parameters())
    query, key, angle = (_noise(TRIED_ROWS, n, size, like=parameter) for n in (4, 2, 1))
    angle[..., size // 2 :] = angle[..., : size // 2]
    cos, sin = angle.cos().transpose(0, 1), angle.sin().transpose(0, 1)  # [1, rows, size]
    expected = apply(query[None].transpose(1, 2), key[None].transpose(1, 2), cos, sin)
    with on_card(query.device):
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


def _norm(module: Any, x: torch.Tensor) -> torch.Tensor:
    from specchat.engine import fused_kernels

    with on_card(x.device):
        return fused_kernels.rms_norm(x, module.weight, module.variance_epsilon)


def _gate(module: Any, x: torch.Tensor) -> torch.Tensor:
    from specchat.engine import fused_kernels

    gate, up = module.gate_proj(x), module.up_proj(x)
    with on_card(x.device):
        act = fused_kernels.silu_times(gate, up)
    out: torch.Tensor = module.down_proj(act)
    return out


def _attend(
    module: Any,
    hidden_states: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor],
    attention_mask: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """The forward pass of an attention module over a paged cache. `hidden_states [1, rows, n]`."""
    from specchat.engine import fused_kernels

    shape = (*hidden_states.shape[:-1], -1, module.head_dim)
    query = module.q_proj(hidden_states).view(shape)
    key = module.k_proj(hidden_states).view(shape)
    value = module.v_proj(hidden_states).view(shape)
    if hasattr(module, "q_norm"):
        query, key = module.q_norm(query), module.k_norm(key)
    cos, sin = position_embeddings
    with on_card(query.device):
        fused_kernels.rotate(query[0], key[0], cos[0], sin[0])
    query, key, value = (states.transpose(1, 2) for states in (query, key, value))
    out, _ = attention.attend(
        module, query, key, value, attention_mask, scaling=module.scaling, **kwargs
    )
    return module.o_proj(out.reshape(*hidden_states.shape[:-1], -1)), None
