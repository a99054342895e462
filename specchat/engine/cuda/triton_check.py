"""Whether the Triton kernels work on a card, found out by running them: each is also compiled here,
not in the middle of somebody's answer."""

from __future__ import annotations

import torch

from specchat.engine.cuda.step_tables import Geometry, StepTables, TableSize
from specchat.engine.hardware import on_card


def unusable(
    geometry: Geometry, head_dim: int, dtype: torch.dtype, device: torch.device
) -> str | None:
    """Why paged attention of this shape cannot run on `device`; None when it can."""
    try:
        from specchat.engine.cuda import kernels

        size = TableSize.plan(1, 1, 1, geometry)
        tables = StepTables.empty(size, geometry, device)
        cache = torch.zeros(
            geometry.page_size, geometry.kv_heads, head_dim, dtype=dtype, device=device
        )
        query = torch.zeros(geometry.heads, 1, head_dim, dtype=dtype, device=device)
        row = torch.zeros(geometry.kv_heads, 1, head_dim, dtype=dtype, device=device)
        with torch.inference_mode(), on_card(device):
            kernels.write_rows(cache, cache, row, row, tables["slots"])
            kernels.attend(query, cache, cache, tables, scale=1.0)
            number = torch.zeros(1, dtype=torch.int64, device=device)
            kernels.sample(query[0], number, number, torch.ones(1, device=device))
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    except Exception as error:  # no Triton, no C compiler, a card that is too old, ...
        return f"{type(error).__name__}: {error}"
    return None
