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
    multiplied with is rounded to x's type, as transformers does."""
    x = x.contiguous()
    out = torch.empty_like(x)
    size = x.shape[-1]
    block = triton.next_power_of_2(size)
    _norm_kernel[(x.numel() // size,)](
        x, weight, out, epsilon, SIZE=size, BLOCK=block, num_warps=min(8, max(1, block // 512))
    )
    return out


def silu_times(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """`silu(gate) * up`, of one shape; `silu(gate)` is rounded to its type, as in transformers."""
    gate, up = gate.contiguous(), up.contiguous()
    out = torch.empty_like(gate)
    size = gate.numel()
    _gate_kernel[(triton.cdiv(size, _GATE_BLOCK),)](gate, up, out, size, BLOCK=_GATE_BLOCK)
    return out


def rotate(query: torch.Tensor, key: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> None:
    """Rotary positions, in place: of `query [rows, heads, n]` and `key [rows, kv_heads, n]`, both
    contiguous, by the angles whose `cos` and `sin` are `[rows, n]` (both halves alike)."""
    rows, heads, size = query.shape
    kv_heads = key.shape[1]
    half = size // 2
    _rotate_kernel[(rows, heads + kv_heads)](
        query, key, cos, sin, cos.stride(0), sin.stride(0),
        HEADS=heads, KV_HEADS=kv_heads, HALF=half, BLOCK=triton.next_power_of_2(half), num_warps=1,
    )  # fmt: skip


@triton.jit
def _norm_kernel(x, weight, out, epsilon, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    inside = at < SIZE
    begin = tl.program_id(0).to(tl.int64) * SIZE
    row = tl.load(x + begin + at, mask=inside, other=0.0).to(tl.float32)
    scale = 1.0 / tl.sqrt(tl.sum(row * row) / SIZE + epsilon)
    normed = (row * scale).to(out.dtype.element_ty).to(tl.float32)
    weights = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + begin + at, (weights * normed).to(out.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["size"])
def _gate_kernel(gate, up, out, size, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    value = tl.load(gate + at, mask=inside, other=0.0).to(tl.float32)
    factor = tl.load(up + at, mask=inside, other=0.0).to(tl.float32)
    silu = (value / (1.0 + tl.exp(-value))).to(out.dtype.element_ty).to(tl.float32)
    tl.store(out + at, (silu * factor).to(out.dtype.element_ty), mask=inside)


@triton.jit
def _rotate_kernel(
    query, key, cos, sin, cos_stride, sin_stride,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HALF: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    at = tl.arange(0, BLOCK)
    inside = at < HALF
    if head < HEADS:
        begin = query + (row * HEADS + head) * 2 * HALF
    else:
        begin = key + (row * KV_HEADS + head - HEADS) * 2 * HALF
    first = tl.load(begin + at, mask=inside, other=0.0).to(tl.float32)
    second = tl.load(begin + HALF + at, mask=inside, other=0.0).to(tl.float32)
    c = tl.load(cos + row * cos_stride + at, mask=inside, other=0.0).to(tl.float32)
    s = tl.load(sin + row * sin_stride + at, mask=inside, other=0.0).to(tl.float32)
    kind = query.dtype.element_ty
    tl.store(begin + at, (first * c - second * s).to(kind), mask=inside)
    tl.store(begin + HALF + at, (second * c + first * s).to(kind), mask=inside)
