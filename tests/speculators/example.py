"""A speculator of one's own: what usually follows a token, learned from earlier answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.drafting.speculator import DraftContext, Speculator


class BigramSpeculator(Speculator):
    """Drafts the token that followed the latest one last, and so on."""

    name = "bigram"

    def __init__(self, length: int = 4) -> None:
        self._length = length
        self._next: dict[str, dict[int, int]] = {}  # by the tenant's salt: token after token

    def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
        return [self._draft(context) for context in batch]

    def learn(
        self, answers: Iterable[Sequence[int]], salt: str = "", *, fresh: bool = False
    ) -> None:
        known = {} if fresh else self._next.get(salt, {})
        self._next[salt] = known | dict(pair for answer in answers for pair in pairwise(answer))

    def _draft(self, context: DraftContext) -> DraftTree:
        known, token = self._next.get(context.salt, {}), context.tokens[-1]
        tree, node = DraftTree(), ROOT
        while token in known and len(tree) < min(self._length, context.max_depth):
            token = known[token]
            node = tree.add(token, node, self.name, confidence=0.7)
        return tree
