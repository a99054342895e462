"""Brings the native step into use: builds it, checks it against eager mode, times it."""

from __future__ import annotations

import bisect
import logging
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from specchat.engine.hardware import page_out
from specchat.engine.model.batch import Layout, to_batch
from specchat.engine.model.segment import Segment
from specchat.engine.model.step_output import StepOutput
from specchat.engine.native.library import NativeUnavailableError
from specchat.engine.native.model import NativeModel

if TYPE_CHECKING:
    from specchat.engine.model.eager import EagerModel

log = logging.getLogger(__name__)


class NativeSteps:
    """The job that brings the native step into use, where the model is one it is made for."""

    name = "the native step"
    PROBE_ROWS = 12
    TIMES = 5  # that each size is timed at the most
    TIMED_ROWS = (1, 2, 3, 4, 6, 8, 12, 16)
    TIMING_S = 0.5  # after which no further round begins: who asks first waits for it
    TOLERANCE = 2e-3  # of all that is computed, as a share of its norm, in float32
    TOLERANCE_BF16 = 0.25
    """Eager mode rounds every sum to bfloat16: over the 30 layers of SmolLM2-135M it is off by
    0.044 of what float32 gives, the native step, whose sums are float32, by 0.006. A step that
    computes something else is off by 1 or more."""

    def __init__(self, eager: EagerModel) -> None:
        self._eager = eager
        self._model: NativeModel | None = None
        self._prior_ms: dict[int, float] = {}
        self.reason: str | None = None  # why it is not used

    @property
    def ready(self) -> bool:
        """True once steps run natively."""
        return self._model is not None

    def wanted(self) -> bool:
        """Whether to try."""
        eager = self._eager
        plain = not getattr(eager.model, "is_quantized", False) and not eager.aux_layers
        return eager.device.type == "cpu" and plain

    def compile(self) -> None:
        """Build, compare with eager mode on a probe, time, and take over; or say why not."""
        eager = self._eager
        try:
            model = NativeModel(eager.model, eager.cache)
            with torch.inference_mode():
                self._probe(model)
                self._time(model)
        except NativeUnavailableError as error:
            self.reason = str(error)
            log.info("the native step is not used: %s", error)
            return
        self._model = model
        page_out(eager.model.parameters())  # the library has a copy of its own, laid out for it

    def run(self, layout: Layout, meanwhile: Callable[[], None] = lambda: None) -> StepOutput:
        """One step, with `meanwhile` called just before it is computed; only when ready."""
        assert self._model is not None
        return self._model.run(layout, meanwhile)

    def prior_ms(self, rows: int) -> float | None:
        """Time of a step of `rows` rows without a context: as timed, on the line between two sizes
        that were, or beyond them at the price of the last rows. None where none was."""
        timed = self._prior_ms
        if rows in timed or not timed:
            return timed.get(rows)
        sizes = sorted(timed)
        if rows < sizes[-1]:
            after = bisect.bisect(sizes, rows)
            fewer, more = sizes[after - 1], sizes[after]
            return timed[fewer] + (timed[more] - timed[fewer]) * (rows - fewer) / (more - fewer)
        most = sizes[-1]
        half = max(size for size in sizes if size <= max(1, most // 2))
        each = max(0.0, timed[most] - timed[half]) / max(1, most - half)
        return timed[most] + each * (rows - most)

    def _probe(self, model: NativeModel) -> None:
        """Raises NativeUnavailableError when eager mode computes something else."""
        layout = self._scratch_layout(min(self.PROBE_ROWS, self._eager.cache.page_size))
        found = model.run(layout)
        wanted = self._eager.forward(to_batch(layout, self._eager.device))
        for mine, theirs in ((found.logits, wanted.logits), (found.hidden, wanted.hidden)):
            theirs = theirs.float()
            exact = self._eager.dtype == torch.float32
            tolerance = self.TOLERANCE if exact else self.TOLERANCE_BF16
            off = float((mine - theirs).norm() / theirs.norm().clamp(min=1e-6))
            if not off < tolerance:
                raise NativeUnavailableError(f"it differs from eager mode by {off:.2g}")

    def _time(self, model: NativeModel) -> None:
        sizes = [rows for rows in self.TIMED_ROWS if rows <= self._eager.cache.page_size]
        layouts = [self._scratch_layout(rows) for rows in sizes]
        model.run(layouts[0])  # a first call wakes the threads
        times = dict.fromkeys(sizes, math.inf)
        began = time.perf_counter()
        for _ in range(self.TIMES):  # one after the other: what disturbs one time passes by
            for layout in layouts:
                start = time.perf_counter()
                model.run(layout)
                rows = len(layout.ids)
                times[rows] = min(times[rows], 1000 * (time.perf_counter() - start))
            if time.perf_counter() - began > self.TIMING_S:
                break
        self._prior_ms = without_disturbance(times)

    def _scratch_layout(self, rows: int) -> Layout:
        """Known tokens at the start of a text, on the scratch page."""
        cache = self._eager.cache
        page = cache.scratch_slot // cache.page_size
        ids = [7 * row % self._eager.shape.vocab_size for row in range(rows)]
        positions = list(range(rows))
        segment = Segment(0, rows, 0, [page], None, positions)
        return Layout(ids, positions, positions, [segment], cache.page_size)


def without_disturbance(times: dict[int, float]) -> dict[int, float]:
    """Times of steps by rows, less what another process did to some of them: a step of fewer rows
    takes no longer, and one of more rows no longer than several with as many rows in all."""
    sizes = sorted(times)
    found = dict(times)
    for fewer, more in zip(reversed(sizes[:-1]), reversed(sizes[1:]), strict=True):
        found[fewer] = min(found[fewer], found[more])
    for place, rows in enumerate(sizes):
        for fewer in sizes[:place]:
            found[rows] = min(found[rows], found[fewer] * rows / fewer)
    return found
