"""The extrapolation is plain arithmetic on medians, and says when there is nothing to say."""

from __future__ import annotations

import math

import pytest

from specchat.evidence.paired import Pair
from specchat.evidence.savings import Assumptions, extrapolate


def test_the_median_saving_times_the_answers() -> None:
    pairs = [Pair("a", 1_000, 400), Pair("b", 1_000, 600), Pair("c", 1_000, 500)]
    found = extrapolate(pairs, Assumptions(1_000, 2, 3.6))
    assert found.seconds == pytest.approx(0.5 * 2_000)
    assert found.cost == pytest.approx(1.0)
    assert found.plain_seconds == pytest.approx(2_000)
    assert not found.ci95.known


def test_a_prompt_raced_often_counts_once() -> None:
    often = [Pair("a", 1_000, 100)] * 9
    found = extrapolate([*often, Pair("b", 1_000, 900), Pair("c", 1_000, 800)], Assumptions())
    assert found.prompts == 3
    assert found.seconds == pytest.approx(0.2 * 3_000)


def test_six_prompts_have_an_interval_and_a_loss_is_negative() -> None:
    found = extrapolate([Pair(str(i), 400, 500 + i) for i in range(6)], Assumptions())
    assert found.ci95.low <= found.seconds <= found.ci95.high < 0
    assert found.cost < 0


def test_without_races_nothing_is_claimed() -> None:
    assert math.isnan(extrapolate([], Assumptions()).seconds)


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_assumptions_must_be_possible(wrong: float) -> None:
    with pytest.raises(ValueError, match="price_per_hour"):
        Assumptions(price_per_hour=wrong)
