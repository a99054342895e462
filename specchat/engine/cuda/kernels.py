"""Triton kernels: paged attention for prefill chunks and draft trees, cache writes, sampling.

One attention kernel serves every step. A program handles `block` query rows of one request (rows
times the heads that share a key head) against a part of that request's keys, read page by page
through its table; where a context is divided into several parts, a second kernel joins them
(FlashAttention-2, Dao 2023; "Flash-Decoding", Dao et al. 2023). Rows of a draft tree see the whole
context and, of their own step's rows, those in their ancestor bits. Sums are float32.

Set TRITON_INTERPRET=1 before the first import to run them on CPU.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from specchat.engine.cuda.step_tables import MAX_SPLITS, StepTables
from specchat.engine.sampling.sampler import NO_TOKEN

_VOCAB_BLOCK = 1024
_VOCAB_PARTS = 16


def write_rows(
    keys: torch.Tensor,
    values: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    slots: torch.Tensor,
) -> None:
    """Store a step's `key, value [kv_heads, rows, head_dim]` (any strides but the last one, which
    is 1) in rows `slots [rows]` of the caches `[cache_rows, kv_heads, head_dim]`."""
    heads, rows, dim = key.shape
    _write_kernel[(rows, heads)](
        keys, values, key, value, slots,
        key.stride(0), key.stride(1), value.stride(0), value.stride(1),
        HEADS=heads, DIM=dim, BLOCK=triton.next_power_of_2(dim),
        num_warps=1,
    )  # fmt: skip


def attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    tables: StepTables,
    *,
    scale: float,
    window: int = 0,
    softcap: float = 0.0,
    sinks: torch.Tensor | None = None,
) -> torch.Tensor:
    """Attention of `query [heads, rows, head_dim]` over the pages that `tables` names, in the
    caches `keys, values [cache_rows, kv_heads, head_dim]` -> `[rows, heads, head_dim]`.

    `window` is the number of latest positions a row may look at, itself included (0: all);
    `softcap` bounds scores by `softcap * tanh(score / softcap)` (0: not); `sinks [heads]` are
    extra scores that take weight and give nothing. Rows of no request give zeros.
    """
    heads, rows, dim = query.shape
    size, geometry = tables.size, tables.geometry
    out = query.new_zeros(rows, heads, dim)
    splits = size.splits
    block_dim = max(16, triton.next_power_of_2(dim))
    parts = query.new_empty(
        rows if splits > 1 else 0, heads, splits, block_dim, dtype=torch.float32
    )
    weights = query.new_empty(rows if splits > 1 else 0, heads, splits, dtype=torch.float32)
    precise = query.dtype == torch.float32
    _attention_kernel[(size.blocks, geometry.kv_heads, splits)](
        query, keys, values, out, parts, weights, sinks if sinks is not None else weights,
        tables["split_keys"], tables["block_request"], tables["block_index"],
        tables["start"], tables["count"], tables["context"], tables["causal"], tables["table"],
        tables["pages"], tables["ancestors"], tables["positions"],
        query.stride(0), query.stride(1), scale, softcap, window, splits,
        HEADS=heads, KV_HEADS=geometry.kv_heads, DIM=dim, BLOCK_DIM=block_dim,
        BLOCK_M=size.block, BLOCK_N=keys_at_once(block_dim, precise),
        PAGE=geometry.page_size, HAS_SINKS=sinks is not None,
        HAS_CAP=softcap != 0.0, HAS_WINDOW=window != 0,
        PRECISION="ieee" if precise else "tf32",
        **launch_options(size.block, block_dim),
    )  # fmt: skip
    if splits > 1:
        _join_kernel[(rows, heads)](
            out, parts, weights, tables["split_keys"], tables["row_request"],
            tables["count"], tables["context"], splits,
            HEADS=heads, DIM=dim, BLOCK_DIM=block_dim, BLOCK_SPLITS=MAX_SPLITS, num_warps=4,
        )  # fmt: skip
    return out


def keys_at_once(block_dim: int, precise: bool) -> int:
    """Keys that a program of the attention kernel holds at a time."""
    return 64 if block_dim <= 128 and not precise else 32


def launch_options(block: int, block_dim: int) -> dict[str, int]:
    """Warps and stages of the attention kernel with a block of so many rows."""
    return {"num_warps": 8 if block >= 128 else 4, "num_stages": 2 if block_dim <= 128 else 1}


def sample(
    logits: torch.Tensor, rows: torch.Tensor, keys: torch.Tensor, temperatures: torch.Tensor
) -> torch.Tensor:
    """`argmax(logits / temperature + Gumbel noise)` `[n]` int64 of some rows of `logits`;
    `NO_TOKEN` where that score is not finite, or one of the row's is no number.

    `rows [n]` int64 picks them, `keys [n]` int64 are their noise keys (`noise.noise_key`),
    `temperatures [n]` float32 are above 0. The noise is that of `noise.gumbel_noise` up to
    rounding.
    """
    count, vocab = len(rows), logits.shape[1]
    best = logits.new_empty(count, _VOCAB_PARTS, dtype=torch.float32)
    where = logits.new_empty(count, _VOCAB_PARTS, dtype=torch.int64)
    part = triton.cdiv(triton.cdiv(vocab, _VOCAB_PARTS), _VOCAB_BLOCK) * _VOCAB_BLOCK
    _sample_kernel[(count, _VOCAB_PARTS)](
        logits, rows, keys, temperatures, best, where, logits.stride(0), vocab, part,
        PARTS=_VOCAB_PARTS, BLOCK=_VOCAB_BLOCK, num_warps=4,
    )  # fmt: skip
    highest, piece = best.max(1, keepdim=True)
    return where.gather(1, piece).where(highest.isfinite(), NO_TOKEN)[:, 0]


@triton.jit
def _write_kernel(
    keys, values, key, value, slots,
    key_head_stride, key_row_stride, value_head_stride, value_row_stride,
    HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row, head = tl.program_id(0), tl.program_id(1)
    dims = tl.arange(0, BLOCK)
    inside = dims < DIM
    target = (tl.load(slots + row) * HEADS + head) * DIM + dims
    source = tl.load(key + head * key_head_stride + row * key_row_stride + dims, mask=inside)
    tl.store(keys + target, source.to(keys.dtype.element_ty), mask=inside)
    source = tl.load(value + head * value_head_stride + row * value_row_stride + dims, mask=inside)
    tl.store(values + target, source.to(values.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["splits", "window"])  # one compilation for every step
def _attention_kernel(
    query, keys, values, out, parts, weights, sinks,
    split_keys, block_request, block_index, starts, counts, contexts, causals, tables,
    pages, ancestors, positions,
    query_head_stride, query_row_stride, scale, softcap, window, splits,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK_DIM: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, PAGE: tl.constexpr,
    HAS_SINKS: tl.constexpr, HAS_CAP: tl.constexpr, HAS_WINDOW: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    LOG2E: tl.constexpr = 1.4426950408889634
    GROUP: tl.constexpr = HEADS // KV_HEADS
    request = tl.load(block_request + tl.program_id(0))
    if request < 0:
        return
    kv_head = tl.program_id(1)
    split = tl.program_id(2)
    count = tl.load(counts + request).to(tl.int32)
    context = tl.load(contexts + request).to(tl.int32)
    size = tl.load(split_keys).to(tl.int32)
    length = context + count
    if split * size >= length:
        return
    start = tl.load(starts + request)
    causal = tl.load(causals + request) != 0
    table = pages + tl.load(tables + request)

    # Each of the block's lanes is one head of one row.
    first = tl.load(block_index + tl.program_id(0)).to(tl.int32) * BLOCK_M
    lane = first + tl.arange(0, BLOCK_M)
    real = lane < count * GROUP
    own = tl.where(real, lane // GROUP, 0)
    head = kv_head * GROUP + lane % GROUP
    row = start + own
    dims = tl.arange(0, BLOCK_DIM)
    inside = dims < DIM
    q = tl.load(
        query + (head * query_head_stride + row * query_row_stride)[:, None] + dims[None, :],
        mask=real[:, None] & inside[None, :],
        other=0.0,
    )
    bits = tl.load(ancestors + row)

    low = split * size
    high = tl.minimum(low + size, length)
    last_own = tl.minimum((first + BLOCK_M - 1) // GROUP, count - 1)
    high = tl.minimum(high, tl.where(causal, context + last_own + 1, length))
    position = tl.load(positions + row).to(tl.int32)
    if HAS_WINDOW:
        earliest = tl.min(tl.where(real, position, 2147483647), 0) - window + 1
        # The context's position is its index; the step's own rows are looked at in any case.
        low = tl.maximum(low, tl.minimum(earliest, context) // BLOCK_N * BLOCK_N)

    best = tl.full([BLOCK_M], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    if HAS_SINKS:  # noqa: SIM102  (known when compiled; the other when run)
        if split == 0:
            best = tl.load(sinks + head).to(tl.float32) * LOG2E
            total = total + 1.0
    sums = tl.zeros([BLOCK_M, BLOCK_DIM], tl.float32)
    for at in range(low, high, BLOCK_N):
        index = at + tl.arange(0, BLOCK_N)
        exists = index < high
        page = tl.load(table + index // PAGE, mask=exists, other=0)
        slot = page * PAGE + index % PAGE
        place = (slot * KV_HEADS + kv_head) * DIM
        k = tl.load(
            keys + place[None, :] + dims[:, None],
            mask=exists[None, :] & inside[:, None],
            other=0.0,
        )
        scores = tl.dot(q, k, input_precision=PRECISION) * scale
        if HAS_CAP:
            scores = softcap * (2.0 / (1.0 + tl.exp(-2.0 * scores / softcap)) - 1.0)
        ahead = index - context  # row of the step that holds the key; negative in the context
        bit = (bits[:, None] >> tl.minimum(tl.maximum(ahead, 0), 63).to(tl.int64)[None, :]) & 1
        seen = tl.where(causal, ahead[None, :] <= own[:, None], (ahead < 0)[None, :] | (bit == 1))
        seen = seen & exists[None, :]
        if HAS_WINDOW:
            key_position = tl.load(
                positions + start + ahead, mask=exists & (ahead >= 0), other=0
            ).to(tl.int32)
            key_position = tl.where(ahead < 0, index, key_position)
            seen = seen & (key_position[None, :] > position[:, None] - window)
        scores = tl.where(seen, scores * LOG2E, float("-inf"))
        higher = tl.maximum(best, tl.max(scores, 1))
        base = tl.where(higher == float("-inf"), 0.0, higher)
        chance = tl.exp2(scores - base[:, None])
        fade = tl.exp2(best - base)
        total = total * fade + tl.sum(chance, 1)
        v = tl.load(
            values + place[:, None] + dims[None, :],
            mask=exists[:, None] & inside[None, :],
            other=0.0,
        )
        sums = sums * fade[:, None] + tl.dot(chance.to(v.dtype), v, input_precision=PRECISION)
        best = higher

    safe = tl.where(total > 0.0, total, 1.0)
    answer = sums / safe[:, None]
    if splits == 1 or size >= length:
        tl.store(
            out + (row * HEADS + head)[:, None] * DIM + dims[None, :],
            answer.to(out.dtype.element_ty),
            mask=real[:, None] & inside[None, :],
        )
    else:
        where = (row * HEADS + head) * splits + split
        tl.store(
            parts + where[:, None] * BLOCK_DIM + dims[None, :],
            answer,
            mask=real[:, None] & inside[None, :],
        )
        weight = tl.where(total > 0.0, best + tl.log2(safe), float("-inf"))
        tl.store(weights + where, weight, mask=real)


@triton.jit(do_not_specialize=["splits"])
def _join_kernel(
    out, parts, weights, split_keys, row_request, counts, contexts, splits,
    HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK_DIM: tl.constexpr, BLOCK_SPLITS: tl.constexpr,
):  # fmt: skip
    row, head = tl.program_id(0), tl.program_id(1)
    request = tl.load(row_request + row)
    if request < 0:
        return
    size = tl.load(split_keys).to(tl.int32)
    length = (tl.load(counts + request) + tl.load(contexts + request)).to(tl.int32)
    if size >= length:
        return
    part_index = tl.arange(0, BLOCK_SPLITS)
    dims = tl.arange(0, BLOCK_DIM)
    inside = dims < DIM
    where = (row.to(tl.int64) * HEADS + head) * splits + part_index
    used = part_index * size < length
    weight = tl.load(weights + where, mask=used, other=float("-inf"))
    chance = tl.exp2(weight - tl.max(weight, 0))
    part = tl.load(
        parts + where[:, None] * BLOCK_DIM + dims[None, :],
        mask=used[:, None] & inside[None, :],
        other=0.0,
    )
    answer = tl.sum(part * chance[:, None], 0) / tl.sum(chance, 0)
    tl.store(
        out + (row.to(tl.int64) * HEADS + head) * DIM + dims,
        answer.to(out.dtype.element_ty),
        mask=inside,
    )


@triton.jit
def _sample_kernel(
    logits, rows, keys, temperatures, best_out, where_out, stride, vocab, part,
    PARTS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    item, piece = tl.program_id(0), tl.program_id(1)
    line = logits + tl.load(rows + item) * stride
    key = tl.load(keys + item).to(tl.uint64, bitcast=True)
    temperature = tl.load(temperatures + item)
    best = tl.full([], float("-inf"), tl.float32)
    where = tl.full([], 0, tl.int64)
    low = piece * part
    for at in range(low, tl.minimum(low + part, vocab), BLOCK):
        token = at + tl.arange(0, BLOCK)
        inside = token < vocab
        x = key + (token + 1).to(tl.uint64) * 0x9E3779B97F4A7C15
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB
        x = x ^ (x >> 31)
        uniform = ((x >> 32).to(tl.float32) + 0.5) * 2.3283064365386963e-10
        uniform = tl.minimum(uniform, 1.0 - 5.9604644775390625e-08)
        # -log1p(-u); the series where 1 - u would round the low bits of u away
        small = uniform * (1 + uniform * (0.5 + uniform * (1 / 3 + uniform * (0.25 + uniform / 5))))
        wait = tl.where(uniform < 0.02, small, -tl.log(1.0 - uniform))
        score = tl.load(line + token, mask=inside, other=float("-inf")).to(tl.float32)
        score = score / temperature - tl.log(wait)
        # What is no number is infinite here, so that the row is seen to have gone wrong.
        score = tl.where(score == score, score, float("inf"))
        score = tl.where(inside, score, float("-inf"))
        high = tl.max(score, 0)
        spot = at + tl.argmax(score, 0)
        where = tl.where(high > best, spot.to(tl.int64), where)
        best = tl.maximum(best, high)
    tl.store(best_out + item * PARTS + piece, best)
    tl.store(where_out + item * PARTS + piece, where)
