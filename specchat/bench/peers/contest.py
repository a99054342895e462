"""All arms on the same prompts: tokens first, then times, one prompt at one arm at a time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from specchat.bench.peers.worker_process import Answer, Launch, Worker, WorkerError
from specchat.bench.prompts import BenchPrompt

SETTLE_S = 0.05
"""Between two answers: threads that still wait busily for work have gone to sleep by then."""


@dataclass(frozen=True, slots=True)
class ContestPlan:
    """How to measure."""

    max_tokens: int = 128
    repeats: int = 1  # measured answers of each arm to each prompt
    seed: int = 0  # of the order


@dataclass(slots=True)
class ContestResult:
    """What every arm answered, by its name and the prompt's id. An arm that failed keeps what it
    had answered before."""

    checked: dict[str, dict[str, Answer]] = field(default_factory=dict)  # not timed: the warm-up
    measured: dict[str, dict[str, list[Answer]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)  # arm -> why it has no more answers


def run_contest(
    launches: Mapping[str, Launch],
    prompts: Sequence[BenchPrompt],
    plan: ContestPlan,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    on_failure: Callable[[str, str], None] = lambda arm, why: None,
) -> ContestResult:
    """Every prompt once at every arm for its tokens, then `plan.repeats` times for its times, the
    arms of each prompt in random order.

    An arm that fails is left out from there on; `on_failure` is told why. `on_progress` is told
    how many answers are done, and of how many.
    """
    result = ContestResult()

    def failed(arm: str, error: WorkerError) -> None:
        result.failures[arm] = str(error)
        on_failure(arm, str(error))

    with ExitStack() as stack:
        workers = _ready(launches, stack, failed)
        rng = random.Random(plan.seed)
        done, total = 0, len(workers) * len(prompts) * (1 + plan.repeats)
        for turn in range(1 + plan.repeats):
            for prompt in rng.sample(prompts, len(prompts)):
                for arm in rng.sample(list(workers), len(workers)):
                    if arm not in result.failures:
                        try:
                            answer = _answer(workers[arm], launches[arm], prompt, plan)
                            _note(result, arm, prompt, answer, timed=turn > 0)
                        except WorkerError as error:
                            failed(arm, error)
                    done += 1
                    on_progress(done, total)
    return result


def _ready(
    launches: Mapping[str, Launch],
    stack: ExitStack,
    failed: Callable[[str, WorkerError], None],
) -> dict[str, Worker]:
    """The arms whose worker could load its model, one after the other: loading takes memory."""
    started: dict[str, Worker | WorkerError] = {}
    workers = {}
    for arm, launch in launches.items():
        if launch.process not in started:
            started[launch.process] = _started(launch, stack)
        worker = started[launch.process]
        if isinstance(worker, WorkerError):
            failed(arm, worker)
        else:
            workers[arm] = worker
    return workers


def _started(launch: Launch, stack: ExitStack) -> Worker | WorkerError:
    try:
        worker = Worker(launch)
        stack.callback(worker.close)
        worker.wait_until_ready()
    except WorkerError as error:
        return error
    return worker


def _answer(worker: Worker, launch: Launch, prompt: BenchPrompt, plan: ContestPlan) -> Answer:
    time.sleep(SETTLE_S)
    return worker.ask(prompt.ids, plan.max_tokens, launch.mode)


def _note(
    result: ContestResult, arm: str, prompt: BenchPrompt, answer: Answer, *, timed: bool
) -> None:
    if timed:
        by_prompt = result.measured.setdefault(arm, {})
        by_prompt.setdefault(prompt.prompt_id, []).append(answer)
    else:
        result.checked.setdefault(arm, {})[prompt.prompt_id] = answer
