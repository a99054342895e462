"""Whether the Triton kernels work on a GPU, found out by running them: each is also compiled here,
not in the middle of somebody's answer."""

from __future__ import annotations

import logging
from dataclasses import replace

import torch

from specchat.engine.cuda.step_tables import BLOCKS, Geometry, StepTables, TableSize, largest_block
from specchat.engine.hardware import on_cuda_device

log = logging.getLogger(__name__)


def usable(
    heads: int,
    kv_heads: int,
    head_dim: int,
    dtype: torch.dtype,
    *,
    page_size: int,
    device: torch.device,
) -> Geometry | None:
    """How attention of this shape is laid out on `device`, with the largest block that works
    there; None where no kernel does, and on a CPU."""
    if device.type != "cuda":
        return None
    processors = torch.cuda.get_device_properties(device).multi_processor_count
    return tried(Geometry(heads, kv_heads, page_size, processors), head_dim, dtype, device)


def tried(
    geometry: Geometry, head_dim: int, dtype: torch.dtype, device: torch.device
) -> Geometry | None:
    """`geometry` with the largest block that works; None where none does."""
    found = None
    for block in BLOCKS:
        if block > largest_block(head_dim, dtype):
            break
        larger = replace(geometry, largest_block=block)
        try:
            _run(larger, block, head_dim, dtype, device)
        except Exception as error:  # no Triton, no C compiler, a GPU that is too old or small, ...
            reason = f"{type(error).__name__}: {error}"
            if found is None:
                log.warning("the Triton kernels are not used, attention is slow: %s", reason)
            else:
                log.warning("attention goes by %d rows at most: %s", found.largest_block, reason)
            break
        found = larger
    return found


def _run(
    geometry: Geometry, block: int, head_dim: int, dtype: torch.dtype, device: torch.device
) -> None:
    """Run the kernels of a step whose attention goes by `block` rows."""
    from specchat.engine.cuda import kernels

    size = replace(TableSize.plan(1, 1, 1, geometry), block=block)
    tables = StepTables.empty(size, geometry, device)
    cache = torch.zeros(geometry.page_size, geometry.kv_heads, head_dim, dtype=dtype, device=device)
    query = torch.zeros(geometry.heads, 1, head_dim, dtype=dtype, device=device)
    row = torch.zeros(geometry.kv_heads, 1, head_dim, dtype=dtype, device=device)
    with torch.inference_mode(), on_cuda_device(device):
        kernels.write_rows(cache, cache, row, row, tables["slots"])
        kernels.attend(query, cache, cache, tables, scale=1.0)
        number = torch.zeros(1, dtype=torch.int64, device=device)
        kernels.sample(query[0], number, number, torch.ones(1, device=device))
    if device.type == "cuda":
        torch.cuda.synchronize(device)
