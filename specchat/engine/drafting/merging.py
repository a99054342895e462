"""What the speculators offer in a step: merged into one trie for each request, of which the nodes
that pay are chosen, and from which the calibration learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from specchat.engine.drafting.draft_tree import DraftTree, merge
from specchat.engine.policy.node_choice import Outlook
from specchat.engine.policy.policy import Policy


class DraftMerger(Protocol):
    """Of one step after the other; `place` is a request's among those that decode."""

    def begin(self, greedy: Sequence[bool], prompt_rows: int) -> Outlook:
        """A step of as many requests and so many rows of prompts. Returns what plain decoding
        brings."""
        ...

    def add(
        self, drafter: str, places: Sequence[int], trees: Sequence[DraftTree], depths: Sequence[int]
    ) -> None:
        """What a drafter offers for the requests at `places`, of each what is no deeper than is of
        use; an empty tree says something too.

        Raises:
            ValueError: a token is not of the vocabulary. Nothing was added.
        """
        ...

    def choose(self, draft_ms: float) -> Outlook:
        """Choose the nodes to verify, where drafting took so long."""
        ...

    def chosen(self) -> list[DraftTree]:
        """For each request the nodes chosen last."""
        ...

    def count(self, place: int) -> int:
        """Nodes offered for a request."""
        ...

    def whole(self, place: int) -> DraftTree:
        """All that is offered for a request, with the drafters' opinions."""
        ...

    def learn(self, places: Sequence[int], tokens: Sequence[Sequence[int]]) -> None:
        """Take in what the target chose behind the roots of the requests at `places`."""
        ...


class TreeMerger:
    """In Python: where the library is missing, and where drafts are drawn at random, which only the
    rejection rule wants."""

    def __init__(self, policy: Policy, vocab_size: int) -> None:
        self._policy, self._vocab_size = policy, vocab_size
        self._greedy: Sequence[bool] = ()
        self._prompt_rows = 0
        self._wholes: list[DraftTree] = []
        self._chosen: list[DraftTree] = []
        self._asked: list[set[str]] = []

    def begin(self, greedy: Sequence[bool], prompt_rows: int) -> Outlook:
        self._greedy, self._prompt_rows = greedy, prompt_rows
        self._wholes = [DraftTree() for _ in greedy]
        self._asked = [set() for _ in greedy]
        return self.choose(0.0)

    def add(
        self, drafter: str, places: Sequence[int], trees: Sequence[DraftTree], depths: Sequence[int]
    ) -> None:
        for tree in trees:
            tree.check(self._vocab_size)
        # Draws stay, chosen drafts that do not pay need no place beside them.
        pairs = zip(self._wholes, self._chosen, strict=True)
        base = [whole if whole.draws else chosen for whole, chosen in pairs]
        rows = self._prompt_rows + sum(map(len, base))
        for place, tree, depth in zip(places, trees, depths, strict=True):
            whole, asked = self._wholes[place], self._asked[place]
            asked.add(drafter)
            if tree.max_depth > depth:
                tree = tree.shallow(depth)
            if tree.draws:
                whole, tree = base[place], self._cut(tree, rows)
            self._wholes[place] = merge([whole, tree], asked) if len(asked) > 1 else tree

    def choose(self, draft_ms: float) -> Outlook:
        choice = self._policy.choose(self._wholes, self._greedy, self._prompt_rows, draft_ms)
        self._chosen = choice.trees
        return choice.outlook

    def chosen(self) -> list[DraftTree]:
        return [
            # The policy looked at tokens: what is left of draws was decided before, in `_cut`.
            whole.first(self._policy.max_nodes) if whole.draws else chosen
            for whole, chosen in zip(self._wholes, self._chosen, strict=True)
        ]

    def count(self, place: int) -> int:
        return len(self._wholes[place])

    def whole(self, place: int) -> DraftTree:
        return self._wholes[place]

    def learn(self, places: Sequence[int], tokens: Sequence[Sequence[int]]) -> None:
        calibration = self._policy.calibration
        for place, own in zip(places, tokens, strict=True):
            calibration.observe(self._wholes[place], own, self._greedy[place])

    def _cut(self, drawn: DraftTree, rows: int) -> DraftTree:
        """As much of a drawn tree as pays in a step that has so many rows besides each root. Its
        confidence and its shape are the same whatever was drawn, so this is not decided by the
        tokens."""
        requests = len(self._wholes)
        alone = [drawn, *(DraftTree() for _ in range(requests - 1))]
        choice = self._policy.choose(alone, [False] * requests, rows, 0.0)
        return drawn.part(choice.nodes[0])
