"""Time on a device, launches left out where they can be."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from specchat.engine.cuda.recording import record


def device_ms(work: Callable[[], Any], device: torch.device, runs: int) -> float:
    """Median milliseconds of `work` on the device; on a card replayed as a CUDA graph, so that
    what the host does between launches is not in it."""
    with torch.inference_mode():
        if device.type == "cuda":
            return launched_ms(record(work).replay, runs)
        work()
        return wall_ms(work, device, runs)


def wall_ms(work: Callable[[], Any], device: torch.device, runs: int) -> float:
    """Median milliseconds until `work` is done, the host's part included."""
    times = []
    for _ in range(runs):
        wait(device)
        start = time.perf_counter()
        work()
        wait(device)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def wait(device: torch.device) -> None:
    """Until the device has nothing left to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


LONG_MS = 2.0


def launched_ms(work: Callable[[], Any], runs: int) -> float:
    """Median milliseconds of `work` on a card, as it is launched. What is short is done several
    times between the events: the card waits for the first launch only."""
    work()
    together = max(1, min(50, math.ceil(LONG_MS / _between_ms(work, 1))))
    return statistics.median(_between_ms(work, together) for _ in range(runs))


def _between_ms(work: Callable[[], Any], times: int) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(times):
        work()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / times
