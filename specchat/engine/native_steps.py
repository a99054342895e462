"""Brings the native step into use: builds it, checks it against eager mode, times it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import torch

from specchat.engine.attention import Segment
from specchat.engine.batch import Batch
from specchat.engine.native import NativeUnavailableError
from specchat.engine.native_model import NativeModel

if TYPE_CHECKING:
    from specchat.engine.runner import ModelRunner

log = logging.getLogger(__name__)


class NativeSteps:
    """The job that brings the native step into use, where the model is one it is made for."""

    name = "the native step"
    PROBE_ROWS = 12
    TOLERANCE = 2e-3  # of the largest logit, float32; bf16 rounds more coarsely

    def __init__(self, runner: ModelRunner) -> None:
        self._runner = runner
        self._model: NativeModel | None = None
        self._prior_ms: dict[int, float] = {}
        self.reason: str | None = None  # why it is not used

    @property
    def ready(self) -> bool:
        """True once steps run natively."""
        return self._model is not None

    def wanted(self) -> bool:
        """Whether to try."""
        runner = self._runner
        plain = not getattr(runner.model, "is_quantized", False) and not runner.aux_layers
        return runner.device.type == "cpu" and plain

    def compile(self) -> None:
        """Build, compare with eager mode on a probe, time, and take over; or say why not."""
        runner = self._runner
        try:
            model = NativeModel(runner.model, runner.cache)
            with torch.inference_mode():
                self._probe(model)
                self._time(model)
        except NativeUnavailableError as error:
            self.reason = str(error)
            log.info("the native step is not used: %s", error)
            return
        self._model = model

    def run(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and hidden states of one step; only when ready."""
        assert self._model is not None
        return self._model.run(batch)

    def prior_ms(self, rows: int) -> float | None:
        """Time of a step of `rows` rows without a context when it was built, if it was taken."""
        return self._prior_ms.get(rows)

    def _probe(self, model: NativeModel) -> None:
        """Raises NativeUnavailableError when eager mode computes something else."""
        batch = self._scratch_batch(min(self.PROBE_ROWS, self._runner.cache.page_size))
        logits, hidden = model.run(batch)
        wanted = self._runner.eager(batch)
        for mine, theirs in ((logits, wanted.logits), (hidden, wanted.hidden)):
            theirs = theirs.float()
            tolerance = self.TOLERANCE if self._runner.dtype == torch.float32 else 0.1
            off = float((mine - theirs).abs().max() / theirs.abs().max().clamp(min=1e-6))
            if not off < tolerance:
                raise NativeUnavailableError(f"it differs from eager mode by {off:.2g}")

    def _time(self, model: NativeModel) -> None:
        for rows in (n for n in (1, 2, 4, 8, 16) if n <= self._runner.cache.page_size):
            batch = self._scratch_batch(rows)
            times = []
            for _ in range(5):
                start = time.perf_counter()
                model.run(batch)
                times.append(1000 * (time.perf_counter() - start))
            self._prior_ms[rows] = min(times)

    def _scratch_batch(self, rows: int) -> Batch:
        """Known tokens at the start of a text, on the scratch page."""
        cache = self._runner.cache
        page = cache.scratch_slot // cache.page_size
        ids = torch.arange(rows) * 7 % self._runner.shape.vocab_size
        positions = torch.arange(rows)
        segment = Segment(0, rows, 0, [page], None, list(range(rows)))
        return Batch(ids, positions, cache.scratch_slot + positions, positions, [segment])
