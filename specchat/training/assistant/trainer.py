"""The adapter's training: batches of sheets for a given time; saves as it goes, and resumes."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from specchat.training.assistant.adapter import AdapterModel
from specchat.training.assistant.examples.desk import World
from specchat.training.assistant.examples.sheets import draw_sheets
from specchat.training.assistant.rows import Row, RowEncoder, batches
from specchat.training.loop import Loop, StepReport

LONGEST_STEP_S = 120.0  # nothing compiles here: a long step is a busy machine's
SPEED_STEPS = 20  # the speed shown is of so many last steps


@dataclass(frozen=True)
class AssistantSettings:
    """How the adapter is trained; the defaults made the bundled one."""

    minutes: float = 60.0  # of wall clock, resumed runs included
    lr: float = 1e-3  # at its highest
    last_lr: float = 5e-5
    warmup_steps: int = 20
    flat: float = 0.3  # share of the time before the learning rate falls
    weight_decay: float = 0.0
    examples: int = 8  # in a batch, at least
    longest: int = 800  # tokens of a row
    checkpoint_minutes: float = 3.0
    seed: int = 7


class AssistantTrainer:
    """Trains the adapter for a given wall-clock time; a killed training goes on where it was saved.

    The examples go on where they were, too: a resumed training sees new ones.
    """

    def __init__(
        self,
        model: AdapterModel,
        encoder: RowEncoder,
        world: World,
        folder: Path,
        settings: AssistantSettings,
    ) -> None:
        self.model = model
        self.settings = settings
        self._world, self._encoder = world, encoder
        self._optimizer = torch.optim.AdamW(
            model.parameters, lr=settings.lr, weight_decay=settings.weight_decay, fused=True
        )
        parts = {"adapter": model, "optimizer": self._optimizer}
        self.loop = Loop(
            folder, settings.minutes, settings.checkpoint_minutes, parts, LONGEST_STEP_S
        )
        self.loop.counts = {"tokens": 0, "examples": 0, "runs": 0}
        self._speed = _Speed()

    def resume(self) -> bool:
        """Continues from the folder's checkpoint; False when there is none.

        Raises `ValueError` for a checkpoint of another training.
        """
        return self.loop.resume()

    def train(
        self,
        max_steps: int | None = None,
        on_checkpoint: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = print,
    ) -> float:
        """Trains until the time or `max_steps` is used up; returns the last smoothed loss."""
        self.loop.counts["runs"] += 1
        stream = self._batches()
        self._speed = _Speed()

        def update() -> StepReport:
            batch = next(stream)
            loss, right = self._update(batch)
            tokens, examples = sum(map(len, batch)), sum(len(row.branches) for row in batch)
            self.loop.counts["tokens"] += tokens
            self.loop.counts["examples"] += examples
            self._speed.add(tokens, examples)
            return StepReport(loss, self._notes(right))

        return self.loop.run(update, max_steps, on_checkpoint, say, say_every=10)

    def _batches(self) -> Iterator[list[Row]]:
        """Batches that no earlier run has seen: what a run draws depends on its number."""
        s = self.settings
        sheets = draw_sheets(self._world, "train", 1000 * s.seed + self.loop.counts["runs"])
        return batches(self._encoder.rows(sheets, s.longest), s.examples)

    def _update(self, batch: Sequence[Row]) -> tuple[float, float]:
        """One step; returns the mean loss of the batch's answer tokens, and the share of them that
        were the first choice. Rows go through one by one: no padding, and little memory."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate()
        total = sum(row.answer_tokens for row in batch)
        loss, right = 0.0, 0
        for row in batch:
            found = self.model.losses(row)
            (found.losses.sum() / total).backward()
            loss += found.losses.detach().sum().item()
            right += int(found.chosen.sum())
        torch.nn.utils.clip_grad_norm_(self.model.parameters, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return loss / total, right / total

    def _learning_rate(self) -> float:
        s = self.settings
        warm = min(1.0, (self.loop.step + 1) / max(1, s.warmup_steps))
        return warm * learning_rate(self.loop.progress, s)

    def _notes(self, right: float) -> str:
        """Of the line of progress: speed, examples so far, time to go."""
        left = 60 * self.settings.minutes - self.loop.seconds
        return (
            f"{right:.0%} first choice  {self._speed.tokens:.0f} tokens/s  "
            f"{self._speed.examples:.2f} examples/s  {self.loop.counts['examples']} examples  "
            f"{max(0.0, left) / 60:.0f} min left"
        )


def learning_rate(progress: float, settings: AssistantSettings) -> float:
    """Flat, then along a cosine to the last one: at a share `progress` of the time, 0 to 1."""
    s = settings
    if progress <= s.flat:
        return s.lr
    fallen = (1 - math.cos(math.pi * (progress - s.flat) / (1 - s.flat))) / 2
    return s.lr + (s.last_lr - s.lr) * fallen


class _Speed:
    """Tokens and examples a second, over the last steps."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, int]] = deque(maxlen=SPEED_STEPS + 1)
        self._seen.append((time.perf_counter(), 0, 0))

    def add(self, tokens: int, examples: int) -> None:
        self._seen.append((time.perf_counter(), tokens, examples))

    @property
    def tokens(self) -> float:
        return self._rate(1)

    @property
    def examples(self) -> float:
        return self._rate(2)

    def _rate(self, column: int) -> float:
        entries = list(self._seen)
        seconds = entries[-1][0] - entries[0][0]
        return sum(entry[column] for entry in entries[1:]) / max(seconds, 1e-9)
