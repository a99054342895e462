"""Drafts, and a policy on a machine of known speed, for tests of what is verified."""

from __future__ import annotations

from collections.abc import Sequence

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.merging import Wish
from specchat.engine.native.library import load_library
from specchat.engine.native.merging import NativeMerger
from specchat.engine.policy.cost_model import StepCost
from specchat.engine.policy.policy import Policy

MODEL_MS = 5.0
VOCAB = 300
SURE, UNSURE = 0.99, 0.01
OTHER = 299  # a token that nobody drafts
DRAFTERS = ("x", "y", "z")


def policy(row_ms: float, *, max_nodes: int = 63) -> Policy:
    """A policy on a machine where a step takes 5 ms and each further row `row_ms`."""
    cost = StepCost(
        lambda rows: ("eager", rows), lambda backend, rows: MODEL_MS + row_ms * (rows - 1)
    )
    return Policy(cost, max_nodes)


def chain(length: int, confidence: float) -> DraftTree:
    return DraftTree.chain(list(range(10, 10 + length)), "x", [confidence] * length)


def merger_of(policy: Policy) -> NativeMerger:
    return NativeMerger(load_library(), policy, DRAFTERS, VOCAB)


def wishes(count: int, most: int = 63, *, adaptive: bool = True) -> list[Wish]:
    return [Wish(True, most, adaptive)] * count


def chosen(policy: Policy, *trees: DraftTree, prompt_rows: int = 0) -> list[DraftTree]:
    """What is kept of the trees of one drafter."""
    merger = merger_of(policy)
    merger.begin(wishes(len(trees), policy.max_nodes), prompt_rows)
    offer(merger, "x", trees)
    merger.choose(0.0)
    return merger.chosen()


def offer(merger: NativeMerger, drafter: str, trees: Sequence[DraftTree]) -> None:
    """A tree for each request."""
    merger.add(drafter, range(len(trees)), trees, [99] * len(trees))
