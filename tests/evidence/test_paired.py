"""Paired speedups: one observation for each prompt, ratios that cancel, honest intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specchat.evidence import Pair, paired_speedup, pairs_of, saved_ms

times = st.floats(0.01, 1e5)


@dataclass(frozen=True)
class Arm:
    """One side of a race."""

    ttft_ms: float | None = 30.0
    tpot_ms: float | None = 4.0
    e2e_ms: float | None = 400.0
    status: str = "completed"


@dataclass(frozen=True)
class Race:
    """A race as the store returns it."""

    prompt: str
    plain: Arm
    speculative: Arm
    identical: bool = True


def test_the_median_of_the_prompts_is_reported() -> None:
    pairs = [Pair(str(ratio), 10.0 * ratio, 10.0) for ratio in (0.5, 1.5, 2.0, 2.5, 3.0, 3.5, 40)]

    summary = paired_speedup(pairs)

    assert summary.median == pytest.approx(2.5)
    assert summary.ci95.low < 2.5 < summary.ci95.high
    assert (summary.prompts, summary.pairs, summary.slower) == (7, 7, 1)


def test_a_prompt_raced_often_counts_once() -> None:
    often = [Pair("a", 10.0, 1.0)] * 50
    others = [Pair("b", 20.0, 10.0), Pair("c", 20.0, 10.0)]

    summary = paired_speedup([*often, *others])

    assert summary.median == pytest.approx(2.0)
    assert (summary.prompts, summary.pairs) == (3, 52)


def test_twice_as_fast_and_twice_as_slow_cancel() -> None:
    summary = paired_speedup([Pair("a", 20.0, 10.0), Pair("b", 10.0, 20.0)])

    assert summary.median == pytest.approx(1.0)


@given(st.lists(st.tuples(times, times), min_size=6, max_size=30))
def test_swapping_the_arms_inverts_the_speedup(measured: list[tuple[float, float]]) -> None:
    forth = [Pair(str(i), plain, spec) for i, (plain, spec) in enumerate(measured)]
    back = [Pair(pair.prompt, pair.speculative_ms, pair.plain_ms) for pair in forth]

    ahead, behind = paired_speedup(forth, resamples=200), paired_speedup(back, resamples=200)

    assert ahead.median == pytest.approx(1 / behind.median)
    assert ahead.ci95.low == pytest.approx(1 / behind.ci95.high)


@given(st.lists(st.tuples(times, times), min_size=6, max_size=30))
def test_the_interval_holds_the_median(measured: list[tuple[float, float]]) -> None:
    pairs = [Pair(str(i), plain, spec) for i, (plain, spec) in enumerate(measured)]

    summary = paired_speedup(pairs, resamples=400)

    assert summary.ci95.low <= summary.median * (1 + 1e-9)
    assert summary.median <= summary.ci95.high * (1 + 1e-9)


def test_few_prompts_give_no_interval() -> None:
    summary = paired_speedup([Pair(str(prompt), 2.0, 1.0) for prompt in range(5)])

    assert summary.median == pytest.approx(2.0)
    assert not summary.ci95.known


def test_no_pairs_give_no_speedup() -> None:
    summary = paired_speedup([])

    assert math.isnan(summary.median)
    assert summary.prompts == 0


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_time_is_named(bad: float) -> None:
    with pytest.raises(ValueError, match="the speculative time must be positive and finite"):
        paired_speedup([Pair("a", 1.0, bad)])


def test_races_that_cannot_be_compared_are_left_out() -> None:
    races = [
        Race("kept", Arm(), Arm(tpot_ms=2.0)),
        Race("no time", Arm(), Arm(tpot_ms=None)),
        Race("not a number", Arm(tpot_ms=math.nan), Arm()),
        Race("stopped", Arm(), Arm(status="cancelled")),
        Race("another answer", Arm(), Arm(), identical=False),
    ]

    assert pairs_of(races, "tpot_ms") == (Pair("kept", 4.0, 2.0),)
    assert len(pairs_of(races, "e2e_ms")) == 3


def test_saved_time_may_be_negative() -> None:
    savings = saved_ms([Pair("a", 100.0, 40.0), Pair("b", 100.0, 90.0), Pair("c", 10.0, 200.0)])

    assert (savings.total_ms, savings.median_ms, savings.pairs) == (-120.0, 10.0, 3)
    assert math.isnan(saved_ms([]).median_ms)
