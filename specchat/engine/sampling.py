"""Logits to tokens: penalties, temperature, top-k, top-p, min-p, and the seeded noise.

The token at a position is `argmax(log p + gumbel)`, where the Gumbel noise depends on
(seed, position, token) alone. That is an exact draw from p (the Gumbel-max trick), and it makes
the answer a function of target, prompt and seed: drafts cannot change it. A drafter that adds the
same noise to its own log-probabilities agrees with the target more often (Daliri, Musco, Suresh,
"Coupling without communication and drafter-invariant speculative decoding", 2024).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from specchat.engine.request import SamplingParams

_MASK64 = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def gumbel_noise(
    seed: int, start: int, count: int, vocab: int, device: torch.device
) -> torch.Tensor:
    """Standard Gumbel noise `[count, vocab]` (float32) for positions start .. start + count - 1.

    Counter-based: SplitMix64 (Steele, Lea, Flood 2014) of (seed, position, token), in 64-bit
    integer arithmetic that is the same on every device.
    """
    keys = [noise_key(seed, start + i) for i in range(count)]
    key = torch.tensor(keys, dtype=torch.int64, device=device)
    token = torch.arange(1, vocab + 1, dtype=torch.int64, device=device) * _signed(_GOLDEN)
    bits = _mix(key[:, None] + token) >> 32 & 0xFFFFFFFF
    uniform = (bits.to(torch.float32) + 0.5) * 2.0**-32
    return -torch.log(-torch.log1p(-uniform.clamp_(max=1 - 2.0**-24)))


def noise_key(seed: int, position: int) -> int:
    """What a position's noise is drawn with, as an int64."""
    return _signed(_mix_int((_mix_int(seed) + position * _GOLDEN) & _MASK64))


def _mix(x: torch.Tensor) -> torch.Tensor:
    """SplitMix64's finaliser on int64 tensors; multiplication wraps, shifts are logical."""
    x = (x ^ _shift(x, 30)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ _shift(x, 27)) * _signed(0x94D049BB133111EB)
    return x ^ _shift(x, 31)


def _shift(x: torch.Tensor, bits: int) -> torch.Tensor:
    return x >> bits & ((1 << (64 - bits)) - 1)


def _mix_int(x: int) -> int:
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _MASK64
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _MASK64
    return x ^ x >> 31


def _signed(x: int) -> int:
    return x - (1 << 64) if x >= 1 << 63 else x


class NoiseTape:
    """One request's noise, made in blocks of positions so that a step pays little for it."""

    BLOCK = 16

    def __init__(self, seed: int, vocab: int, device: torch.device) -> None:
        self._seed, self._vocab, self._device = seed, vocab, device
        self._start = 0
        self._rows = torch.empty(0, vocab, device=device)

    def rows(self, start: int, count: int) -> torch.Tensor:
        """Noise `[count, vocab]` of positions start .. start + count - 1."""
        have = self._start + len(self._rows)
        if start < self._start or start > have:
            self._start, have = start, start
            self._rows = self._rows[:0]
        if start + count > have:
            more = max(self.BLOCK, start + count - have)
            new = gumbel_noise(self._seed, have, more, self._vocab, self._device)
            self._rows = torch.cat([self._rows[start - self._start :], new])
            self._start = start
        return self._rows[start - self._start : start - self._start + count]


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Consecutive logit rows of one request and what is needed to choose their tokens."""

    params: SamplingParams
    count: int
    noise: torch.Tensor | None  # [count, vocab], the noise of each row's own position
    histories: Sequence[Sequence[int]] | None  # per row: prompt and answer up to it
    prompt_length: int = 0


def choose(logits: torch.Tensor, groups: Sequence[RowGroup]) -> list[int]:
    """The target's token for every row of `logits [rows, vocab]`; groups in row order."""
    return scores(logits, groups).argmax(-1).tolist()


def scores(logits: torch.Tensor, groups: Sequence[RowGroup]) -> torch.Tensor:
    """What `choose` takes the argmax of: logits, or log p + noise up to a constant."""
    if all(_is_plain_argmax(group.params) for group in groups):
        return logits
    out = logits.float()
    if out.data_ptr() == logits.data_ptr():
        out = out.clone()
    row = 0
    for group in groups:
        part = out[row : row + group.count]
        _adjust(part, group)
        if group.params.temperature:
            if _filters(group.params):
                part.copy_(warp(part, group.params))
            else:  # log p and logits / temperature differ by a constant
                part.div_(group.params.temperature)
            part.add_(group.noise)
        row += group.count
    return out


def warp(logits: torch.Tensor, params: SamplingParams) -> torch.Tensor:
    """Log-probabilities `[rows, vocab]` after temperature, top-k, top-p and min-p.

    Tokens outside are -inf; at least the most probable one stays. Order as in transformers.
    """
    logp = (logits / params.temperature).log_softmax(-1)
    if 0 < params.top_k < logp.shape[-1]:
        floor = logp.topk(params.top_k, dim=-1).values[:, -1:]
        logp = logp.masked_fill(logp < floor, -math.inf)
    if params.top_p < 1.0:
        ordered, index = logp.log_softmax(-1).sort(-1, descending=True)
        before = ordered.exp().cumsum(-1) - ordered.exp()
        beyond = before >= params.top_p
        beyond[:, 0] = False  # a top_p that float32 rounds to 0 still keeps one token
        drop = torch.zeros_like(beyond).scatter(-1, index, beyond)
        logp = logp.masked_fill(drop, -math.inf)
    if params.min_p > 0.0:
        floor = logp.max(-1, keepdim=True).values + math.log(params.min_p)
        logp = logp.masked_fill(logp < floor, -math.inf)
    return logp.log_softmax(-1)


def _filters(params: SamplingParams) -> bool:
    return params.top_k > 0 or params.top_p < 1.0 or params.min_p > 0.0


def _is_plain_argmax(params: SamplingParams) -> bool:
    return params.greedy and not params.logit_bias and not params.history_dependent


def _adjust(part: torch.Tensor, group: RowGroup) -> None:
    """Apply logit bias and penalties to `part [rows, vocab]` in place."""
    params = group.params
    if params.logit_bias:
        ids = torch.tensor(list(params.logit_bias), device=part.device)
        bias = torch.tensor(list(params.logit_bias.values()), device=part.device)
        part[:, ids] += bias
    if not params.history_dependent:
        return
    assert group.histories is not None
    for row, history in zip(part, group.histories, strict=True):
        _penalise(row, history, group.prompt_length, params)


def _penalise(
    row: torch.Tensor, history: Sequence[int], prompt_length: int, params: SamplingParams
) -> None:
    if params.repetition_penalty != 1.0:
        seen = torch.tensor(sorted(set(history)), device=row.device)
        value = row[seen]
        penalty = params.repetition_penalty
        row[seen] = torch.where(value > 0, value / penalty, value * penalty)
    answer = torch.tensor(history[prompt_length:], dtype=torch.int64, device=row.device)
    if len(answer) and (params.presence_penalty or params.frequency_penalty):
        seen, counts = answer.unique(return_counts=True)
        row[seen] -= params.presence_penalty + params.frequency_penalty * counts
