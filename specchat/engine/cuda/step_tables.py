"""What the CUDA kernels read of a step: one int64 array, laid out the same on host and device.

A step that is recorded as a graph reads the same addresses every time, so each section has its
place by the largest step that the array is made for, and the array travels in one copy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from specchat.engine.model.segment import Segment

NOBODY = -1
"""The request of a padding row or block."""

KEYS_PER_SPLIT = 128
"""A part of the context is not made smaller than this."""

MAX_SPLITS = 64

BLOCKS = (16, 32, 64, 128)
"""Query rows x heads of a group that one program of the attention kernel may handle."""


def largest_block(head_dim: int, dtype: torch.dtype) -> int:
    """The largest of `BLOCKS` whose shared memory every GPU since Ampere has (99 KiB on 8.6 and
    8.9): `compile_kernels.py` of the tests has the figures."""
    if dtype.itemsize <= 2:
        return 128 if head_dim <= 256 else 32
    return 128 if head_dim <= 64 else 64 if head_dim <= 128 else 32 if head_dim <= 256 else 16


@dataclass(frozen=True, slots=True)
class Geometry:
    """What the kernels' grid follows from."""

    heads: int
    kv_heads: int
    page_size: int
    processors: int  # multiprocessors of the GPU
    largest_block: int = 128  # of query rows x heads of a group: one of `BLOCKS`

    @property
    def group(self) -> int:
        """Query heads that share one key head."""
        return self.heads // self.kv_heads


@dataclass(frozen=True, slots=True)
class TableSize:
    """For how much a table has room, and how its step is divided among the GPU's processors."""

    rows: int
    requests: int
    pages: int  # over all requests
    block: int  # query rows x heads of a group that one program handles
    blocks: int
    splits: int  # parts of a context at the most

    @classmethod
    def plan(cls, rows: int, requests: int, pages: int, geometry: Geometry) -> TableSize:
        """For any division of `rows` rows among at most `requests` requests."""
        flat = rows * geometry.group
        # A block that one request's few rows do not fill multiplies in vain; long chunks fill it.
        block = min(16 if flat <= 16 else 32 if rows < 256 else 128, geometry.largest_block)
        programs = geometry.kv_heads * math.ceil(flat / block)
        splits = min(MAX_SPLITS, max(1, math.ceil(2 * geometry.processors / programs)))
        return cls(rows, requests, pages, block, flat // block + min(requests, rows), splits)

    def holds(self, segments: Sequence[Segment], page_size: int) -> bool:
        """Whether a step fits."""
        rows = sum(segment.count for segment in segments)
        pages = sum(len(_used_pages(segment, page_size)) for segment in segments)
        return rows <= self.rows and len(segments) <= self.requests and pages <= self.pages


_ROW_SECTIONS = ("input_ids", "positions", "slots", "ancestors", "row_request")
_BLOCK_SECTIONS = ("block_request", "block_index")
_REQUEST_SECTIONS = ("start", "count", "context", "causal", "table")


class StepTables:
    """The array of one step (or of every step that a graph is recorded for) on one device."""

    def __init__(self, size: TableSize, geometry: Geometry, data: torch.Tensor) -> None:
        self.size = size
        self.geometry = geometry
        self.data = data  # [length(size)] int64
        self._sections = _layout(size)

    @classmethod
    def empty(cls, size: TableSize, geometry: Geometry, device: torch.device) -> StepTables:
        """A table of an idle step: padding only."""
        data = torch.zeros(table_length(size), dtype=torch.int64, device=device)
        tables = cls(size, geometry, data)
        tables.clear(0)
        return tables

    def clear(self, scratch_slot: int) -> None:
        """Make it the table of an idle step, whose rows are written to `scratch_slot`."""
        self.data.zero_()
        self["slots"].fill_(scratch_slot)
        self["row_request"].fill_(NOBODY)
        self["block_request"].fill_(NOBODY)
        self["split_keys"].fill_(KEYS_PER_SPLIT)

    def __getitem__(self, section: str) -> torch.Tensor:
        """A section as a view: `input_ids`, `positions`, `slots`, `ancestors`, `row_request`
        `[rows]`; `block_request`, `block_index` `[blocks]`; `start`, `count`, `context`, `causal`,
        `table` `[requests]`; `pages`; `split_keys` `[1]`."""
        return self.data[self._sections[section]]

    def to(self, device: torch.device) -> StepTables:
        """The same table elsewhere."""
        return StepTables(self.size, self.geometry, self.data.to(device, non_blocking=True))


def fill(
    size: TableSize,
    geometry: Geometry,
    ids: Sequence[int],
    slots: Sequence[int],
    segments: Sequence[Segment],
    scratch_slot: int,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """A step as an array `[n]` int64 for a table of `size`, cut behind its last page.

    `ids` and `slots` have one entry per row, segments are in row order. Written into `out` when
    one is given (of `size`'s full length).

    Raises:
        ValueError: the step has more rows, requests or pages than `size` has room for.
    """
    if not size.holds(segments, geometry.page_size):
        raise ValueError(
            f"a step of {len(segments)} requests does not fit a table for {size.rows} rows, "
            f"{size.requests} requests and {size.pages} pages"
        )
    sections = _layout(size)
    array = np.zeros(table_length(size), dtype=np.int64) if out is None else out
    pages = [page for segment in segments for page in _used_pages(segment, geometry.page_size)]
    end = sections["pages"].start + len(pages)
    array[:end] = 0

    def put(section: str, values: Sequence[int], pad: int = 0) -> None:
        where = sections[section]
        array[where.start : where.start + len(values)] = values
        if pad:
            array[where.start + len(values) : where.stop] = pad

    put("input_ids", ids)
    put("slots", slots, scratch_slot)
    positions: list[int] = []
    ancestors: list[int] = []
    row_request: list[int] = []
    block_request: list[int] = []
    block_index: list[int] = []
    tables: list[int] = []
    table = 0
    for request, segment in enumerate(segments):
        positions += segment.positions
        ancestors += segment.ancestors or [0] * segment.count
        row_request += [request] * segment.count
        blocks = math.ceil(segment.count * geometry.group / size.block)
        block_request += [request] * blocks
        block_index += range(blocks)
        tables.append(table)
        table += len(_used_pages(segment, geometry.page_size))
    put("positions", positions)
    put("ancestors", ancestors)
    put("row_request", row_request, NOBODY)
    put("block_request", block_request, NOBODY)
    put("block_index", block_index)
    put("start", [segment.start for segment in segments])
    put("count", [segment.count for segment in segments])
    put("context", [segment.context for segment in segments])
    put("causal", [int(segment.ancestors is None) for segment in segments])
    put("table", tables)
    put("pages", pages)
    array[0] = _split_keys(size, geometry, len(block_request), segments)
    return array[:end]


def build(
    segments: Sequence[Segment], rows: int, geometry: Geometry, device: torch.device
) -> StepTables:
    """A table made to measure for one step of `rows` rows that is not recorded. It serves
    attention only: its `input_ids` and `slots` are not set."""
    pages = sum(len(_used_pages(segment, geometry.page_size)) for segment in segments)
    size = TableSize.plan(rows, max(1, len(segments)), max(1, pages), geometry)
    array = np.zeros(table_length(size), dtype=np.int64)
    fill(size, geometry, [], [], segments, 0, array)
    return StepTables(size, geometry, torch.from_numpy(array).to(device, non_blocking=True))


def _split_keys(
    size: TableSize, geometry: Geometry, blocks: int, segments: Sequence[Segment]
) -> int:
    """Keys of one part of a context: as few parts as keep the GPU's processors busy."""
    longest = max((segment.context + segment.count for segment in segments), default=1)
    useful = math.ceil(2 * geometry.processors / max(1, blocks * geometry.kv_heads))
    parts = max(1, min(size.splits, useful))
    keys = max(KEYS_PER_SPLIT, math.ceil(longest / parts))
    return math.ceil(keys / KEYS_PER_SPLIT) * KEYS_PER_SPLIT


def _used_pages(segment: Segment, page_size: int) -> list[int]:
    rows = segment.context + segment.count
    return segment.pages[: math.ceil(rows / page_size)]


def _layout(size: TableSize) -> dict[str, slice]:
    sections = {"split_keys": slice(0, 1)}
    at = 2
    lengths = [
        *((name, size.rows) for name in _ROW_SECTIONS),
        *((name, size.blocks) for name in _BLOCK_SECTIONS),
        *((name, size.requests) for name in _REQUEST_SECTIONS),
        ("pages", size.pages),
    ]
    for name, length in lengths:
        sections[name] = slice(at, at + length)
        at += length + length % 2  # 16 bytes apart: one compiled kernel for every table
    return sections


def table_length(size: TableSize) -> int:
    """Numbers of a table's array."""
    last = _layout(size)["pages"].stop
    return last + last % 2
