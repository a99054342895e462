"""Goodput, users sustained, saturation and throughput ratios, on numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from specchat.evidence.interval import bootstrap_percentile
from specchat.evidence.load import (
    Level,
    Objective,
    ServedRequest,
    goodput,
    latencies,
    saturation,
    sustained,
    sustained_normalized,
    throughput_ratio,
)

OBJECTIVE = Objective(ttft_ms=100.0, tpot_ms=10.0)


def request(
    ttft: float | None = 50.0, tpot: float | None = 5.0, **changes: object
) -> ServedRequest:
    values = {"completed": True, "tokens": 10, "e2e_ms": 95.0, "longest_gap_ms": 7.0, **changes}
    return ServedRequest(ttft_ms=ttft, tpot_ms=tpot, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("each", "meets"),
    [
        (request(), True),
        (request(100.0, 10.0), True),
        (request(100.1), False),
        (request(tpot=10.1), False),
        (request(tpot=None, tokens=1), True),
        (request(ttft=None, tokens=0), False),
        (request(completed=False), False),
    ],
)
def test_an_objective_is_met_by_answers_in_time(each: ServedRequest, meets: bool) -> None:
    assert each.meets(OBJECTIVE) is meets


def test_goodput_counts_what_met_the_objective_per_second() -> None:
    requests = [request(), request(), request(ttft=500.0), request(completed=False)]
    assert goodput(requests, OBJECTIVE, 4.0) == 0.5
    with pytest.raises(ValueError, match="seconds must be positive, got 0"):
        goodput(requests, OBJECTIVE, 0)


def test_latencies_are_of_answered_requests_only() -> None:
    found = latencies([request(float(t)) for t in range(1, 41)] + [request(9e9, completed=False)])
    assert found.ttft.n == 40
    assert found.ttft.p50 == 20.5
    assert found.ttft_p95_ci95.low <= found.ttft.p95 <= found.ttft_p95_ci95.high
    assert found.ttft.p99 is None  # takes 100
    assert found.normalized.p50 == 9.5  # 95 ms for 10 tokens, the wait included


def test_no_answers_give_no_latencies() -> None:
    found = latencies([])
    assert (found.ttft.n, found.ttft.p50, found.tpot.p95) == (0, None, None)
    assert not found.tpot_p95_ci95.known


def level(users: int, ttft: float, tpot: float = 5.0, n: int = 20, refused: int = 0) -> Level:
    return Level(users, latencies([request(ttft, tpot)] * n), refused)


def test_users_are_sustained_up_to_the_first_level_that_fails() -> None:
    levels = [level(8, 500.0), level(1, 10.0), level(4, 90.0), level(16, 10.0)]
    found = sustained(levels, OBJECTIVE)
    assert (found.users, found.fails_at, found.unknown_at) == (4, 8, None)


def test_the_highest_level_may_hold() -> None:
    found = sustained([level(1, 10.0), level(2, 10.0)], OBJECTIVE)
    assert (found.users, found.fails_at, found.unknown_at) == (2, None, None)


def test_refused_requests_and_slow_tokens_fail_a_level() -> None:
    assert sustained([level(1, 10.0, refused=1)], OBJECTIVE).fails_at == 1
    assert sustained([level(1, 10.0, tpot=11.0)], OBJECTIVE).fails_at == 1


def test_too_few_answers_decide_nothing() -> None:
    found = sustained([level(1, 10.0), level(2, 10.0, n=19), level(4, 10.0)], OBJECTIVE)
    assert (found.users, found.fails_at, found.unknown_at) == (1, None, 2)


def test_users_whose_wait_counts_as_part_of_every_token() -> None:
    levels = [
        Level(users, latencies([request(tokens=10, e2e_ms=10.0 * users)] * 20), 0)
        for users in (1, 2, 4, 8)
    ]
    assert sustained_normalized(levels, 4.0).users == 4
    assert sustained_normalized(levels, 4.0).fails_at == 8


def test_throughput_saturates_where_more_users_stop_paying() -> None:
    assert saturation([(1, 100.0), (2, 190.0), (4, 300.0), (8, 310.0)]) == 4
    assert saturation([(1, 100.0), (2, 200.0)]) is None  # more users may still pay
    assert saturation([(1, 100.0), (2, 90.0)]) == 1
    assert saturation([]) is None


def test_a_ratio_is_the_median_over_pairs() -> None:
    found = throughput_ratio([(100.0, 200.0), (100.0, 50.0), (100.0, 110.0), (0.0, 5.0)])
    assert found.median == pytest.approx(1.1)
    assert (found.low, found.high) == (pytest.approx(0.5), pytest.approx(2.0))
    assert found.pairs == 3
    assert not found.ci95.known  # takes 6


def test_enough_pairs_give_an_interval() -> None:
    found = throughput_ratio([(100.0, 100.0 + i) for i in range(10)])
    assert found.ci95.low < found.median < found.ci95.high
    assert math.isnan(throughput_ratio([]).median)


def test_a_percentiles_interval_needs_values_beyond_it() -> None:
    values = np.arange(1000.0)
    interval = bootstrap_percentile(values, 95)
    assert 930 < interval.low < 949.05 < interval.high < 970
    assert not bootstrap_percentile(values[:39], 95).known
    with pytest.raises(ValueError, match="percent must be above 0 and below 100, got 100"):
        bootstrap_percentile(values, 100)
