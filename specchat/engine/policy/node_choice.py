"""Which nodes to verify: the most probable ones, as long as they pay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from specchat.engine.drafting.draft_tree import ROOT, DraftTree


class Outlook(NamedTuple):
    """What is expected of a step."""

    requests: int  # that decode
    tokens: float  # over all of them
    prompt_rows: int
    ms: float

    @property
    def rate(self) -> float:
        """Expected tokens and prompt rows per millisecond."""
        return self.believed(1.0)

    def believed(self, trust: float) -> float:
        """The rate where that part of the draft tokens is accepted that are expected to be."""
        tokens = self.requests + trust * (self.tokens - self.requests)
        return (tokens + self.prompt_rows) / self.ms


class Chosen(NamedTuple):
    """The nodes to verify, and what is expected of them."""

    nodes: list[list[int]]  # of each tree, ascending
    tokens: float  # expected of the step, prompt rows among them
    ms: float


def choose_nodes(
    chances: Sequence[Sequence[float]],
    most_nodes: int,
    step_ms: Sequence[float],
    node_ms: float,
    expected: float,
    fixed_ms: float,
) -> Chosen:
    """The m most probable nodes of all trees, at most `most_nodes` of each, for the m with the
    highest rate. `chances` are those of each tree's nodes and all their ancestors; `step_ms[m]` is
    what a step with m nodes takes, to which each adds `node_ms`; without any a step brings
    `expected` tokens and takes `fixed_ms`."""
    ranked = sorted(
        (-chance, r, node) for r, own in enumerate(chances) for node, chance in enumerate(own)
    )
    hoped = expected - sum(negative for negative, _, _ in ranked)  # were all of them verified
    best_expected, best_ms, best_count, count = expected, fixed_ms, 0, 0
    room = [most_nodes] * len(chances)
    chosen: list[tuple[int, int]] = []
    for negative, r, node in ranked:
        if not room[r]:
            continue
        room[r] -= 1
        chosen.append((r, node))
        count += 1
        expected -= negative
        ms = fixed_ms + step_ms[count] - step_ms[0] + node_ms * count
        if expected * best_ms > best_expected * ms:
            best_expected, best_ms, best_count = expected, ms, count
        elif hoped * best_ms < best_expected * ms:
            break  # not even all the rest for nothing would do
    kept: list[list[int]] = [[] for _ in chances]
    for r, node in chosen[:best_count]:
        kept[r].append(node)
    return Chosen([sorted(nodes) for nodes in kept], best_expected, best_ms)


def path_chances(tree: DraftTree, own: Sequence[float]) -> list[float]:
    """Of each node: that it and all its ancestors are accepted, where `own` is each one's chance if
    its parent is.

    Siblings exclude each other, so where they claim more than there is, each is believed less.
    """
    claimed = [0.0] * (len(own) + 1)
    for parent, chance in zip(tree.parents, own, strict=True):
        claimed[parent] += chance
    out: list[float] = []
    for parent, chance in zip(tree.parents, own, strict=True):
        if claimed[parent] > 1.0:
            chance /= claimed[parent]
        out.append(chance if parent == ROOT else chance * out[parent])
    return out


def log_odds(confidence: float) -> float:
    """Of a confidence; those further out than 0.002 and 0.998 count as these."""
    kept = 0.002 if confidence < 0.002 else 0.998 if confidence > 0.998 else confidence
    return math.log(kept / (1.0 - kept))


def sigmoid(odds: float) -> float:
    """The probability that has these log-odds."""
    if odds >= 0.0:
        return 1.0 / (1.0 + math.exp(-odds))
    grown = math.exp(odds)
    return grown / (1.0 + grown)
