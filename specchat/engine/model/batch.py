"""One packed step: the rows of all requests side by side, `[1, rows]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.kv.page_pool import PageTable, cache_rows
from specchat.engine.model.segment import Segment


class Rows(NamedTuple):
    """What one request adds to a step. `table` must have room for the rows."""

    table: PageTable
    tokens: Sequence[int]
    positions: Sequence[int]
    ancestors: list[int] | None  # int64 masks; None is causal
    wanted: Sequence[int]  # rows, counted inside this request, whose logits are needed

    @classmethod
    def chunk(cls, table: PageTable, tokens: Sequence[int], *, last: bool) -> Rows:
        """A run of known tokens; `last` asks for the logits after the final one."""
        start = table.length
        positions = range(start, start + len(tokens))
        return cls(table, tokens, positions, None, (len(tokens) - 1,) if last else ())

    @classmethod
    def tree(cls, table: PageTable, root: int, tree: DraftTree, rows: int = 0) -> Rows:
        """A request's last token with the draft tree that hangs on it; all logits are needed.

        A tree that is too small for `rows` rows gets more of them, which no other row attends to:
        whatever is drafted, the step then has the same shape.
        """
        start = table.length
        if not (rows or tree.tokens):
            return cls(table, (root,), (start,), None, (0,))
        tokens = [root, *tree.tokens]
        positions = [start, *[start + depth for depth in tree.depths]]
        if not rows:
            ancestors = None if tree.is_chain else tree.ancestor_bits()
            return cls(table, tokens, positions, ancestors, range(len(tokens)))
        extra = max(0, rows - len(tokens))
        tokens += [root] * extra
        positions += [start] * extra
        return cls(table, tokens, positions, tree.ancestor_bits(rows), range(len(tokens)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of one step."""

    input_ids: torch.Tensor  # [rows]
    positions: torch.Tensor  # [rows]
    slots: torch.Tensor  # [rows] cache rows that are written
    wanted: torch.Tensor  # [w] rows whose logits and hidden states are needed
    segments: list[Segment]

    @property
    def rows(self) -> int:
        """Rows without padding."""
        return len(self.input_ids)


class Layout(NamedTuple):
    """The rows of several requests side by side, on the host."""

    ids: list[int]
    positions: list[int]
    wanted: list[int]
    segments: list[Segment]
    page_size: int

    def slots(self) -> list[int]:
        """The cache row that each row is written to."""
        rows: list[int] = []
        for segment in self.segments:
            rows += cache_rows(segment.pages, self.page_size, segment.context, segment.count)
        return rows


def lay_out(parts: Sequence[Rows]) -> Layout:
    """Put the rows of several requests side by side."""
    ids: list[int] = []
    positions: list[int] = []
    wanted: list[int] = []
    segments = []
    for table, tokens, places, ancestors, own in parts:
        start = len(ids)
        ids += tokens
        positions += places
        wanted += [start + row for row in own]
        segments.append(Segment(start, len(tokens), table.length, table.pages, ancestors, places))
    return Layout(ids, positions, wanted, segments, parts[0].table.pool.page_size if parts else 1)


def to_batch(layout: Layout, device: torch.device) -> Batch:
    """The tensors of a step on `device`, in one copy."""
    rows, wanted = len(layout.ids), len(layout.wanted)
    numbers = [*layout.ids, *layout.positions, *layout.slots(), *layout.wanted]
    together = torch.tensor(numbers, dtype=torch.int64).to(device)
    tensors = together.split((rows, rows, rows, wanted))
    return Batch(tensors[0], tensors[1], tensors[2], tensors[3], layout.segments)


def pack(parts: Sequence[Rows], device: torch.device) -> Batch:
    """Lay the rows of several requests side by side."""
    return to_batch(lay_out(parts), device)
