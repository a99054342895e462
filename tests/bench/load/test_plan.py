"""The plan of a load test: which cells are measured, in which order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from specchat.bench.load import plan
from specchat.bench.load.plan import (
    NULL,
    PLAIN,
    SPECULATIVE,
    LoadError,
    LoadPlan,
    ablation_arms,
    cells_of,
    contiguous_arm,
    words,
)
from specchat.bench.load.traffic import ClosedTraffic, OpenTraffic
from specchat.engine.request import SamplingParams

PLAN = LoadPlan(
    params=SamplingParams(),
    arms=(PLAIN, SPECULATIVE, NULL),
    users=(1, 4),
    rates=(2.0,),
    sessions=tuple((i,) for i in range(6)),
    seconds=1.0,
    repeats=4,
    seed=5,
)


def test_every_arm_is_measured_under_every_traffic_as_often_as_asked() -> None:
    cells = list(plan._schedule(PLAN))
    assert len(cells) == cells_of(PLAN) == 36
    counted = Counter((arm.name, words(traffic)) for arm, traffic, _ in cells)
    assert set(counted.values()) == {4}
    assert len(counted) == 9


def test_the_arms_of_a_traffic_run_next_to_each_other_with_the_same_work() -> None:
    cells = list(plan._schedule(PLAN))
    orders = set()
    for start in range(0, len(cells), 3):
        together = cells[start : start + 3]
        assert {arm.name for arm, _, _ in together} == {"plain", "speculative", "plain again"}
        assert len({(traffic, repeat) for _, traffic, repeat in together}) == 1
        orders.add(tuple(arm.name for arm, _, _ in together))
    assert len(orders) > 1


def test_repeats_differ_in_their_sessions_and_arrivals() -> None:
    closed = {t.sessions for _, t, _ in plan._schedule(PLAN) if isinstance(t, ClosedTraffic)}
    opened = {t.seed for _, t, _ in plan._schedule(PLAN) if isinstance(t, OpenTraffic)}
    assert len(closed) == len(opened) == PLAN.repeats


def test_the_same_seed_gives_the_same_cells() -> None:
    assert list(plan._schedule(PLAN)) == list(plan._schedule(PLAN))
    assert list(plan._schedule(PLAN)) != list(plan._schedule(replace(PLAN, seed=6)))


def test_the_warm_up_sees_both_ways_of_decoding_at_every_level() -> None:
    seen = {(arm.speculate, traffic.users) for arm, traffic in plan._warm_up(PLAN)}  # type: ignore[union-attr]
    assert seen == {(False, 1), (False, 4), (True, 1), (True, 4)}


def test_an_ablation_adds_one_part_at_a_time() -> None:
    arms = ablation_arms(kv_tokens=5_456, reserved_tokens=2_048)
    assert [arm.name for arm in arms] == [
        "sequential", "contiguous", "paged", "plain", "speculative",
    ]  # fmt: skip
    assert [arm.slots for arm in arms] == [1, 2, None, None, None]
    assert [arm.prefix_cache for arm in arms] == [False, False, False, True, True]
    assert [arm.speculate for arm in arms] == [False] * 4 + [True]


def test_a_cache_without_room_for_a_reservation_is_refused() -> None:
    with pytest.raises(LoadError, match="of 2047 tokens holds no reservation of 2048"):
        contiguous_arm(2_047, 2_048)
