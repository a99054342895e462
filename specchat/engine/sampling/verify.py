"""Verification: walk a draft tree along the tokens that the target chooses.

Coupled rule: the target's token after every row is known before the walk (`sampling.choose`).
Rejection rule: it is drawn on the way, with the drafts as proposals (`rejection.settle`). Either
way a draft node is accepted exactly when it is the target's token, and plain decoding is the walk
over the empty tree, so what is drafted cannot change the answer's tokens or its distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from specchat.engine.cuda.sampling import by_temperature_alone, choose_by_kernel
from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.native.sampling import choose_natively
from specchat.engine.request import Candidate, Logprobs
from specchat.engine.sampling.rejection import Proposal, settle
from specchat.engine.sampling.sampler import (
    NO_TOKEN,
    RowGroup,
    add_noise,
    best_tokens,
    target_logits,
)
from specchat.engine.sampling.uniforms import Dice

Choice = Callable[[int], int]
"""The target's token after a node of the tree (or the root, -1)."""


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
    one row per node; `best` the largest of each, where that is known already. `by_kernel` samples
    on a card in one launch; every group must be `by_temperature_alone`, and none needs noise."""
    if best is not None and all(group.is_plain for group in groups):
        return walk_all(best, trees)
    if by_kernel:
        return walk_all(choose_by_kernel(logits, groups, trees, best), trees)
    if best is not None and all(by_temperature_alone(group.params) for group in groups):
        choices = choose_natively(logits, groups)
        if choices is not None:
            return walk_all(choices, trees)
    targets = target_logits(logits, groups)
    kept = _rows_to_keep(targets, groups)
    choices = best_tokens(add_noise(targets, groups))
    walks, row = [], 0
    for group, tree, rows in zip(groups, trees, kept, strict=True):
        mine = choices[row : row + group.count]
        row += group.count
        if group.dice is None:
            found = walk(tree, mine)
        else:
            assert rows is not None
            found = follow(tree, drawn(tree, rows, group.dice, group.position))
        if group.params.logprobs is not None:
            assert rows is not None
            found = Walk(found.nodes, found.token, _logprobs(tree, found, rows, group))
        walks.append(found)
    return walks


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


def follow(tree: DraftTree, choice: Choice) -> Walk:
    """Follow what `choice` says after each node, as far as `tree` goes along."""
    by_parent = {
        (parent, token): node
        for node, (parent, token) in enumerate(zip(tree.parents, tree.tokens, strict=True))
    }
    path: list[int] = []
    node = ROOT
    while True:
        token = choice(node)
        child = by_parent.get((node, token))
        if child is None:
            return Walk(path, token)
        path.append(child)
        node = child


def drawn(tree: DraftTree, targets: torch.Tensor, dice: Dice, position: int) -> Choice:
    """Choices by the rejection rule. `targets [rows, vocab]` are log-probabilities up to a
    constant; the root's row chooses the token at `position`."""

    def choose(node: int) -> int:
        p = targets[node + 1].double().softmax(-1)[None]
        if math.isnan(p[0, 0]):  # then all of them are
            return NO_TOKEN
        at = position + (0 if node == ROOT else tree.depths[node])
        proposals = _proposals(tree, node, p)
        return int(settle(p, proposals, lambda stream, trial: dice.roll(stream, at, trial)))

    return choose


def _proposals(tree: DraftTree, node: int, p: torch.Tensor) -> list[Proposal]:
    """What may follow `node`: the draws in the order drawn, then the tokens that were chosen."""
    draws = [draw for draw in tree.draws if draw.parent == node]
    known = {draw.token for draw in draws}
    chosen = [tree.tokens[n] for n in tree.children(node) if tree.tokens[n] not in known]
    tokens = torch.tensor([*(draw.token for draw in draws), *chosen], dtype=torch.int64)
    qs = [*(draw.q.to(p)[None] for draw in draws), *(None for _ in chosen)]
    return [Proposal(tokens[i : i + 1].to(p.device), q) for i, q in enumerate(qs)]


def _rows_to_keep(targets: torch.Tensor, groups: Sequence[RowGroup]) -> list[torch.Tensor | None]:
    """The target's rows of the requests that need more of them than a choice, without noise."""
    kept: list[torch.Tensor | None] = []
    row = 0
    for group in groups:
        rows = targets[row : row + group.count]
        row += group.count
        if group.dice is not None:
            kept.append(rows)
        elif group.params.logprobs is not None:
            kept.append(rows.clone())  # noise is added in place
        else:
            kept.append(None)
    return kept


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
