"""CUDA graphs: a step's hundreds of launches replayed as one.

A graph is recorded once per number of rows, on tensors that stay where they are. A step is padded
to the next number that was recorded: padding rows belong to no request and write to the scratch
page. How the rows are divided among requests is read from the step's tables, so one graph serves
every division, draft trees and prefill chunks included.
"""

from __future__ import annotations

import bisect
import functools
import logging
import math
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from specchat.engine.cuda.step_tables import StepTables, TableSize, fill, table_length
from specchat.engine.drafting.draft_tree import MAX_NODES
from specchat.engine.hardware import on_card
from specchat.engine.model import attention
from specchat.engine.model.step_output import StepOutput
from specchat.engine.sampling.sampler import largest

if TYPE_CHECKING:
    from specchat.engine.model.batch import Layout
    from specchat.engine.model.runner import ModelRunner

log = logging.getLogger(__name__)

GRAPH_ROWS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 640)
"""Rows of the recorded steps."""

MAX_TABLE_PAGES = 1 << 20
"""Pages that all requests of a recorded step may hold together, counted once per request."""

TIMING_RUNS = 3


@dataclass(frozen=True, slots=True)
class Recording:
    """A function's work on fixed tensors: `replay` does it again and `output` then holds it."""

    replay: Callable[[], None]
    output: Any


Recorder = Callable[[Callable[[], Any]], Recording]


def record(function: Callable[[], Any]) -> Recording:
    """Record what `function` launches on the current card as a CUDA graph.

    The graphs of one process share their working memory, so an output is valid until any of them
    is replayed. Raises what CUDA raises when `function` does what cannot be recorded.
    """
    device = torch.cuda.current_device()
    current, stream = torch.cuda.current_stream(), _recording_stream(device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):  # libraries and Triton prepare what they need on first use
        for _ in range(2):
            function()
    current.wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    recording = torch.cuda.graph(
        graph, pool=_pool(device), stream=stream, capture_error_mode="thread_local"
    )
    with torch.cuda.stream(current), recording:  # the current one again, also after a failure
        output = function()
    _LIVE[graph] = device
    return Recording(graph.replay, output)


@functools.cache
def _recording_stream(device: int) -> torch.cuda.Stream:
    """The only one that is recorded on: libraries keep working memory for every stream they see."""
    return torch.cuda.Stream(device)


def recorded_function(
    function: Callable[..., Any], inputs: Sequence[Any], recorder: Recorder = record
) -> Callable[..., Any]:
    """`function` as a recording on copies of `inputs`; call it with tensors of their shapes."""
    static = [tensor.clone() for tensor in inputs]
    with on_card(inputs[0].device):
        recording = recorder(lambda: function(*static))

    def call(*tensors: torch.Tensor) -> Any:
        for mine, given in zip(static, tensors, strict=True):
            mine.copy_(given, non_blocking=True)
        recording.replay()
        return recording.output

    return call


class StepGraphs:
    """The job that records the model's steps, and the steps once they are recorded."""

    name = "CUDA graphs of the steps"

    def __init__(
        self, runner: ModelRunner, rows: Sequence[int] = GRAPH_ROWS, recorder: Recorder = record
    ) -> None:
        self._runner = runner
        self._sizes = sorted(rows)
        self._recorder = recorder
        self._steps: dict[int, _RecordedStep] = {}
        self._rows: list[int] = []
        self._buffers: _Buffers | None = None
        self.reason: str | None = None  # why there are none, or no more
        self.bytes = 0  # memory of the card that they took

    @property
    def ready(self) -> bool:
        """True once some steps are recorded."""
        return bool(self._rows)

    def wanted(self) -> bool:
        """Whether to try: all layers on one card, and kernels that read tables."""
        return self._runner.geometry is not None and len(self._runner.cache.devices) == 1

    def compile(self) -> None:
        """Record every size, largest first so that the smaller ones find working memory, and time
        them. A size that cannot be recorded is left out."""
        before = _used_bytes(self._runner.device)
        with torch.inference_mode(), on_card(self._runner.device):
            sizes = {rows: self._plan(rows) for rows in self._sizes}
            self._buffers = _Buffers(max(map(table_length, sizes.values())), self._runner.device)
            for rows in reversed(self._sizes):
                try:
                    self._steps[rows] = self._record(sizes[rows])
                except Exception as error:  # a model that waits for the card in its forward pass
                    self.reason = f"a step of {rows} rows: {type(error).__name__}: {error}"
                    log.warning("no CUDA graph for %s", self.reason)
                    if not isinstance(error, torch.OutOfMemoryError):
                        break
        self._rows = sorted(self._steps)
        self.bytes = _used_bytes(self._runner.device) - before

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
        """Replay a step, with `meanwhile` called while the card computes; None (and no call) when
        no recorded size holds it."""
        bucket = self.bucket(len(layout.ids))
        if bucket is None or self._buffers is None:
            return None
        step = self._steps[bucket]
        if not step.size.holds(layout.segments, self._runner.cache.page_size):
            return None
        self._buffers.send(step, layout, self._runner.cache.scratch_slot)
        step.recording.replay()
        meanwhile()
        logits, hidden, aux, best = step.recording.output
        rows = len(layout.ids)
        aux = None if aux is None else aux[:rows].clone()
        if not layout.wanted:  # nothing to wait for
            return StepOutput(logits[:0], hidden[:0], aux)
        hidden = hidden[:rows].clone()
        found = best[:rows].tolist()  # the step's one wait for the card, and its one small copy
        if len(layout.wanted) == rows:
            return StepOutput(logits[:rows], hidden, aux, found)
        wanted = torch.tensor(layout.wanted, dtype=torch.int64).to(logits.device)
        found = [found[row] for row in layout.wanted]
        return StepOutput(logits[wanted], hidden[wanted], aux, found)

    def _plan(self, rows: int) -> TableSize:
        runner = self._runner
        assert runner.geometry is not None
        longest = runner.shape.context_length + MAX_NODES + 1
        each = min(runner.pages, math.ceil(longest / runner.cache.page_size))
        return TableSize.plan(rows, rows, min(rows * each, MAX_TABLE_PAGES), runner.geometry)

    def _record(self, size: TableSize) -> _RecordedStep:
        runner, buffers = self._runner, self._buffers
        assert runner.geometry is not None
        assert buffers is not None
        tables = StepTables(size, runner.geometry, buffers.device[: table_length(size)])
        tables.clear(runner.cache.scratch_slot)

        def step() -> Any:
            attention.set_step(attention.StepContext(runner.cache, tables["slots"], [], tables))
            logits, hidden, aux = runner.forward_rows(tables["input_ids"], tables["positions"])
            return logits, hidden, aux, largest(logits)

        recording = self._recorder(step)
        return _RecordedStep(tables, recording, _time_ms(recording, runner.device))


@dataclass(frozen=True, slots=True)
class _RecordedStep:
    tables: StepTables
    recording: Recording
    idle_ms: float

    @property
    def size(self) -> TableSize:
        return self.tables.size


class _Buffers:
    """The table that all recorded steps read, on the card, and where it is prepared."""

    def __init__(self, length: int, device: torch.device) -> None:
        cuda = device.type == "cuda"
        self.device = torch.zeros(length, dtype=torch.int64, device=device)
        self._host = torch.zeros(length, dtype=torch.int64, pin_memory=cuda)
        self._array = self._host.numpy()
        self._sent = torch.cuda.Event() if cuda else None

    def send(self, step: _RecordedStep, layout: Layout, scratch_slot: int) -> None:
        """Write a step's table and start its copy to the card."""
        if self._sent is not None:
            self._sent.synchronize()  # the copy before this one has left the host's memory
        used = fill(
            step.size, step.tables.geometry, layout.ids, layout.slots(), layout.segments,
            scratch_slot, self._array,
        )  # fmt: skip
        self.device[: len(used)].copy_(self._host[: len(used)], non_blocking=True)
        if self._sent is not None:
            self._sent.record(torch.cuda.current_stream(self.device.device))


_LIVE: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
"""Recorded graphs: a pool lives as long as a graph that uses it."""


def _pool(device: int) -> Any:
    """The working memory of the graphs recorded on a card, or a new one after they are gone."""
    for graph, where in list(_LIVE.items()):
        if where == device:
            return graph.pool()
    return torch.cuda.graph_pool_handle()


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
