"""Verification: walk a draft tree along the tokens that the target chooses.

The target's token after every row is known before the walk (`sampler.choose`). A draft node is
accepted exactly when it is the target's token, and plain decoding is the walk over the empty tree,
so what is drafted cannot change the answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import torch

from specchat.engine.cuda.sampling import by_temperature_alone, choose_by_kernel
from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.native.sampling import choose_natively
from specchat.engine.request import Candidate, Logprobs
from specchat.engine.sampling.sampler import (
    RowGroup,
    add_noise,
    best_tokens,
    takes_largest,
    target_logits,
)


class Walk(NamedTuple):
    """The accepted path and the target's own token behind it."""

    nodes: list[int]  # accepted nodes of the tree, root side first
    token: int  # the target's choice after the last accepted node; `NO_TOKEN` where it has none
    logprobs: Sequence[Logprobs] = ()  # of each accepted token and the target's own, if asked for


def verify(
    logits: torch.Tensor,
    groups: Sequence[RowGroup],
    trees: Sequence[DraftTree],
    best: Sequence[int] | None = None,
    *,
    by_kernel: bool = False,
) -> list[Walk]:
    """One walk per request. `logits [rows, vocab]` holds, request after request, the root's row and
    one row per node; `best` the largest of each, where that is known already. With `by_kernel` a
    GPU samples those that are `by_temperature_alone` in one launch; they need no noise.

    How a request's tokens are chosen depends on its own parameters: who else is in the step changes
    no bit of it."""
    if best is not None and all(takes_largest(group.params) for group in groups):
        return walk_all(best, trees)
    quick = [by_kernel or best is not None for _ in groups]
    quick = [
        able and by_temperature_alone(group.params)
        for able, group in zip(quick, groups, strict=True)
    ]
    parts = {kind: [i for i, own in enumerate(quick) if own == kind] for kind in set(quick)}
    walks: list[Walk | None] = [None] * len(groups)
    for kind, places in parts.items():
        rows = None if len(parts) == 1 else _rows_of(groups, places)
        part = _Part(
            logits if rows is None else logits[rows],
            [groups[i] for i in places],
            [trees[i] for i in places],
            best if best is None or rows is None else [best[row] for row in rows],
        )
        for i, found in zip(
            places, _quickly(part, by_kernel) if kind else _by_scores(part), strict=True
        ):
            walks[i] = found
    return [found for found in walks if found is not None]


class _Part(NamedTuple):
    """Some requests of a step; see `verify`."""

    logits: torch.Tensor
    groups: Sequence[RowGroup]
    trees: Sequence[DraftTree]
    best: Sequence[int] | None


def _rows_of(groups: Sequence[RowGroup], places: Sequence[int]) -> list[int]:
    """The rows of some groups."""
    starts = [0, *accumulate(group.count for group in groups)]
    return [row for i in places for row in range(starts[i], starts[i + 1])]


def _quickly(part: _Part, by_kernel: bool) -> list[Walk]:
    """For groups that are `by_temperature_alone`: in one launch or call."""
    if by_kernel:
        return walk_all(
            choose_by_kernel(part.logits, part.groups, part.trees, part.best), part.trees
        )
    choices = choose_natively(part.logits.contiguous(), part.groups)
    return _by_scores(part) if choices is None else walk_all(choices, part.trees)


def _by_scores(part: _Part) -> list[Walk]:
    groups, trees = part.groups, part.trees
    targets = target_logits(part.logits, groups)
    told = [  # without the noise that is added in place
        None if group.params.logprobs is None else rows.clone()
        for group, rows in zip(groups, targets.split([g.count for g in groups]), strict=True)
    ]
    walks = walk_all(best_tokens(add_noise(targets, groups)), trees)
    return [
        found if rows is None else found._replace(logprobs=_logprobs(tree, found, rows, group))
        for found, tree, rows, group in zip(walks, trees, told, groups, strict=True)
    ]


def walk_all(choices: Sequence[int], trees: Sequence[DraftTree]) -> list[Walk]:
    """`walk` for each tree; `choices` holds the rows of all of them end to end."""
    walks, row = [], 0
    for tree in trees:
        rows = 1 + len(tree.tokens)
        walks.append(walk(tree, choices[row : row + rows]) if rows > 1 else Walk([], choices[row]))
        row += rows
    return walks


def walk(tree: DraftTree, choices: Sequence[int]) -> Walk:
    """Follow `choices` (one token per row, root first, then the nodes) through `tree`."""
    path: list[int] = []
    node, token = ROOT, choices[0]
    for child, parent in enumerate(tree.parents):  # children come behind their parents
        if parent == node and tree.tokens[child] == token:
            path.append(child)
            node, token = child, choices[child + 1]
    return Walk(path, token)


def _logprobs(
    tree: DraftTree, found: Walk, targets: torch.Tensor, group: RowGroup
) -> list[Logprobs]:
    """The log-probabilities of an accepted run, each from the row that chose the token."""
    tokens = [*(tree.tokens[node] for node in found.nodes), found.token]
    rows = [0, *(node + 1 for node in found.nodes)]
    logp = targets[rows].float().log_softmax(-1)
    own = logp[range(len(rows)), tokens].tolist()
    best = logp.topk(min(group.params.logprobs or 0, logp.shape[1]), dim=-1)
    return [
        Logprobs(value, _top(ids, values))
        for value, ids, values in zip(own, best.indices.tolist(), best.values.tolist(), strict=True)
    ]


def _top(tokens: Sequence[int], logprobs: Sequence[float]) -> tuple[Candidate, ...]:
    pairs = zip(tokens, logprobs, strict=True)
    return tuple(Candidate(token, value) for token, value in pairs if value > -math.inf)
