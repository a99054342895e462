"""Drafts, and a policy on a machine of known speed, for tests of what is verified."""

from __future__ import annotations

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.policy.cost_model import StepCost
from specchat.engine.policy.policy import Policy

MODEL_MS = 5.0
VOCAB = 300
SURE, UNSURE = 0.99, 0.01
OTHER = 299  # a token that nobody drafts


def policy(row_ms: float, *, max_nodes: int = 63) -> Policy:
    """A policy on a machine where a step takes 5 ms and each further row `row_ms`."""
    cost = StepCost(
        lambda rows: ("eager", rows), lambda backend, rows: MODEL_MS + row_ms * (rows - 1)
    )
    return Policy(cost, max_nodes)


def chain(length: int, confidence: float) -> DraftTree:
    return DraftTree.chain(list(range(10, 10 + length)), "x", [confidence] * length)
