"""Draft trees: nodes, their parents, which drafter said what, and ancestor masks.

A tree's nodes are stored parents first. Node `i` continues node `parents[i]`; `ROOT` (-1) is the
last committed token of the request, whose key and value are not in the cache yet. Verification
computes the root and all nodes in one pass, so node `i` is row `i + 1` of its request's rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

ROOT = -1


@dataclass(slots=True)
class DraftTree:
    """Candidate continuations of one request, as a trie: siblings carry different tokens.

    `confidence[i]` is the drafter's own probability, in [0, 1], that the target picks node `i`
    given that it picked the node's parent. It orders candidates; it never changes the answer.
    """

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)  # 1 for children of the root
    sources: list[str] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def chain(
        cls, tokens: Sequence[int], source: str, confidence: Sequence[float] | None = None
    ) -> DraftTree:
        """One candidate: each token continues the one before."""
        tree = cls()
        parent = ROOT
        for i, token in enumerate(tokens):
            parent = tree.add(token, parent, source, 1.0 if confidence is None else confidence[i])
        return tree

    @classmethod
    def of_one(
        cls,
        tokens: list[int],
        parents: list[int],
        source: str,
        confidence: list[float],
    ) -> DraftTree:
        """Nodes of one drafter, parents first. Takes the lists over; checks nothing."""
        depths: list[int] = []
        for parent in parents:
            depths.append(1 if parent == ROOT else depths[parent] + 1)
        return cls(tokens, parents, depths, [source] * len(tokens), confidence)

    def add(self, token: int, parent: int, source: str, confidence: float = 1.0) -> int:
        """Append a node and return its index. Does not look for an equal sibling."""
        if not ROOT <= parent < len(self.tokens):
            raise ValueError(f"parent must be from -1 to {len(self.tokens) - 1}, got {parent}")
        if not confidence >= 0.0:  # also catches nan, which comparisons would let through
            raise ValueError(f"confidence must be from 0 to 1, got {confidence}")
        self.tokens.append(int(token))
        self.parents.append(parent)
        self.depths.append(1 if parent == ROOT else self.depths[parent] + 1)
        self.sources.append(source)
        self.confidence.append(float(confidence))
        return len(self.tokens) - 1

    def check(self, vocab_size: int) -> None:
        """Make sure that a target of that vocabulary can read every token.

        Raises:
            ValueError: a token is not from 0 to `vocab_size - 1`.
        """
        tokens = self.tokens
        if tokens and not 0 <= min(tokens) <= max(tokens) < vocab_size:
            wrong = next(token for token in tokens if not 0 <= token < vocab_size)
            raise ValueError(f"draft tokens must be from 0 to {vocab_size - 1}, got {wrong}")

    def children(self, node: int) -> list[int]:
        """Indices of the nodes that continue `node` (or the root, -1)."""
        return [i for i, parent in enumerate(self.parents) if parent == node]

    @property
    def max_depth(self) -> int:
        """Length of the longest candidate; 0 for the empty tree."""
        return max(self.depths) if self.depths else 0

    @property
    def is_chain(self) -> bool:
        """True when every node continues the one stored before it."""
        return not self.depths or self.depths[-1] == len(self.depths)

    def first(self, count: int) -> DraftTree:
        """The first `count` nodes."""
        return DraftTree(
            self.tokens[:count],
            self.parents[:count],
            self.depths[:count],
            self.sources[:count],
            self.confidence[:count],
        )

    def shallow(self, depth: int) -> DraftTree:
        """The nodes down to `depth`."""
        return self.select([node for node, own in enumerate(self.depths) if own <= depth])

    def select(self, nodes: Iterable[int]) -> DraftTree:
        """The sub-tree of `nodes`, which must contain the parent of each of its nodes."""
        kept = sorted(nodes)
        if kept and kept[-1] == len(kept) - 1:
            return self.first(len(kept))
        index = {ROOT: ROOT}
        for place, i in enumerate(kept):
            if self.parents[i] not in index:
                raise ValueError(f"node {i} is selected without its parent {self.parents[i]}")
            index[i] = place
        return DraftTree(
            [self.tokens[i] for i in kept],
            [index[self.parents[i]] for i in kept],
            [self.depths[i] for i in kept],
            [self.sources[i] for i in kept],
            [self.confidence[i] for i in kept],
        )

    def ancestor_bits(self, rows: int = 0) -> list[int]:
        """One int64 mask per row (root first): bit j is set when the row attends to row j.

        Row 0 is the root; row i + 1 is node i. Every row attends to itself; those behind the tree,
        up to `rows`, to nothing else.
        """
        masks = [1]
        for i, parent in enumerate(self.parents):
            masks.append(masks[parent + 1] | (1 << (i + 1)))
        masks += [1 << row for row in range(len(masks), rows)]
        return [m - (1 << 64) if m >= 1 << 63 else m for m in masks]
