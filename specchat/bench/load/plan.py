"""A load test: several ways of serving under the same traffic, next to each other, in random order.

The engine runs here, as shipped; the traffic is sent and timed by another process.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from specchat.bench.load.cell import CellResult, LoadArm, run_cell
from specchat.bench.load.faq_conversations import interleaved
from specchat.bench.load.sender_process import Sender
from specchat.bench.load.traffic import ClosedTraffic, OpenTraffic, Traffic
from specchat.bench.prompts import BenchPrompt
from specchat.engine.request import SamplingParams

if TYPE_CHECKING:
    from specchat.engine.engine import Engine

WARM_UP_S = 1.0

PLAIN = LoadArm("plain", speculate=False, prefix_cache=True)
SPECULATIVE = LoadArm("speculative", speculate=True, prefix_cache=True)
NULL = replace(PLAIN, name="plain again")
SEQUENTIAL = LoadArm("sequential", speculate=False, prefix_cache=False, slots=1)
PAGED = LoadArm("paged", speculate=False, prefix_cache=False)


class LoadError(Exception):
    """A load test that cannot be run; the message names the value and what would be right."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to measure."""

    params: SamplingParams
    arms: tuple[LoadArm, ...]
    users: tuple[int, ...]  # closed loop
    rates: tuple[float, ...]  # open loop, requests per second
    sessions: tuple[tuple[int, ...], ...]  # a customer's prompts, by index
    seconds: float  # of each cell's window
    repeats: int
    seed: int  # of the order of cells, of sessions and of arrivals


@dataclass(frozen=True, slots=True)
class LoadCell:
    """One arm under one traffic, once."""

    arm: LoadArm
    traffic: Traffic
    repeat: int
    result: CellResult


def contiguous_arm(kv_tokens: int, reserved_tokens: int) -> LoadArm:
    """Batched decoding without paging: each request reserves `reserved_tokens` of the KV cache in
    one piece for as long as it lasts, so that the bytes hold so many requests and no more.

    The engine's kernels are the same; what the reservation changes is who may run.

    Raises:
        LoadError: the cache holds no reservation.
    """
    slots = kv_tokens // reserved_tokens
    if slots < 1:
        raise LoadError(
            f"the KV cache of {kv_tokens} tokens holds no reservation of {reserved_tokens}; "
            "raise --kv-memory or lower --reserve-tokens"
        )
    return LoadArm("contiguous", speculate=False, prefix_cache=False, slots=slots)


def ablation_arms(kv_tokens: int, reserved_tokens: int) -> tuple[LoadArm, ...]:
    """From one request at a time in reserved memory to everything, one part added at a time.

    Raises:
        LoadError: the cache holds no reservation.
    """
    return (SEQUENTIAL, contiguous_arm(kv_tokens, reserved_tokens), PAGED, PLAIN, SPECULATIVE)


def cells_of(plan: LoadPlan) -> int:
    """How many cells are measured."""
    return plan.repeats * len(plan.arms) * (len(plan.users) + len(plan.rates))


def run_load(
    engine: Engine,
    prompts: Sequence[BenchPrompt],
    plan: LoadPlan,
    on_cell: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> list[LoadCell]:
    """Measures every arm under every traffic `plan.repeats` times, after a warm-up.

    The traffics come in random order, and under each the arms in random order right after one
    another with the same sessions (and arrivals). `on_cell` is told how many cells are done and
    what comes next.

    Raises:
        EngineError: a request was refused for what it is, or an answer ended early.
        SenderError: the process that sends the load ended early.
    """
    cells: list[LoadCell] = []
    total = cells_of(plan)
    customers = {prompt: at for at, session in enumerate(plan.sessions) for prompt in session}
    with Sender() as sender:

        def run(arm: LoadArm, traffic: Traffic, number: int) -> CellResult:
            return run_cell(engine, sender, prompts, plan.params, arm, traffic, number, customers)

        on_cell(0, total, "warm-up")
        for number, (arm, traffic) in enumerate(_warm_up(plan)):
            run(arm, traffic, number)
        first = number + 1
        for arm, traffic, repeat in _schedule(plan):
            on_cell(len(cells), total, f"{arm.name}, {words(traffic)}")
            result = run(arm, traffic, first + len(cells))
            cells.append(LoadCell(arm, traffic, repeat, result))
        on_cell(len(cells), total, "done")
    return cells


def words(traffic: Traffic) -> str:
    """`8 users` or `4 requests/s`."""
    if isinstance(traffic, ClosedTraffic):
        return f"{traffic.users} user{'' if traffic.users == 1 else 's'}"
    return f"{traffic.rate:g} requests/s"


def _warm_up(plan: LoadPlan) -> Iterator[tuple[LoadArm, Traffic]]:
    """Both ways of decoding at every level: the policy learns what steps cost there."""
    for speculate in sorted({arm.speculate for arm in plan.arms}):
        arm = SPECULATIVE if speculate else PLAIN
        for users in plan.users or (1, 4):
            yield arm, ClosedTraffic(users, _shuffled(plan, -1), WARM_UP_S, warm_up_s=3.0)


def _schedule(plan: LoadPlan) -> Iterator[tuple[LoadArm, Traffic, int]]:
    rng = random.Random(plan.seed)
    for repeat in range(plan.repeats):
        sessions = _shuffled(plan, repeat)
        traffics: list[Traffic] = [
            ClosedTraffic(users, sessions, plan.seconds) for users in plan.users
        ]
        for rate in plan.rates:
            seed = plan.seed + repeat
            traffics.append(OpenTraffic(rate, interleaved(sessions), plan.seconds, seed))
        for traffic in rng.sample(traffics, len(traffics)):
            for arm in rng.sample(plan.arms, len(plan.arms)):
                yield arm, traffic, repeat


def _shuffled(plan: LoadPlan, repeat: int) -> tuple[tuple[int, ...], ...]:
    rng = random.Random(f"{plan.seed}/{repeat}")
    return tuple(rng.sample(plan.sessions, len(plan.sessions)))
