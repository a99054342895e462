"""One request's draft in the making: a chain of best tokens with runners-up beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.drafting.speculator import DraftContext
from specchat.speculators.shared.draft_sampling import best_tokens, noise_depth

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

    def extend(self, tokens: Sequence[int], chances: Sequence[float]) -> int:
        """Add the next place's tokens, best first, and return the first one, which carries on."""
        nodes = [
            self.tree.add(token, self.tip, self.source, min(chance, 1.0))
            for token, chance in zip(tokens, chances, strict=True)
        ]
        self.tip = nodes[0]
        self.chance *= chances[0]
        return tokens[0]


def extend_all(
    chains: Sequence[Chain],
    logits: torch.Tensor,
    place: int,
    token_ids: torch.Tensor | None = None,
) -> list[int]:
    """Add the next place's best tokens to each chain by the drafter's `logits [chains, vocab]`.
    Returns the tokens that carry on.

    `token_ids [vocab]` names the tokens of a reduced vocabulary.
    """
    found = best_tokens(logits, [chain.context for chain in chains], place, SIBLINGS, token_ids)
    return [
        chain.extend(tokens, chances)
        for chain, tokens, chances in zip(chains, found.tokens, found.chances, strict=True)
    ]


def useful_depth(context: DraftContext, depth: int) -> int:
    """`depth`, or less where the answer ends before or the target's noise is not known."""
    known = noise_depth(context)
    return min(depth, context.max_depth, depth if known is None else known)
