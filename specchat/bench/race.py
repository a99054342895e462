"""One prompt, plain and speculative, one after the other on the same engine, as it happens."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specchat.bench.arms import ARMS, Arm, ArmRecorder, ArmResult, arm_request
from specchat.engine.request import DraftTrace, SamplingParams, Token, TurnStats

if TYPE_CHECKING:
    from specchat.engine.interface import AnyEngine


@dataclass(frozen=True, slots=True)
class RaceEvent:
    """What one arm's stream just gave."""

    arm: Arm
    at_ms: float  # since this arm's submit
    tokens: tuple[Token, ...]
    done: bool  # this arm is finished
    stats: TurnStats | None  # when done
    draft: DraftTrace | None = None  # what was verified, where the race is traced


@dataclass(frozen=True, slots=True)
class PairResult:
    """Both arms of one race."""

    plain: ArmResult
    speculative: ArmResult
    identical: bool  # the same tokens in both
    first: Arm  # the arm that ran first


def race_pair(
    engine: AnyEngine,
    prompt_ids: Sequence[int],
    params: SamplingParams,
    *,
    salt: str,
    first: Arm | None = None,
    traced: bool = False,
) -> Iterator[RaceEvent | PairResult]:
    """Runs both arms and yields their events; the `PairResult` is last.

    The order is random unless `first` names it. Neither arm finds prefix pages of the other.
    A `traced` race tells the drafts of every step of either arm, at the same cost to both.
    Closing the generator cancels the arm that runs.

    Raises:
        EngineError: the request was refused, or an arm ended early.
    """
    order = _order(random.choice(ARMS) if first is None else first)
    results: dict[Arm, ArmResult] = {}
    for arm in order:
        recorder = ArmRecorder()
        request = arm_request(
            prompt_ids, params, speculate=arm == "speculative", salt=salt, traced=traced
        )
        with engine.submit(request) as stream:
            for delta in stream:
                recorder.add(delta)
                done = delta.finish is not None
                yield RaceEvent(arm, delta.at_ms, delta.tokens, done, delta.stats, delta.draft)
        results[arm] = recorder.result()
    plain, speculative = results["plain"], results["speculative"]
    yield PairResult(plain, speculative, plain.token_ids == speculative.token_ids, order[0])


def _order(first: Arm) -> tuple[Arm, Arm]:
    return ("plain", "speculative") if first == "plain" else ("speculative", "plain")
