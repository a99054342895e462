"""Draft trees as the native library writes and reads them: no Python object for each node."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple, overload

from specchat.engine.drafting.draft_tree import DraftTree

_pack = struct.Struct("9q").pack


class Column(NamedTuple):
    """Numbers of all trees; those of each begin `step` behind those of the one before."""

    numbers: array[Any]
    start: int
    step: int

    @property
    def address(self) -> int:
        return self.numbers.buffer_info()[0] + self.start * self.numbers.itemsize


class PackedTrees(Sequence[DraftTree]):
    """One speculator's trees for some requests; each is made only when somebody looks at it.

    `counts` has one number for each tree, of `nodes_each` nodes; `tokens` and `parents` are int64,
    `chances` float32.
    """

    __slots__ = ("_chances", "_counts", "_length", "_nodes_each", "_parents", "_source", "_tokens")

    def __init__(
        self,
        source: str,
        length: int,
        counts: Column,
        tokens: Column,
        parents: Column,
        chances: Column,
        nodes_each: int = 1,
    ) -> None:
        self._source, self._length, self._nodes_each = source, length, nodes_each
        self._counts, self._tokens, self._parents = counts, tokens, parents
        self._chances = chances

    @classmethod
    def of(cls, source: str, trees: Sequence[DraftTree]) -> PackedTrees:
        """What is in these trees."""
        width = max(map(len, trees), default=0)
        tokens: array[int] = array("q")
        parents: array[int] = array("q")
        chances: array[float] = array("f")
        for tree in trees:
            room = [0] * (width - len(tree))
            tokens.extend(tree.tokens + room)
            parents.extend(tree.parents + room)
            chances.extend(tree.confidence + [0.0] * len(room))
        return cls(
            source,
            len(trees),
            Column(array("q", map(len, trees)), 0, 1),
            Column(tokens, 0, width),
            Column(parents, 0, width),
            Column(chances, 0, width),
        )

    def packed(self) -> bytes:
        """`Drafts` of `cpp/offers.h`; valid while this object lives."""
        columns = (self._counts, self._tokens, self._parents, self._chances)
        return _pack(*[c.address for c in columns], *[c.step for c in columns], self._nodes_each)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, place: int) -> DraftTree: ...
    @overload
    def __getitem__(self, place: slice) -> list[DraftTree]: ...
    def __getitem__(self, place: int | slice) -> DraftTree | list[DraftTree]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(self._length))]
        if not -self._length <= place < self._length:
            raise IndexError(f"there are {self._length} trees, got {place}")
        place %= self._length
        counts = self._counts
        count = counts.numbers[counts.start + place * counts.step] * self._nodes_each
        tokens, parents, chances = [
            column.numbers[first : first + count].tolist()
            for column in (self._tokens, self._parents, self._chances)
            for first in (column.start + place * column.step,)
        ]
        return DraftTree.of_one(tokens, parents, self._source, chances)
