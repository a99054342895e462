"""What the sections of `specchat bench gpu` share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch

Report = dict[str, Any]


class OutOfTimeError(Exception):
    """The command's time is up; what was measured so far is in the report."""


@dataclass(slots=True)
class GpuBench:
    """Where is measured, how much, and until when."""

    device: torch.device
    dtype: torch.dtype
    tiny: bool  # smallest sizes, to try every section anywhere
    deadline: float  # time.monotonic()
    say: Callable[[str], None]
    save: Callable[[], None] = lambda: None  # writes what was measured so far
    copy_gb_s: float | None = None  # bytes read and written, measured
    targets: list[Report] = field(default_factory=list)

    def keep(self, rows: list[Report], measured: Iterable[Report]) -> None:
        """Add each figure to the report when it is there: what comes after it may fail."""
        for row in measured:
            rows.append(row)
            self.save()

    @property
    def processors(self) -> int:
        """Multiprocessors of the card."""
        if self.device.type != "cuda":
            return 8
        return torch.cuda.get_device_properties(self.device).multi_processor_count

    @property
    def cache_bytes(self) -> int:
        """What the card's own cache holds."""
        if self.device.type != "cuda":
            return 0
        return torch.cuda.get_device_properties(self.device).L2_cache_size

    def left_s(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def need(self, seconds: float) -> None:
        """Raises OutOfTimeError when less than `seconds` are left."""
        if self.left_s() < seconds:
            raise OutOfTimeError(f"{self.left_s():.0f} s left, {seconds:.0f} s needed")

    def target(self, name: str, value: float | None, wanted: str, met: bool) -> None:
        """Record whether a figure is what it should be. Tiny runs and CPUs prove nothing."""
        if not self.tiny and self.device.type == "cuda":
            self.targets.append({"name": name, "value": value, "wanted": wanted, "met": met})
