"""Acceptance by depth, by step and over all, and the alarms about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specchat.engine.request import TurnStats
from specchat.evidence import (
    acceptance_by_depth,
    acceptance_histogram,
    alarms,
    draft_acceptance_rate,
    mean_acceptance_length,
)


@dataclass(frozen=True)
class Turn:
    """A speculative turn."""

    turn_id: str = "t"
    steps: int = 10
    drafted: int = 30
    accepted: int = 15
    drafted_by_depth: tuple[int, ...] = (10, 10, 10)
    accepted_by_depth: tuple[int, ...] = (8, 5, 2)
    accepted_lengths: tuple[int, ...] = (3, 3, 2, 2, 2, 1, 1, 1, 0, 0)


PLAIN = Turn("plain", drafted=0, accepted=0, drafted_by_depth=(), accepted_by_depth=())


def test_depths_add_up_over_turns_of_different_reach() -> None:
    deeper = Turn(drafted_by_depth=(10, 10, 10, 10), accepted_by_depth=(4, 3))

    depths = acceptance_by_depth([Turn(), deeper])

    assert [(each.depth, each.accepted, each.drafted) for each in depths] == [
        (1, 12, 20),
        (2, 8, 20),
        (3, 2, 20),
        (4, 0, 10),
    ]
    assert depths[0].rate == pytest.approx(0.6)
    assert depths[0].ci95.low < 0.6 < depths[0].ci95.high
    assert acceptance_by_depth([PLAIN]) == ()


def test_the_histogram_counts_steps() -> None:
    assert acceptance_histogram([Turn(), Turn(accepted_lengths=(5,))]) == (2, 3, 3, 2, 0, 1)
    assert acceptance_histogram([]) == ()


def test_a_long_turn_weighs_more_over_tokens_but_not_over_turns() -> None:
    turns = [Turn(steps=1, accepted=0), Turn(steps=1, accepted=1), Turn(steps=98, accepted=299)]

    length = mean_acceptance_length(turns)

    assert length.token_weighted == pytest.approx(4.0)
    assert length.turn_median == pytest.approx(2.0)
    assert length.turns == 3


def test_turns_without_steps_have_no_length() -> None:
    assert math.isnan(mean_acceptance_length([Turn(steps=0)]).token_weighted)
    assert mean_acceptance_length([Turn(steps=0), Turn()]).turns == 1


def test_the_acceptance_rate_is_over_all_drafts() -> None:
    rate = draft_acceptance_rate([Turn(), Turn(drafted=70, accepted=60), PLAIN])

    assert (rate.rate, rate.accepted, rate.drafted) == (0.75, 75, 100)
    assert rate.ci95.low < 0.75 < rate.ci95.high
    assert math.isnan(draft_acceptance_rate([PLAIN]).rate)


def test_the_engines_own_statistics_agree() -> None:
    stats = TurnStats(
        prompt_tokens=5, cached_tokens=0, completion_tokens=25, queue_ms=0.0, ttft_ms=1.0,
        e2e_ms=9.0, steps=10, drafted=30, accepted=15, drafted_by_depth=(10, 10, 10),
        accepted_by_depth=(8, 5, 2), drafted_by_source={}, accepted_by_source={},
        accepted_lengths=(), draft_ms=0.0, verify_ms=0.0, peak_pages=1, preemptions=0,
    )  # fmt: skip

    assert mean_acceptance_length([stats]).token_weighted == stats.mean_acceptance_length
    assert draft_acceptance_rate([stats]).rate == stats.draft_acceptance_rate


@given(st.lists(st.integers(0, 5), min_size=1, max_size=50))
def test_a_turn_counted_from_its_steps_raises_no_alarm_and_adds_up(lengths: list[int]) -> None:
    """Chains of depth 5, as an engine would count them, at a believable rate."""
    reached = tuple(sum(length > depth for length in lengths) for depth in range(5))
    turn = Turn(
        steps=len(lengths),
        drafted=5 * len(lengths),
        accepted=sum(lengths),
        drafted_by_depth=(len(lengths),) * 5,
        accepted_by_depth=reached,
        accepted_lengths=tuple(lengths),
    )

    assert not [each for each in alarms([turn]) if each.kind == "impossible"]
    assert sum(each.accepted for each in acceptance_by_depth([turn])) == turn.accepted
    assert sum(acceptance_histogram([turn])) == turn.steps


@pytest.mark.parametrize(
    "wrong",
    [
        Turn(accepted=31),
        Turn(accepted=-1),
        Turn(accepted_by_depth=(11, 0, 0)),
        Turn(accepted_by_depth=(5, 8, 2)),
        Turn(accepted_by_depth=(8, 5, 2, 1)),
    ],
)
def test_contradictory_counters_are_an_alarm_and_break_nothing(wrong: Turn) -> None:
    (alarm,) = alarms([Turn("sound"), replace(wrong, turn_id="wrong")])

    assert (alarm.kind, alarm.turn_ids) == ("impossible", ("wrong",))
    acceptance_by_depth([wrong])
    draft_acceptance_rate([wrong])


def test_implausible_rates_are_alarms_once_there_is_enough_to_tell() -> None:
    def chain(turn_id: str, drafted: int, accepted: int) -> Turn:
        return Turn(turn_id, drafted, drafted, accepted, (drafted,), (accepted,), ())

    found = alarms(
        [
            chain("loop", 100, 100),
            chain("short but perfect", 20, 20),
            chain("misfit", 300, 0),
            chain("unlucky", 20, 0),
            chain("good", 300, 240),
            PLAIN,
        ]
    )

    assert {each.kind: each.turn_ids for each in found} == {
        "too_high": ("loop",),
        "too_low": ("misfit",),
    }
