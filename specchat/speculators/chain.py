"""One request's draft in the making: a chain of best tokens with runners-up beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from specchat.engine.draft import ROOT, DraftContext, DraftTree
from specchat.speculators.choosing import noise_depth

SIBLINGS = 2
"""Tokens drafted for each place: the chain's own and its runners-up, which are leaves."""

LEAST_CHANCE = 0.1
"""Of a whole chain: one that is less likely is not drafted further."""


@dataclass(slots=True)
class Chain:
    """Grows by one place per call of `extend`."""

    context: DraftContext
    source: str
    depth: int  # the most places to draft
    tree: DraftTree = field(default_factory=DraftTree)
    tip: int = ROOT
    chance: float = 1.0

    def wanted(self, place: int, least_chance: float) -> bool:
        """Whether to draft the place, counted from 0."""
        return place < self.depth and self.chance >= least_chance

    def extend(self, tokens: Sequence[int], chances: Sequence[float]) -> None:
        """Add the next place's tokens, best first; the first one carries on."""
        nodes = [
            self.tree.add(token, self.tip, self.source, min(chance, 1.0))
            for token, chance in zip(tokens, chances, strict=True)
        ]
        self.tip = nodes[0]
        self.chance *= chances[0]


def useful_depth(context: DraftContext, depth: int) -> int:
    """`depth`, or less where the answer ends before or the target's noise is not known."""
    known = noise_depth(context)
    return min(depth, context.max_depth, depth if known is None else known)
