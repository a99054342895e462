"""The blocks that attention goes by are those that work on the GPU at hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from specchat.engine.cuda import kernels
from specchat.engine.cuda.step_tables import BLOCKS, Geometry, TableSize, largest_block
from specchat.engine.cuda.triton_check import tried, usable

CPU = torch.device("cpu")
GEOMETRY = Geometry(4, 2, 4, 2)


def test_a_cpu_uses_no_kernels() -> None:
    assert usable(4, 2, 16, torch.float32, page_size=4, device=CPU) is None


def test_every_block_is_tried() -> None:
    found = tried(GEOMETRY, 16, torch.float32, CPU)
    assert found is not None
    assert found.largest_block == 128


@pytest.mark.parametrize("too_large", BLOCKS)
def test_a_block_that_does_not_work_costs_itself_and_larger_ones(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, too_large: int
) -> None:
    attend = kernels.attend

    def limited(query: Any, keys: Any, values: Any, tables: Any, **options: Any) -> Any:
        if tables.size.block >= too_large:
            raise RuntimeError("out of resource: shared memory, Required: 115712")
        return attend(query, keys, values, tables, **options)

    monkeypatch.setattr(kernels, "attend", limited)
    found = tried(GEOMETRY, 16, torch.float32, CPU)
    smaller = [block for block in BLOCKS if block < too_large]
    assert (found.largest_block if found else None) == (smaller[-1] if smaller else None)
    assert "out of resource" in caplog.text


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("rows", [1, 8, 32, 255, 256, 640])
def test_no_step_asks_for_a_larger_block(rows: int, block: int) -> None:
    geometry = Geometry(32, 8, 16, 100, largest_block=block)
    size = TableSize.plan(rows, rows, rows, geometry)
    assert size.block in BLOCKS
    assert size.block <= block
    assert size.blocks * size.block >= rows * geometry.group


def test_wider_heads_and_types_go_by_fewer_rows() -> None:
    half = [largest_block(dim, torch.bfloat16) for dim in (64, 128, 256, 512)]
    full = [largest_block(dim, torch.float32) for dim in (64, 128, 256, 512)]
    assert (half, full) == ([128, 128, 128, 32], [128, 64, 32, 16])
