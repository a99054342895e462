"""The loop that every training shares: steps for a given time, checkpoints, resuming."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

LONGEST_STEP_S = 10.0
"""Counted of a step at the most: the first steps of a run compile, which is not the schedule's."""

SMOOTHING_STEPS = 50


@dataclass(frozen=True)
class StepReport:
    """What one step says of itself."""

    loss: float
    notes: str = ""  # for the line of progress


@dataclass(frozen=True)
class Progress:
    """Where a training is after a step."""

    share: float  # of this run, 0 to 1
    step: int
    loss: float  # smoothed


class Loop:
    """Runs steps until the time is used up, whatever else runs on the machine; saves and resumes.

    `parts` are what a checkpoint holds besides the counters: objects with `state_dict`, or lists of
    such, by name.
    """

    def __init__(
        self,
        folder: Path,
        minutes: float,
        checkpoint_minutes: float,
        parts: Mapping[str, Any],
        longest_step_s: float = LONGEST_STEP_S,
    ) -> None:
        if not minutes > 0:
            raise ValueError(f"minutes must be above 0, got {minutes}")
        self.folder = folder
        self.minutes, self.checkpoint_minutes = minutes, checkpoint_minutes
        self.seconds = 0.0  # trained so far, in this run and the resumed ones
        self.step = 0
        self.counts: dict[str, int] = {}
        self._parts = parts
        self._longest_step_s = longest_step_s

    @property
    def progress(self) -> float:
        """Share of the planned time that is used up, 0 to 1."""
        return min(1.0, self.seconds / (60 * self.minutes))

    def run(
        self,
        update: Callable[[], StepReport],
        max_steps: int | None = None,
        on_checkpoint: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = print,
        say_every: int = 50,
        watch: Callable[[Progress], None] = lambda progress: None,
    ) -> float:
        """Steps until the time or `max_steps` is used up; returns the last smoothed loss.

        Raises `ValueError` when the loss is no number any more; the last checkpoint stays.
        """
        smooth, saved, begun = math.nan, self.seconds, self.step
        while self.progress < 1 and (max_steps is None or self.step < max_steps):
            start = time.perf_counter()
            report = update()
            if not math.isfinite(report.loss):
                raise ValueError(f"the loss became {report.loss} at step {self.step + 1}")
            self.step += 1
            elapsed = time.perf_counter() - start
            self.seconds += min(elapsed, self._longest_step_s)
            done = self.step - begun
            old = report.loss if done == 1 else smooth
            smooth = old + (report.loss - old) / min(done, SMOOTHING_STEPS)
            if self.step % say_every == 0 or elapsed > self._longest_step_s:
                say(
                    f"step {self.step}  {100 * self.progress:.1f} %  loss {smooth:.3f}  "
                    f"{report.notes}  {elapsed:.2f} s/step"
                )
            share = (
                self.progress if max_steps is None else max(self.progress, self.step / max_steps)
            )
            watch(Progress(share, self.step, smooth))
            if self.seconds - saved > 60 * self.checkpoint_minutes:
                saved = self.seconds
                self.save()
                on_checkpoint()
        self.save()
        on_checkpoint()
        return 0.0 if math.isnan(smooth) else smooth

    def save(self) -> None:
        """Writes the parts and counters; an interrupted save leaves the last one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / "checkpoint.partial"
        state = {name: _state(part) for name, part in self._parts.items()}
        torch.save({**state, **self.counts, "seconds": self.seconds, "step": self.step}, partial)
        partial.replace(self.folder / "checkpoint.pt")

    def resume(self) -> bool:
        """Continues from the folder's checkpoint; False when there is none.

        Raises `ValueError` for a checkpoint of another training.
        """
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return False
        state = torch.load(path, weights_only=True, map_location="cpu")
        try:
            for name, part in self._parts.items():
                _restore(part, state[name])
        except (KeyError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"{path} is of another training; remove {self.folder} to begin anew "
                f"({str(error).splitlines()[0]})"
            ) from None
        self.seconds, self.step = state["seconds"], state["step"]
        self.counts = {name: state.get(name, 0) for name in self.counts}
        return True


def _state(part: Any) -> Any:
    return [p.state_dict() for p in part] if isinstance(part, list) else part.state_dict()


def _restore(part: Any, state: Any) -> None:
    if not isinstance(part, list):
        part.load_state_dict(state)
        return
    for one, saved in zip(part, state, strict=True):
        one.load_state_dict(saved)
