"""Where a measurement was taken: machine, libraries, model and code."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import torch

from specchat.version import VERSION, commit, library_version

if TYPE_CHECKING:
    from specchat.engine.engine import Engine


@dataclass(frozen=True, slots=True)
class Environment:
    """What a reader needs to take the same measurement again."""

    hardware: str  # "AMD EPYC 9R14, 2 threads"
    threads: int  # CPU threads of one operation
    torch: str
    transformers: str
    python: str
    platform: str
    version: str  # of specchat
    commit: str  # of the checkout, "" outside one
    model: str
    parameters: int
    dtype: str
    device: str
    speculators: tuple[str, ...]
    backend: str  # "eager", "compiled 7/7", ...
    ready: bool  # the backend was warm when this was taken
    started_at: str  # ISO 8601, UTC


def describe_environment(engine: Engine) -> Environment:
    """The environment as it is now; take it right before measuring."""
    info, snapshot = engine.info, engine.snapshot()
    return Environment(
        hardware=info.hardware,
        threads=torch.get_num_threads(),
        torch=library_version("torch"),
        transformers=library_version("transformers"),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        version=VERSION,
        commit=commit(),
        model=info.name,
        parameters=info.parameters,
        dtype=info.dtype,
        device=info.device,
        speculators=tuple(info.speculators),
        backend=snapshot.backend,
        ready=snapshot.ready,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
