"""Compiled functions: on CPU inductor graphs made in the background, used as they become ready; on
a GPU CUDA graphs, recorded before the engine starts.

The engine answers in eager mode from the first moment. A step is padded to the next number of rows
whose graph is ready. Weights are frozen, so that linears use packed weights. Inductor keeps its
work on disk, so a second start is quicker.
"""

from __future__ import annotations

import atexit
import bisect
import ctypes
import logging
import os
import shutil
import threading
import time
import types
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch

from specchat.engine.cuda.recording import recorded_function

log = logging.getLogger(__name__)

CPU_BUCKETS = (1, 8, 4, 6, 12, 2, 16, 24, 32, 48, 64, 96, 128)
"""Rows per compiled step, in the order in which they are made: what one stream needs first."""

MAX_PADDING = 2.0
"""A step is not padded to more than this times its rows; it runs eagerly instead."""

TIMING_RUNS = 7


class Graph:
    """A function of tensors that becomes faster once compiled; shapes are those of `inputs()`."""

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        inputs: Callable[[], tuple[Any, ...]],
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self.function = function
        self.inputs = inputs
        self.wanted = wanted  # false once something better is in use
        self.measured_ms: float | None = None  # best of a few runs on `inputs()`
        self._compiled: Callable[..., Any] | None = None

    @property
    def ready(self) -> bool:
        """True once the compiled function is used."""
        return self._compiled is not None

    def __call__(self, *tensors: Any) -> Any:
        """Run compiled where ready, else eagerly."""
        return (self._compiled or self.function)(*tensors)

    def compile(self) -> None:
        """Trace, compile and time; called from the compiling thread. On a GPU: record."""
        with torch.inference_mode():
            inputs = self.inputs()
            if inputs[0].is_cuda:
                self._compiled = recorded_function(self.function, inputs)
                return
        self._compiled = self._by_inductor()

    def _by_inductor(self) -> Callable[..., Any]:
        import torch._dynamo
        import torch._inductor.config as inductor

        inductor.freezing = True
        torch._dynamo.config.recompile_limit = 256
        compiled = torch.compile(
            _with_own_code(self.function), fullgraph=True, dynamic=False, options=_no_guards()
        )
        with torch.inference_mode():
            inputs = self.inputs()
            compiled(*inputs)
            times = []
            for _ in range(TIMING_RUNS):
                start = time.perf_counter()
                compiled(*inputs)
                times.append(1000 * (time.perf_counter() - start))
        self.measured_ms = min(times)
        return compiled


def _with_own_code(function: Callable[..., Any]) -> Callable[..., Any]:
    """A copy of `function` that shares no code object with other graphs: dynamo keeps compiled
    code per code object, and one graph must never be tried for another's shapes."""
    return types.FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )


def _no_guards() -> dict[str, Any]:
    """A graph is only ever called with the shapes it was made for, so checking hundreds of guards
    on every call would be lost time."""
    skip = getattr(torch.compiler, "skip_all_guards_unsafe", None)
    return {"guard_filter_fn": skip} if skip else {}


def keep_work_in(directory: str) -> None:
    """Let inductor keep its work in `directory` between starts, unless the user chose a place."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", directory)


class CompileJob(Protocol):
    """Something that makes steps faster once it is done."""

    name: str

    @property
    def ready(self) -> bool:
        """True once it is in use."""
        ...

    @property
    def wanted(self) -> Callable[[], bool]:
        """Whether it is still worth doing."""
        ...

    def compile(self) -> None:
        """Do it; on the queue's thread."""
        ...


class CompileQueue:
    """Does jobs one after the other, on a background thread or right away at the start.

    A process that ends waits for its thread: one that is still inside a compiler's C++ when the
    interpreter is taken down brings the process down with it.
    """

    def __init__(self, enabled: bool, *, in_background: bool = True) -> None:
        self._jobs: list[CompileJob] = []
        self._enabled = enabled
        self._in_background = in_background  # a GPU is recorded on while nobody else uses it
        self._started = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failure: str | None = None  # why nothing is compiled
        self._failed: dict[str, str] = {}  # jobs that failed, and of what

    def add(self, job: CompileJob) -> None:
        """Queue a job; only before `start`."""
        self._jobs.append(job)

    @property
    def description(self) -> str:
        """`eager`, `compiled 3/13` while graphs are being made, or why it stays eager."""
        if self.failure:
            return f"eager ({self.failure})"
        if not self._started:
            return "eager"
        wanted = [job for job in self._jobs if job.ready or job.wanted()]
        word = "compiled" if self._in_background else "recorded"
        done = f"{word} {sum(job.ready for job in wanted)}/{len(wanted)}"
        if not self._failed:
            return done
        kinds = ", ".join(sorted(set(self._failed.values())))
        return f"{done} ({len(self._failed)} failed: {kinds})"

    @property
    def done(self) -> bool:
        """True when nothing is left to do."""
        return self._thread is None or not self._thread.is_alive()

    def start(self) -> None:
        """Begin, where a C++ compiler is found; returns at the end when not in the background."""
        if not self._enabled or not self._jobs or self._started:
            return
        if not self._in_background:
            self._started = True
            self._run()
            return
        if shutil.which("g++") is None and shutil.which("clang++") is None:
            self.failure = "no C++ compiler found"
            log.warning("no C++ compiler found: steps stay eager, at a fraction of the speed")
            return
        self._started = True
        self._thread = threading.Thread(target=self._run, name="specchat-compile", daemon=True)
        atexit.register(self._end)
        self._thread.start()

    def stop(self) -> None:
        """Give up the job at hand as soon as it is back in Python, and begin no other."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread.is_alive() and thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
            )

    def wait(self, timeout_s: float) -> bool:
        """Wait until everything is done; False when `timeout_s` was not enough."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        if self.done:
            atexit.unregister(self._end)  # which would keep the model until the process ends
        return self.done

    def _end(self) -> None:
        while not self.wait(0.1):
            self.stop()  # again: what a job catches and goes on from does not end it

    def _run(self) -> None:
        """A job that fails costs what it would have made. In the background, where each takes many
        seconds, no other of its kind is tried then."""
        given_up: set[type] = set()
        for job in self._jobs:
            if self._stop.is_set():
                return
            if not job.wanted() or type(job) in given_up:
                continue
            try:
                job.compile()
            except Exception as error:  # compilers raise many kinds; eager mode stays right
                log.warning("compiling %s failed, going on without", job.name, exc_info=True)
                self._failed[job.name] = type(error).__name__
                if self._in_background:
                    given_up.add(type(job))


class CompiledSteps:
    """The model's step compiled for several numbers of rows."""

    def __init__(self, graphs: dict[int, Graph]) -> None:
        self._graphs = dict(sorted(graphs.items()))
        self._rows: Sequence[int] = list(self._graphs)

    def graph(self, rows: int) -> Graph:
        """The graph of one bucket."""
        return self._graphs[rows]

    def bucket(self, rows: int) -> int | None:
        """The smallest ready bucket that `rows` rows are worth padding to."""
        for bucket in self._rows[bisect.bisect_left(self._rows, rows) :]:
            if bucket > max(MAX_PADDING * rows, 4):
                return None
            if self._graphs[bucket].ready:
                return bucket
        return None

    def measured_ms(self, bucket: int) -> float | None:
        """Time of a ready bucket's graph when it was made, without any context."""
        return self._graphs[bucket].measured_ms

    def __call__(self, ids: torch.Tensor, positions: torch.Tensor) -> Any:
        """Run the graph of a bucket; the number of rows must be one."""
        return self._graphs[len(ids)](ids, positions)
