"""Logits to tokens: penalties, temperature, top-k, top-p, min-p, and the seeded noise.

The token at a position is `argmax(log p + gumbel)`, where the Gumbel noise depends on (seed,
position, token) alone. That is an exact draw from p (the Gumbel-max trick), and it makes the answer
a function of target, prompt and seed: drafts cannot change it. A drafter that adds the same noise
to its own log-probabilities agrees with the target more often (Daliri, Musco, Suresh, "Coupling
without communication and drafter-invariant speculative decoding", 2024).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from specchat.engine.request import SamplingParams
from specchat.engine.sampling.noise import NoiseTape

NO_TOKEN = -1
"""Chosen after a row whose scores are no numbers, or whose best one is infinite."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Consecutive logit rows of one request and what is needed to choose their tokens."""

    params: SamplingParams
    count: int
    noise: torch.Tensor | None  # [count, vocab], of each row's own position; None when greedy
    histories: Sequence[Sequence[int]] | None  # per row: prompt and answer up to it
    prompt_length: int = 0
    position: int = 0  # in the text, of the token that the first row chooses


def noise_of(params: SamplingParams, vocab: int, device: torch.device) -> NoiseTape | None:
    """What a request's tokens are chosen with, of `vocab`; None when greedy."""
    return None if params.greedy else NoiseTape(params.seed, vocab, device)


def choose(logits: torch.Tensor, groups: Sequence[RowGroup]) -> list[int]:
    """The target's token for every row of `logits [rows, vocab]`; groups in row order."""
    return best_tokens(scores(logits, groups))


def scores(logits: torch.Tensor, groups: Sequence[RowGroup]) -> torch.Tensor:
    """What `choose` takes the argmax of: logits, or log p + noise up to a constant."""
    return add_noise(target_logits(logits, groups), groups)


def largest(scores: torch.Tensor) -> torch.Tensor:
    """`[rows]` int64: the first of the largest of each row of `scores [rows, vocab]`, `NO_TOKEN`
    where that is not finite."""
    found = scores.argmax(-1, keepdim=True)
    return found.where(scores.gather(1, found).isfinite(), NO_TOKEN)[:, 0]


def best_tokens(scores: torch.Tensor) -> list[int]:
    """`largest` on the host."""
    return largest(scores).tolist()


def target_logits(logits: torch.Tensor, groups: Sequence[RowGroup]) -> torch.Tensor:
    """The log-probabilities that tokens are chosen from, up to a constant per row: `logits`
    themselves where nothing changes them, else a float32 copy. Greedy rows are at temperature 1."""
    if all(_is_plain_argmax(group.params) for group in groups):
        return logits
    out = logits.float()
    if out.data_ptr() == logits.data_ptr():
        out = out.clone()
    row = 0
    for group in groups:
        part = out[row : row + group.count]
        _adjust(part, group)
        if _filters(group.params):
            part.copy_(warp(part, group.params))
        elif group.params.temperature:  # log p and logits / temperature differ by a constant
            part.div_(group.params.temperature)
        row += group.count
    return out


def add_noise(targets: torch.Tensor, groups: Sequence[RowGroup]) -> torch.Tensor:
    """`targets` with each group's noise added in place, where it has some."""
    row = 0
    for group in groups:
        if group.noise is not None:
            targets[row : row + group.count].add_(group.noise)
        row += group.count
    return targets


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


def takes_largest(params: SamplingParams) -> bool:
    """True when a token is that of the largest logit, and nothing else is wanted."""
    return params.logprobs is None and _is_plain_argmax(params)


def _filters(params: SamplingParams) -> bool:
    limited = params.top_k > 0 or params.top_p < 1.0 or params.min_p > 0.0
    return limited and not params.greedy


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
