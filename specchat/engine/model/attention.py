"""Paged attention behind transformers' `AttentionInterface`.

The model calls `specchat_paged` in every layer with the step's rotated queries, keys and values.
The op writes the new rows to their slots and attends to each request's own pages. What belongs to
the step (slots, page tables, ancestor masks) is no argument of the model: it is carried by a
context variable, since some models drop extra keyword arguments.
"""

from __future__ import annotations

import math
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface

from specchat.engine.cuda.step_tables import StepTables
from specchat.engine.hardware import on_cuda_device
from specchat.engine.kv.cache import KVCache
from specchat.engine.model.segment import Segment

NAME = "specchat_paged"
LISTENING = "specchat_listening"


@dataclass(slots=True)
class StepContext:
    """Everything that paged attention needs to know about one step."""

    cache: KVCache
    slots: torch.Tensor  # [rows] where each row's key and value go
    segments: list[Segment]
    tables: StepTables | None = None  # for the Triton kernels; None: gathered pages
    _elsewhere: dict[torch.device, StepContext] = field(default_factory=dict)

    def on(self, device: torch.device) -> StepContext:
        """The same step with its tensors on a layer's device."""
        if self.slots.device == device:
            return self
        if device not in self._elsewhere:
            tables = None if self.tables is None else self.tables.to(device)
            slots = self.slots.to(device, non_blocking=True)
            self._elsewhere[device] = StepContext(self.cache, slots, self.segments, tables)
        return self._elsewhere[device]


_STEP: ContextVar[StepContext] = ContextVar("specchat_step")


def set_step(step: StepContext) -> None:
    """Make `step` the one that this thread's next forward pass works on."""
    _STEP.set(step)


def paged_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    layer: int,
    scale: float,
    window: int,
    softcap: float,
    sinks: torch.Tensor | None,
) -> torch.Tensor:
    """`query [1, heads, rows, head_dim]`, `key, value [1, kv_heads, rows, head_dim]` ->
    `[1, rows, heads, head_dim]`. Rows of no segment (padding) give zeros."""
    step = _STEP.get()
    keys, values = step.cache.keys[layer], step.cache.values[layer]
    step = step.on(keys.device)
    if step.tables is not None:
        return _by_kernels(query, key, value, keys, values, step, scale, window, softcap, sinks)
    slots = step.slots
    keys.index_copy_(0, slots, key[0].transpose(0, 1).to(keys.dtype))
    values.index_copy_(0, slots, value[0].transpose(0, 1).to(values.dtype))
    _, heads, rows, dim = query.shape
    covered = sum(segment.count for segment in step.segments) == rows
    out = (query.new_empty if covered else query.new_zeros)(1, rows, heads, dim)
    for segment in step.segments:
        where = segment.slots(step.cache.page_size, keys.device)
        end = segment.start + segment.count
        out[:, segment.start : end] = _attend(
            query[:, :, segment.start : end],
            keys[where].transpose(0, 1)[None],
            values[where].transpose(0, 1)[None],
            segment.mask(window, keys.device),
            scale,
            softcap,
            sinks,
        ).transpose(1, 2)
    return out


_compiled_attention = torch.library.custom_op("specchat::paged_attention", mutates_args=())(
    paged_attention
)
"""The same for whoever compiles the model: one operation that is not looked into."""


@_compiled_attention.register_fake
def _(query, key, value, layer, scale, window, softcap, sinks):  # type: ignore[no-untyped-def]
    batch, heads, rows, dim = query.shape
    return query.new_empty(batch, rows, heads, dim)


def _by_kernels(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    step: StepContext,
    scale: float,
    window: int,
    softcap: float,
    sinks: torch.Tensor | None,
) -> torch.Tensor:
    """Paged attention by the Triton kernels, on the layer's GPU."""
    from specchat.engine.cuda import kernels

    assert step.tables is not None
    with on_cuda_device(keys.device):
        kernels.write_rows(keys, values, _dense(key[0]), _dense(value[0]), step.slots)
        out = kernels.attend(
            _dense(query[0]), keys, values, step.tables,
            scale=scale, window=window, softcap=softcap, sinks=sinks,
        )  # fmt: skip
    return out[None]


def _dense(heads: torch.Tensor) -> torch.Tensor:
    """`[heads, rows, head_dim]` with neighbours in the last dimension next to each other."""
    return heads if heads.stride(-1) == 1 else heads.contiguous()


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
    softcap: float,
    sinks: torch.Tensor | None,
) -> torch.Tensor:
    """Attention of `[1, heads, q, d]` over `[1, kv_heads, k, d]` with grouped heads."""
    if not softcap and sinks is None:
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, scale=scale, enable_gqa=True
        )
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scores = (query.float() @ key.float().transpose(2, 3)) * scale
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    if sinks is not None:
        sink = sinks.float().view(1, -1, 1, 1).expand(1, -1, scores.shape[2], 1)
        weights = torch.cat([scores, sink], dim=-1).softmax(-1)[..., :-1]
    else:
        weights = scores.softmax(-1)
    return (weights @ value.float()).to(query.dtype)


def told_by(module: Any, *inputs: Any, **others: Any) -> dict[str, Any]:
    """What a module's forward pass tells attention besides queries, keys and values."""
    told: dict[str, Any] = {}

    def listen(module, query, key, value, attention_mask, **kwargs):  # type: ignore[no-untyped-def]
        told.update(kwargs)
        return query.transpose(1, 2), None

    config, before = module.config, module.config._attn_implementation
    AttentionInterface.register(LISTENING, listen)
    config._attn_implementation = LISTENING
    try:
        with torch.inference_mode():
            type(module).forward(module, *inputs, **others)
    finally:
        config._attn_implementation = before
    return told


def attend(  # type: ignore[no-untyped-def]
    module, query, key, value, attention_mask, scaling=None, dropout=0.0, **kwargs
):
    """What transformers calls: see `AttentionInterface`."""
    scale = scaling if scaling is not None else 1.0 / math.sqrt(query.shape[-1])
    window = kwargs.get("sliding_window") or getattr(module, "sliding_window", None) or 0
    compiling = torch.compiler.is_compiling()  # an operation imports the compiler when called
    out = (_compiled_attention if compiling else paged_attention)(
        query, key, value, module.layer_idx, float(scale), int(window),
        float(kwargs.get("softcap") or 0.0), kwargs.get("s_aux"),
    )  # fmt: skip
    return out, None


def register() -> None:
    """Make `attn_implementation="specchat_paged"` known to transformers. It is known to no table of
    masks: transformers then makes none, where it would look through the positions first and wait
    for a GPU to do so."""
    AttentionInterface.register(NAME, attend)
