"""A drafter's choice among its logits, made with the target's own noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from specchat.engine.drafting.speculator import DraftContext


@dataclass(frozen=True, slots=True)
class Candidates:
    """The best tokens of each row, best first, with the chance that the target picks them."""

    tokens: list[list[int]]
    chances: list[list[float]]


def best_tokens(
    logits: torch.Tensor,
    contexts: Sequence[DraftContext],
    depth: int,
    count: int,
    token_ids: torch.Tensor | None = None,
) -> Candidates:
    """The `count` best tokens of `logits [rows, vocab]`, one row per context.

    `depth` is the distance from the context's last token, 0 for the token right behind it. A
    sampled request's noise at that position is added, so that the drafter chooses as the target
    would if it had the drafter's probabilities; the chance is the softmax of what was compared,
    since the noise is known to both. `token_ids [vocab]` names the tokens of a reduced vocabulary;
    without it, logits stand for the first ids.
    """
    scores = logits.float()
    if any(context.gumbel is not None for context in contexts):
        scores = torch.stack(
            [_score(row, c, depth, token_ids) for row, c in zip(scores, contexts, strict=True)]
        )
    best = scores.topk(min(count, scores.shape[-1]), dim=-1)
    chances = (best.values - scores.logsumexp(-1, keepdim=True)).exp()
    tokens = best.indices if token_ids is None else token_ids[best.indices]
    return Candidates(tokens.tolist(), chances.tolist())


def noise_depth(context: DraftContext) -> int | None:
    """Positions ahead that can be drafted in step with the target's noise; None is any number."""
    return None if context.gumbel is None else len(context.gumbel)


def _score(
    logits: torch.Tensor, context: DraftContext, depth: int, token_ids: torch.Tensor | None
) -> torch.Tensor:
    if context.gumbel is None:
        return logits
    noise = context.gumbel[depth].to(logits.device)
    noise = noise[: len(logits)] if token_ids is None else noise[token_ids]
    return logits / context.temperature + noise
