"""What the speculators offer in a step, and the nodes of it that are verified."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.policy.asking import Outlook
from specchat.engine.policy.policy import Policy


class Wish(NamedTuple):
    """How a request wants to be drafted for."""

    greedy: bool
    most: int  # nodes
    adaptive: bool = True  # only what pays; else as many as there are


class DraftMerger(Protocol):
    """Of one step after the other; `place` is a request's among those that decode."""

    def begin(self, wishes: Sequence[Wish], prompt_rows: int) -> Outlook:
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
        """Choose the nodes to verify, where drafting took so long. Returns what those bring that
        are chosen because they pay."""
        ...

    def chosen(self) -> list[DraftTree]:
        """For each request the nodes chosen last."""
        ...

    def count(self, place: int) -> int:
        """Nodes offered for a request."""
        ...

    def learn(self, places: Sequence[int], tokens: Sequence[Sequence[int]]) -> None:
        """Take in what the target chose behind the roots of the requests at `places`."""
        ...


class BestTrees:
    """Where the library is missing: of each request the tree that promises most by what its drafter
    says of it, as far as that came true before, and of all these the nodes that bring more than the
    others in the time that a row takes."""

    def __init__(self, policy: Policy, vocab_size: int) -> None:
        self._policy, self._vocab_size = policy, vocab_size
        self._wishes: Sequence[Wish] = ()
        self._prompt_rows = 0
        self._trees: list[DraftTree] = []
        self._kept: list[list[int]] = []
        self._offered: list[Offer] = []
        self._trust: defaultdict[str, Trust] = defaultdict(Trust)  # by drafter

    def begin(self, wishes: Sequence[Wish], prompt_rows: int) -> Outlook:
        self._wishes, self._prompt_rows = wishes, prompt_rows
        self._trees = [DraftTree() for _ in wishes]
        self._offered = []
        return self.choose(0.0)

    def add(
        self, drafter: str, places: Sequence[int], trees: Sequence[DraftTree], depths: Sequence[int]
    ) -> None:
        for tree in trees:
            tree.check(self._vocab_size)
        for place, tree, depth in zip(places, trees, depths, strict=True):
            useful = tree.shallow(depth) if tree.max_depth > depth else tree
            self._offered.append(Offer(drafter, place, useful))
            useful = self._trust[drafter].applied_to(useful)
            if sum(path_chances(useful)) > sum(path_chances(self._trees[place])):
                self._trees[place] = useful

    def choose(self, draft_ms: float) -> Outlook:
        requests, nodes = len(self._wishes), sum(map(len, self._trees))
        prices = self._policy.prices(requests, self._prompt_rows, draft_ms, nodes)
        row_ms = prices.node_ms + (prices.step_ms[nodes] - prices.step_ms[0]) / max(1, nodes)
        tokens, ms = float(requests), prices.fixed_ms
        self._kept = [[] for _ in self._wishes]
        for negative, place, node in sorted(
            (-chance, place, node)
            for place, tree in enumerate(self._trees)
            for node, chance in enumerate(path_chances(tree))
        ):
            wish, kept = self._wishes[place], self._kept[place]
            if len(kept) == wish.most:
                continue
            if wish.adaptive:
                if -negative * ms <= (tokens + self._prompt_rows) * row_ms:
                    continue
                tokens, ms = tokens - negative, ms + row_ms
            kept.append(node)
        return Outlook(requests, tokens, self._prompt_rows, ms)

    def chosen(self) -> list[DraftTree]:
        pairs = zip(self._trees, self._kept, strict=True)
        return [tree.select(kept) for tree, kept in pairs]

    def count(self, place: int) -> int:
        return len(self._trees[place])

    def learn(self, places: Sequence[int], tokens: Sequence[Sequence[int]]) -> None:
        chosen = dict(zip(places, tokens, strict=True))
        for drafter, place, tree in self._offered:
            self._trust[drafter].observe(tree, chosen.get(place, ()))


class Offer(NamedTuple):
    """A drafter's tree for the request at `place`."""

    drafter: str
    place: int
    tree: DraftTree


@dataclass(slots=True)
class Trust:
    """How much of what a drafter says of its nodes comes true."""

    said: float = 1.0  # exponential averages, over the nodes that the target came to
    true: float = 1.0

    RATE = 0.1

    def applied_to(self, tree: DraftTree) -> DraftTree:
        """The tree with the chances that its nodes have."""
        share = self.true / self.said
        return replace(tree, confidence=[min(1.0, share * said) for said in tree.confidence])

    def observe(self, tree: DraftTree, tokens: Sequence[int]) -> None:
        """Take in what the target chose behind the root, verified or not."""
        node = ROOT
        for token in tokens:
            children = tree.children(node)
            said = sum(tree.confidence[child] for child in children)
            if not said:
                return
            right = [child for child in children if tree.tokens[child] == token]
            self.said += self.RATE * (said - self.said)
            self.true += self.RATE * (len(right) - self.true)
            if not right:
                return
            node = right[0]


def path_chances(tree: DraftTree) -> list[float]:
    """Of each node: that it and all before it are accepted, as its drafter says."""
    chances: list[float] = []
    for parent, confidence in zip(tree.parents, tree.confidence, strict=True):
        chances.append(confidence if parent == ROOT else confidence * chances[parent])
    return chances
