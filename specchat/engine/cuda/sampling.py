"""Sampling by one kernel: temperature, noise and the largest score of every row in one launch.

It serves requests that ask for temperature alone. Penalties, filters and log-probabilities go
through `sampler`, which launches several operations for each request.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.hardware import on_cuda_device
from specchat.engine.request import SamplingParams
from specchat.engine.sampling.noise import noise_key
from specchat.engine.sampling.sampler import RowGroup, best_tokens


def by_temperature_alone(params: SamplingParams) -> bool:
    """Whether a request's tokens follow from logits, temperature and noise alone."""
    filtered = params.top_k > 0 or params.top_p < 1.0 or params.min_p > 0.0
    changed = bool(params.logit_bias) or params.history_dependent
    return not (changed or params.logprobs is not None or (filtered and not params.greedy))


def choose_by_kernel(
    logits: torch.Tensor,
    groups: Sequence[RowGroup],
    trees: Sequence[DraftTree],
    best: Sequence[int] | None = None,
) -> list[int]:
    """The target's token for every row of `logits [rows, vocab]`, `NO_TOKEN` where its score is not
    finite, for groups whose parameters are `by_temperature_alone`. `best` holds the largest logit
    of each row where it is known. What is sampled is what `sampler.choose` samples, up to rounding
    of the noise."""
    from specchat.engine.cuda import kernels

    rows: list[int] = []
    keys: list[int] = []
    temperatures: list[float] = []
    row = 0
    for group, tree in zip(groups, trees, strict=True):
        params = group.params
        if not params.greedy:
            rows += range(row, row + group.count)
            keys += [noise_key(params.seed, group.position + depth) for depth in (0, *tree.depths)]
            temperatures += [params.temperature] * group.count
        row += group.count
    choices = list(best) if best is not None else best_tokens(logits)
    if rows:
        where, number, heat = (
            torch.tensor(values, dtype=dtype).to(logits.device)
            for values, dtype in (
                (rows, torch.int64), (keys, torch.int64), (temperatures, torch.float32)
            )
        )  # fmt: skip
        with on_cuda_device(logits.device):
            sampled = kernels.sample(logits, where, number, heat).tolist()
        for place, token in zip(rows, sampled, strict=True):
            choices[place] = token
    return choices
