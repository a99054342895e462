"""Triton kernels for what stands between the products of a decoder layer.

Each reads its rows once and computes in float32. The engine's other kernels are in `kernels`.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

_GATE_BLOCK = 1024


def rms_norm(x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """`weight * x / rms(x)` over the last dimension of `x [..., n]`; `weight [n]`. What `weight` is
    multiplied with is rounded to x's type, as in transformers."""
    x = x.contiguous()
    out = torch.empty_like(x)
    _norm(x, None, x, out, weight, 0.0, epsilon)
    return out


def add_and_norm(
    x: torch.Tensor, more: torch.Tensor, factor: float, weight: torch.Tensor, epsilon: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """`x + factor * more` (both `[..., n]`), and `rms_norm` of it."""
    x, more = x.contiguous(), more.contiguous()
    total, out = torch.empty_like(x), torch.empty_like(x)
    _norm(x, more, total, out, weight, factor, epsilon)
    return total, out


def _norm(
    x: torch.Tensor,
    more: torch.Tensor | None,
    total: torch.Tensor,
    out: torch.Tensor,
    weight: torch.Tensor,
    factor: float,
    epsilon: float,
) -> None:
    size = x.shape[-1]
    block = triton.next_power_of_2(size)
    _norm_kernel[(x.numel() // size,)](
        x, x if more is None else more, total, out, weight, factor, epsilon,
        SIZE=size, BLOCK=block, ADDS=more is not None, num_warps=min(8, max(1, block // 512)),
    )  # fmt: skip


def silu_times(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """`silu(gate) * up`, both `[rows, n]` with any distance between rows -> `[rows, n]`;
    `silu(gate)` is rounded to its type, as in transformers."""
    rows, size = gate.shape
    out = gate.new_empty(rows, size)
    _gate_kernel[(rows, triton.cdiv(size, _GATE_BLOCK))](
        gate, up, out, gate.stride(0), up.stride(0), SIZE=size, BLOCK=_GATE_BLOCK
    )
    return out


def rotate(query: torch.Tensor, key: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> None:
    """Rotary positions, in place: of `query [rows, heads, n]` and `key [rows, kv_heads, n]`, with
    any distance between rows, by the angles whose `cos` and `sin` are `[rows, n]` (both halves
    alike)."""
    rows, heads, size = query.shape
    kv_heads = key.shape[1]
    half = size // 2
    _rotate_kernel[(rows, heads + kv_heads)](
        query, key, cos, sin, query.stride(0), key.stride(0), cos.stride(0), sin.stride(0),
        HEADS=heads, HALF=half, BLOCK=triton.next_power_of_2(half), num_warps=1,
    )  # fmt: skip


@triton.jit
def _norm_kernel(
    x, more, total, out, weight, factor, epsilon,
    SIZE: tl.constexpr, BLOCK: tl.constexpr, ADDS: tl.constexpr,
):  # fmt: skip
    at = tl.arange(0, BLOCK)
    inside = at < SIZE
    begin = tl.program_id(0).to(tl.int64) * SIZE
    kind = out.dtype.element_ty
    row = tl.load(x + begin + at, mask=inside, other=0.0).to(tl.float32)
    if ADDS:
        row += factor * tl.load(more + begin + at, mask=inside, other=0.0).to(tl.float32)
        row = row.to(kind)
        tl.store(total + begin + at, row, mask=inside)
        row = row.to(tl.float32)
    scale = 1.0 / tl.sqrt(tl.sum(row * row) / SIZE + epsilon)
    normed = (row * scale).to(kind).to(tl.float32)
    weights = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + begin + at, (weights * normed).to(kind), mask=inside)


@triton.jit
def _gate_kernel(
    gate, up, out, gate_stride, up_stride, SIZE: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < SIZE
    kind = out.dtype.element_ty
    value = tl.load(gate + row * gate_stride + at, mask=inside, other=0.0).to(tl.float32)
    factor = tl.load(up + row * up_stride + at, mask=inside, other=0.0).to(tl.float32)
    silu = (value / (1.0 + tl.exp(-value))).to(kind).to(tl.float32)
    tl.store(out + row * SIZE + at, (silu * factor).to(kind), mask=inside)


@triton.jit
def _rotate_kernel(
    query, key, cos, sin, query_stride, key_stride, cos_stride, sin_stride,
    HEADS: tl.constexpr, HALF: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    at = tl.arange(0, BLOCK)
    inside = at < HALF
    if head < HEADS:
        begin = query + row * query_stride + head * 2 * HALF
    else:
        begin = key + row * key_stride + (head - HEADS) * 2 * HALF
    first = tl.load(begin + at, mask=inside, other=0.0).to(tl.float32)
    second = tl.load(begin + HALF + at, mask=inside, other=0.0).to(tl.float32)
    c = tl.load(cos + row * cos_stride + at, mask=inside, other=0.0).to(tl.float32)
    s = tl.load(sin + row * sin_stride + at, mask=inside, other=0.0).to(tl.float32)
    kind = query.dtype.element_ty
    tl.store(begin + at, (first * c - second * s).to(kind), mask=inside)
    tl.store(begin + HALF + at, (second * c + first * s).to(kind), mask=inside)
