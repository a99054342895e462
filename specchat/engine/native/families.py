"""What the library is told of a model: where each of the families of transformers keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from specchat.engine.model.quantized import quantized
from specchat.engine.native import library as native
from specchat.engine.native.library import NativeUnavailableError

MODEL_TYPES = (
    "llama", "mistral", "qwen2", "qwen3", "granite", "smollm3", "gemma", "gemma2", "gemma3_text",
    "phi3", "olmo2", "olmo3",
)  # fmt: skip
ROPE_TYPES = ("default", "linear", "llama3", "yarn")
"""Whose frequencies do not depend on how long a text has become."""
WHOLE_NORMS = ("olmo2", "olmo3")
"""Queries and keys are normed over all heads together."""
ACTIVATIONS = {"silu": 0, "gelu_pytorch_tanh": 1}
"""`Activation` of `cpp/types.h`."""


@dataclass(frozen=True, slots=True)
class Product:
    """A linear layer, or some rows of one that holds several."""

    weight: torch.Tensor  # [rows, cols]
    bias: torch.Tensor | None


class Norms(NamedTuple):
    """Weights of a decoder layer's norms; None where there is none."""

    attention: torch.Tensor | None  # of what goes in
    mlp: torch.Tensor | None
    attention_out: torch.Tensor | None  # of what comes out, before it is added
    mlp_out: torch.Tensor | None
    query: torch.Tensor | None
    key: torch.Tensor | None


@dataclass(frozen=True, slots=True)
class Positions:
    """Rotary positions of some layers."""

    inverse_frequencies: torch.Tensor  # [rotated / 2]
    scale: float


def check(model: Any) -> None:
    """Raises NativeUnavailableError for a model that the library does not compute."""
    config = model.config
    reasons = {
        "architecture": getattr(config, "model_type", None) not in MODEL_TYPES,
        "activation": _activation(config) not in ACTIVATIONS,
        "attention in both directions": getattr(config, "use_bidirectional_attention", False),
        "rope type": not _rope_types(model) <= set(ROPE_TYPES),
        "layers without rope": getattr(config, "no_rope_layers", None) is not None
        and not all(config.no_rope_layers),
        "device": any(p.device.type != "cpu" for p in model.parameters()),
        "data type": next(model.parameters()).dtype not in (torch.float32, torch.bfloat16),
    }
    unfit = [name for name, bad in reasons.items() if bad]
    if not unfit and any(0 < window(layer) < native.MOST_OWN for layer in model.model.layers):
        unfit.append(f"sliding window, which is below {native.MOST_OWN}")
    if unfit:
        raise NativeUnavailableError(f"not made for this model's {', '.join(unfit)}")


def activation(config: Any) -> int:
    """That of the gated product."""
    return ACTIVATIONS[_activation(config)]


def products(layer: Any) -> list[Product]:
    """Query, key, value, output, gate, up and down."""
    attention, mlp = layer.self_attn, layer.mlp
    if not hasattr(attention, "qkv_proj"):
        linears = attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj
        both = mlp.gate_proj, mlp.up_proj
        return [Product(each.weight, each.bias) for each in (*linears, *both, mlp.down_proj)]
    widths = [
        heads * attention.head_dim
        for heads in (attention.config.num_attention_heads, attention.num_key_value_heads)
    ]
    inner = mlp.gate_up_proj.out_features // 2
    return [
        *_parts(attention.qkv_proj, [*widths, widths[1]]),
        Product(attention.o_proj.weight, attention.o_proj.bias),
        *_parts(mlp.gate_up_proj, [inner, inner]),
        Product(mlp.down_proj.weight, mlp.down_proj.bias),
    ]


def norms(layer: Any) -> Norms:
    """All norms of a decoder layer."""
    if hasattr(layer, "pre_feedforward_layernorm"):  # Gemma 2 and 3
        four = (
            layer.input_layernorm, layer.pre_feedforward_layernorm,
            layer.post_attention_layernorm, layer.post_feedforward_layernorm,
        )  # fmt: skip
    elif hasattr(layer, "post_feedforward_layernorm"):  # OLMo 2 and 3
        four = None, None, layer.post_attention_layernorm, layer.post_feedforward_layernorm
    else:
        four = layer.input_layernorm, layer.post_attention_layernorm, None, None
    heads = (getattr(layer.self_attn, name, None) for name in ("q_norm", "k_norm"))
    return Norms(*(None if each is None else norm(each) for each in (*four, *heads)))


def norm(module: Any) -> torch.Tensor:
    """What a norm multiplies by; Gemma's hold one less."""
    weight: torch.Tensor = module.weight.detach().float()
    return weight + 1 if type(module).__name__.startswith("Gemma") else weight


def window(layer: Any) -> int:
    """Latest positions that a row sees, itself included; 0: all."""
    attention = layer.self_attn
    if hasattr(attention, "sliding_window"):
        return attention.sliding_window or 0
    config = attention.config
    used = config.model_type in ("mistral", "phi3")
    return (getattr(config, "sliding_window", None) or 0) if used else 0


def positions(body: Any) -> tuple[list[Positions], list[int]]:
    """The kinds of rotary positions, at most two, and which of them each layer has."""
    rotary, kinds = body.rotary_emb, sorted(set(_layer_kinds(body)))
    if hasattr(rotary, "inv_freq"):
        return [Positions(rotary.inv_freq, rotary.attention_scaling)], [0] * len(body.layers)
    found = [
        Positions(getattr(rotary, f"{kind}_inv_freq"), getattr(rotary, f"{kind}_attention_scaling"))
        for kind in kinds
    ]
    return found, [kinds.index(kind) for kind in _layer_kinds(body)]


def embedding_scale(model: Any) -> float:
    """What embeddings are multiplied by."""
    embedding = model.model.embed_tokens
    own = getattr(embedding, "embed_scale", None)
    if own is None:
        return float(getattr(model.config, "embedding_multiplier", 1.0))
    return float(own.to(embedding.weight.dtype))


def caps(config: Any) -> tuple[float, float]:
    """Of attention's scores and of logits; 0 where there is none."""
    of_scores = config.attn_logit_softcapping if config.model_type == "gemma2" else None
    return of_scores or 0.0, getattr(config, "final_logit_softcapping", None) or 0.0


def _activation(config: Any) -> str:
    return str(getattr(config, "hidden_activation", None) or getattr(config, "hidden_act", None))


def _rope_types(model: Any) -> set[Any]:
    rotary = getattr(getattr(model, "model", None), "rotary_emb", None)
    found = getattr(rotary, "rope_type", None)
    return set(found.values()) if isinstance(found, dict) else {found}


def _layer_kinds(body: Any) -> list[str]:
    kinds: list[str] = getattr(body.config, "layer_types", None) or [""] * len(body.layers)
    return kinds[: len(body.layers)]


def _parts(linear: Any, sizes: list[int]) -> list[Product]:
    """Its rows, so many each, as the products that they are."""
    found, first = [], 0
    few_bits = quantized(linear.weight)
    for size in sizes:
        some = slice(first, first + size)
        weight: Any = linear.weight.detach()[some]
        if few_bits is not None:
            weight.quantized = few_bits.rows(some)
        found.append(Product(weight, None if linear.bias is None else linear.bias[some]))
        first += size
    return found
