"""ECDFs and percentiles; a percentile that the data cannot show is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specchat.evidence import ecdf, percentile, percentiles


def test_an_ecdf_steps_at_each_value() -> None:
    curve = ecdf([3.0, 1.0, 2.0, 2.0])

    assert curve.values == (1.0, 2.0, 3.0)
    assert curve.shares == (0.25, 0.75, 1.0)
    assert curve.n == 4


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_an_ecdf_rises_to_one(values: list[float]) -> None:
    curve = ecdf(values)

    assert list(curve.values) == sorted(set(values))
    assert list(curve.shares) == sorted(curve.shares)
    assert curve.shares[-1] == pytest.approx(1.0)
    assert curve.n == len(values)


def test_missing_measurements_are_left_out() -> None:
    assert ecdf([None, math.nan, 5.0]).n == 1
    assert ecdf([None]).values == ()
    assert percentiles([None, 5.0, math.nan]).p50 == 5.0


@pytest.mark.parametrize(
    ("n", "p50", "p95", "p99"),
    [
        (0, None, None, None),
        (1, 0.0, None, None),
        (19, 9.0, None, None),
        (20, 9.5, 18.05, None),
        (99, 49.0, 93.1, None),
        (100, 49.5, 94.05, 98.01),
    ],
)
def test_percentiles_need_enough_measurements(
    n: int, p50: float | None, p95: float | None, p99: float | None
) -> None:
    result = percentiles(float(value) for value in range(n))

    assert result.n == n
    assert result.p50 == p50
    assert result.p95 == (p95 if p95 is None else pytest.approx(p95))
    assert result.p99 == (p99 if p99 is None else pytest.approx(p99))


@pytest.mark.parametrize("percent", [0, 100, -5])
def test_a_percentile_that_does_not_exist_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 100"):
        percentile([1.0], percent)
