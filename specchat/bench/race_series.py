"""Many races as a measurement: interleaved in random order, warm-up left out, with repeats."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from specchat.bench.arms import ARMS, Arm, ArmResult, arm_request, run_together
from specchat.bench.prompts import BenchPrompt
from specchat.engine.request import SamplingParams

if TYPE_CHECKING:
    from specchat.engine.engine import Engine

WARM_UP_PROMPTS = 2
READY_POLL_S = 0.2
_SALT = "bench"


@dataclass(frozen=True, slots=True)
class RacePlan:
    """How to measure."""

    params: SamplingParams  # of every prompt; prompt i is sampled with seed + i
    repeats: int = 3
    concurrency: int = 1  # prompts in flight together, all of the same arm
    null: bool = False  # plain against plain: what the measurement shows when nothing differs


@dataclass(frozen=True, slots=True)
class MeasuredPair:
    """All repeats of one prompt."""

    prompt_id: str
    plain: tuple[ArmResult, ...]
    speculative: tuple[ArmResult, ...]

    @property
    def identical(self) -> bool:
        """True when every run of both arms gave the same tokens."""
        return len({run.token_ids for run in (*self.plain, *self.speculative)}) == 1


def wait_until_ready(
    engine: Engine,
    timeout_s: float = 900.0,
    on_wait: Callable[[str], None] = lambda backend: None,
) -> bool:
    """Waits until the engine runs on its final backend (compiled steps are warm).

    `on_wait` is told the backend about five times a second. False when the time is up first.
    """
    deadline = time.monotonic() + timeout_s
    while not (snapshot := engine.snapshot()).ready:
        if time.monotonic() >= deadline:
            return False
        on_wait(snapshot.backend)
        time.sleep(READY_POLL_S)
    return True


def run_race(
    engine: Engine,
    prompts: Sequence[BenchPrompt],
    plan: RacePlan,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[MeasuredPair]:
    """Measures every prompt `plan.repeats` times in both arms; pairs come in the prompts' order.

    The order of the prompts and of the arms is random and the same for the same seed.
    `on_progress` is told how many answers are done, and of how many.

    Raises:
        EngineError: a request was refused or ended early.
    """
    _warm_up(engine, prompts, plan)
    runs: dict[tuple[int, Arm], list[ArmResult]] = {
        (index, arm): [] for index in range(len(prompts)) for arm in ARMS
    }
    done, total = 0, 2 * plan.repeats * len(prompts)
    for group, arm in _schedule(len(prompts), plan):
        for index, result in zip(group, _run(engine, prompts, plan, group, arm), strict=True):
            runs[index, arm].append(result)
        done += len(group)
        on_progress(done, total)
    return [
        MeasuredPair(
            prompt.prompt_id, tuple(runs[index, "plain"]), tuple(runs[index, "speculative"])
        )
        for index, prompt in enumerate(prompts)
    ]


def _warm_up(engine: Engine, prompts: Sequence[BenchPrompt], plan: RacePlan) -> None:
    group = list(range(min(max(WARM_UP_PROMPTS, plan.concurrency), len(prompts))))
    for arm in ARMS:
        for start in range(0, len(group), plan.concurrency):
            _run(engine, prompts, plan, group[start : start + plan.concurrency], arm)


def _schedule(count: int, plan: RacePlan) -> Iterator[tuple[list[int], Arm]]:
    """Groups of prompt indices and the arm to run them in; both arms of a group are neighbours."""
    rng = random.Random(plan.params.seed)
    for _ in range(plan.repeats):
        order = rng.sample(range(count), count)
        for start in range(0, count, plan.concurrency):
            for arm in rng.sample(ARMS, 2):
                yield order[start : start + plan.concurrency], arm


def _run(
    engine: Engine,
    prompts: Sequence[BenchPrompt],
    plan: RacePlan,
    group: Sequence[int],
    arm: Arm,
) -> list[ArmResult]:
    requests = [
        arm_request(
            prompts[index].ids,
            replace(plan.params, seed=plan.params.seed + index),
            speculate=arm == "speculative" and not plan.null,
            salt=_SALT,
        )
        for index in group
    ]
    return run_together(engine, requests)
