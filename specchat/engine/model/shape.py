"""Sizes of a model, read from its configuration, and where its layers are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from specchat.engine.errors import ModelLoadError
from specchat.engine.kv.cache import KVShape


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes read from a transformers configuration."""

    vocab_size: int
    hidden_size: int
    context_length: int
    kv: KVShape
    heads: int  # query heads


def read_shape(config: Any, dtype: torch.dtype) -> ModelShape:
    """Sizes of a decoder-only text model.

    Raises:
        ModelLoadError: the configuration lacks a size the paged cache needs.
    """
    config = config.get_text_config()
    try:
        heads = config.num_attention_heads
        layers = config.num_hidden_layers
        hidden = config.hidden_size
        vocab = config.vocab_size
    except AttributeError as error:
        raise ModelLoadError(
            f"{type(config).__name__} is no decoder-only language model: {error}"
        ) from None
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    if getattr(config, "multi_query", False):
        kv_heads = 1
    head_dim = getattr(config, "head_dim", None) or hidden // heads
    context = _context_length(config)
    return ModelShape(vocab, hidden, context, KVShape(layers, kv_heads, head_dim, dtype), heads)


def _context_length(config: Any) -> int:
    """Positions that one rotation serves. "longrope" (Phi-3) turns to another one when the longest
    request of a batch passes its original length, so requests would change each other."""
    context = getattr(config, "max_position_embeddings", None) or 2048
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") != "longrope":
        return context
    original = rope.get("original_max_position_embeddings")
    original = original or getattr(config, "original_max_position_embeddings", None)
    return min(context, original or context)


def layer_devices(model: nn.Module, shape: ModelShape) -> list[torch.device]:
    """Where each decoder layer lives (accelerate's `hf_device_map`, else one device)."""
    default = next(model.parameters()).device
    placed = getattr(model, "hf_device_map", None)
    if not placed or len(set(placed.values())) < 2:
        return [default] * shape.kv.layers
    devices = []
    for layer in range(shape.kv.layers):
        name = next(
            (
                key
                for key in placed
                if key.endswith(f"layers.{layer}") or key.endswith(f".h.{layer}")
            ),
            None,
        )
        device = placed[name] if name else default
        devices.append(
            torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
        )
    return devices
