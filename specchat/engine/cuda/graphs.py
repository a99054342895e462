"""CUDA graphs: a step's hundreds of launches replayed as one.

A graph is recorded once per number of rows, on tensors that stay where they are. A step is padded
to the next number that was recorded: padding rows belong to no request and write to the scratch
page. How the rows are divided among requests is read from the step's tables, so one graph serves
every division, draft trees and prefill chunks included.
"""

from __future__ import annotations

import bisect
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from specchat.engine.cuda.recording import Recorder, Recording, record
from specchat.engine.cuda.step_tables import StepTables, TableSize, fill, table_length
from specchat.engine.hardware import on_cuda_device
from specchat.engine.model import attention
from specchat.engine.model.step_output import StepOutput
from specchat.engine.options import MAX_NODES
from specchat.engine.sampling.sampler import largest

if TYPE_CHECKING:
    from specchat.engine.model.batch import Layout
    from specchat.engine.model.eager import EagerModel

log = logging.getLogger(__name__)

GRAPH_ROWS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 640)
"""Rows of the recorded steps."""

MAX_TABLE_PAGES = 1 << 20
"""Pages that all requests of a recorded step may hold together, counted once per request."""

TIMING_RUNS = 3


class StepGraphs:
    """The job that records the model's steps, and the steps once they are recorded."""

    name = "CUDA graphs of the steps"

    def __init__(
        self, model: EagerModel, rows: Sequence[int] = GRAPH_ROWS, recorder: Recorder = record
    ) -> None:
        self._model = model
        self._sizes = sorted(rows)
        self._recorder = recorder
        self._steps: dict[int, _RecordedStep] = {}
        self._rows: list[int] = []
        self._buffers: _Buffers | None = None
        self.reason: str | None = None  # why there are none, or no more
        self.bytes = 0  # memory of the GPU that they took

    @property
    def ready(self) -> bool:
        """True once some steps are recorded."""
        return bool(self._rows)

    def wanted(self) -> bool:
        """Whether to try: all layers on one GPU, and kernels that read tables."""
        return self._model.geometry is not None and len(self._model.cache.devices) == 1

    def compile(self) -> None:
        """Record every size, largest first so that the smaller ones find working memory, and time
        them. A size that cannot be recorded is left out."""
        before = _used_bytes(self._model.device)
        with torch.inference_mode(), on_cuda_device(self._model.device):
            sizes = {rows: self._plan(rows) for rows in self._sizes}
            self._buffers = _Buffers(max(map(table_length, sizes.values())), self._model.device)
            for rows in reversed(self._sizes):
                try:
                    self._steps[rows] = self._record(sizes[rows])
                except Exception as error:  # a model that waits for the GPU in its forward pass
                    self.reason = f"a step of {rows} rows: {type(error).__name__}: {error}"
                    log.warning("no CUDA graph for %s", self.reason)
        self._rows = sorted(self._steps)
        self.bytes = _used_bytes(self._model.device) - before

    def bucket(self, rows: int) -> int | None:
        """The smallest recorded size that holds `rows` rows."""
        at = bisect.bisect_left(self._rows, rows)
        return self._rows[at] if at < len(self._rows) else None

    def prior_ms(self, rows: int) -> float | None:
        """Time of a recorded size's idle step when it was recorded."""
        step = self._steps.get(rows)
        return None if step is None else step.idle_ms

    def run(
        self, layout: Layout, meanwhile: Callable[[], None] = lambda: None
    ) -> StepOutput | None:
        """Replay a step, with `meanwhile` called while the GPU computes; None (and no call) when
        no recorded size holds it."""
        bucket = self.bucket(len(layout.ids))
        if bucket is None or self._buffers is None:
            return None
        step = self._steps[bucket]
        if not step.size.holds(layout.segments, self._model.cache.page_size):
            return None
        self._buffers.send(step, layout, self._model.cache.scratch_slot)
        step.recording.replay()
        meanwhile()
        logits, hidden, aux, best = step.recording.output
        rows = len(layout.ids)
        aux = None if aux is None else aux[:rows].clone()
        if not layout.wanted:  # nothing to wait for
            return StepOutput(logits[:0], hidden[:0], aux)
        hidden = hidden[:rows].clone()
        found = best[:rows].tolist()  # the step's one wait for the GPU, and its one small copy
        if len(layout.wanted) == rows:
            return StepOutput(logits[:rows], hidden, aux, found)
        wanted = torch.tensor(layout.wanted, dtype=torch.int64).to(logits.device)
        found = [found[row] for row in layout.wanted]
        return StepOutput(logits[wanted], hidden[wanted], aux, found)

    def _plan(self, rows: int) -> TableSize:
        model = self._model
        assert model.geometry is not None
        longest = model.shape.context_length + MAX_NODES + 1
        each = min(model.pages, math.ceil(longest / model.cache.page_size))
        return TableSize.plan(rows, rows, min(rows * each, MAX_TABLE_PAGES), model.geometry)

    def _record(self, size: TableSize) -> _RecordedStep:
        model, buffers = self._model, self._buffers
        assert model.geometry is not None
        assert buffers is not None
        tables = StepTables(size, model.geometry, buffers.device[: table_length(size)])
        tables.clear(model.cache.scratch_slot)

        def step() -> Any:
            attention.set_step(attention.StepContext(model.cache, tables["slots"], [], tables))
            logits, hidden, aux = model.forward_rows(tables["input_ids"], tables["positions"])
            return logits, hidden, aux, largest(logits)

        recording = self._recorder(step)
        return _RecordedStep(tables, recording, _time_ms(recording, model.device))


@dataclass(frozen=True, slots=True)
class _RecordedStep:
    tables: StepTables
    recording: Recording
    idle_ms: float

    @property
    def size(self) -> TableSize:
        return self.tables.size


class _Buffers:
    """The table that all recorded steps read, on the GPU, and where it is prepared."""

    def __init__(self, length: int, device: torch.device) -> None:
        cuda = device.type == "cuda"
        self.device = torch.zeros(length, dtype=torch.int64, device=device)
        self._host = torch.zeros(length, dtype=torch.int64, pin_memory=cuda)
        self._array = self._host.numpy()
        self._sent = torch.cuda.Event() if cuda else None

    def send(self, step: _RecordedStep, layout: Layout, scratch_slot: int) -> None:
        """Write a step's table and start its copy to the GPU."""
        if self._sent is not None:
            self._sent.synchronize()  # the copy before this one has left the host's memory
        used = fill(
            step.size, step.tables.geometry, layout.ids, layout.slots(), layout.segments,
            scratch_slot, self._array,
        )  # fmt: skip
        self.device[: len(used)].copy_(self._host[: len(used)], non_blocking=True)
        if self._sent is not None:
            self._sent.record(torch.cuda.current_stream(self.device.device))


def _time_ms(recording: Recording, device: torch.device) -> float:
    times = []
    for _ in range(TIMING_RUNS):
        _wait(device)
        start = time.perf_counter()
        recording.replay()
        _wait(device)
        times.append(1000 * (time.perf_counter() - start))
    return min(times)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _used_bytes(device: torch.device) -> int:
    if device.type != "cuda":
        return 0
    free, total = torch.cuda.mem_get_info(device)
    return total - free
