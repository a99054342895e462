"""Wilson intervals against published values, the bootstrap against what it must satisfy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specchat.evidence import bootstrap_median, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [  # Newcombe 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_published_values(
    successes: int, trials: int, low: float, high: float
) -> None:
    interval = wilson(successes, trials)

    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


@given(trials=st.integers(1, 10**9), data=st.data())
def test_wilson_holds_the_share_within_0_and_1(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))

    interval = wilson(successes, trials)

    assert 0 <= interval.low <= successes / trials <= interval.high <= 1


def test_wilson_knows_nothing_without_trials() -> None:
    assert not wilson(0, 0).known


def test_wilson_refuses_impossible_counts() -> None:
    with pytest.raises(ValueError, match="from 0 to trials=3, got 4"):
        wilson(4, 3)


def test_the_bootstrap_is_the_same_for_the_same_seed() -> None:
    values = np.random.default_rng(1).normal(size=50)

    assert bootstrap_median(values, seed=7) == bootstrap_median(values, seed=7)
    assert bootstrap_median(values, seed=7) != bootstrap_median(values, seed=8)


def test_the_bootstrap_covers_the_true_median_about_95_times_in_100() -> None:
    random = np.random.default_rng(0)
    intervals = [
        bootstrap_median(random.normal(size=40), resamples=400, seed=run) for run in range(300)
    ]

    covered = sum(each.low <= 0 <= each.high for each in intervals) / len(intervals)

    assert 0.90 <= covered <= 0.99


def test_the_bootstrap_lies_within_the_values() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 60.0])

    interval = bootstrap_median(values)

    assert 1 <= interval.low < 3.5 < interval.high <= 60


@pytest.mark.parametrize(("n", "known"), [(0, False), (1, False), (5, False), (6, True)])
def test_an_interval_takes_six_values(n: int, known: bool) -> None:
    interval = bootstrap_median(np.arange(float(n)))

    assert interval.known is known
    assert math.isnan(interval.high) is not known


def test_ten_thousand_values_are_resampled_in_pieces() -> None:
    values = np.random.default_rng(2).normal(size=10_000)

    interval = bootstrap_median(values, resamples=500)

    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 1.2533 / 100, rel=0.2)
