"""Whether asking a speculator pays: losing ones pause and are tried again."""

from __future__ import annotations

import pytest

from specchat.engine.policy.profitability import AskCost, Worth


def test_one_that_loses_pauses_longer_each_time_and_is_tried_again() -> None:
    worth = Worth()
    pauses = []
    for _ in range(12):
        worth.observe(0.9)
        pauses.append(0)
        while not worth.allow():
            pauses[-1] += 1
    assert pauses == sorted(pauses)
    assert pauses[-1] == Worth.LONGEST


def test_a_speculator_that_helps_now_and_then_is_asked_as_long_as_it_pays_on_average() -> None:
    pays, loses = Worth(), Worth()
    for n in range(200):
        pays.observe(1.5 if n % 3 == 0 else 0.9)
        loses.observe(1.1 if n % 3 == 0 else 0.9)
    assert pays.ratio > 1.0
    assert pays.pause == 0
    assert not loses.allow()


def test_what_asking_costs_is_an_average_that_outliers_hardly_move() -> None:
    cost = AskCost()
    for ms in (40.0, 1.0, 1.0, 3.0, 1.0, *[1.0, 2.0] * 50):
        cost.observe(ms)
    assert cost.ms == pytest.approx(1.5, abs=0.1)
    cost.observe(500.0)
    assert cost.ms < 2.0
