"""Whether drafting pays: requests and speculators that pause, lead and are tried again."""

from __future__ import annotations

from collections import Counter

import pytest

from specchat.engine.policy.profitability import AskCost, Lead, Payoff, Payoffs, Trust, Worth


def test_a_request_that_loses_pauses_longer_each_time_and_is_tried_again() -> None:
    payoff = Payoff()
    pauses = []
    for _ in range(6):
        while payoff.allow():
            payoff.observe(-1.0)
        pauses.append(1)
        while not payoff.allow():
            pauses[-1] += 1
        payoff.observe(-1.0)
    assert pauses == sorted(pauses)
    assert pauses[-1] <= Payoff.LONGEST


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


def test_expectations_are_trusted_as_far_as_they_came_true() -> None:
    trust = Trust()
    assert trust.ratio == 1.0
    for _ in range(400):
        trust.observe(3.0, 4.0)
    assert trust.ratio == pytest.approx(0.75, abs=0.02)
    for _ in range(1000):
        trust.observe(4.0, 4.0)
    assert trust.ratio == pytest.approx(1.0, abs=0.02)


def test_the_speculator_that_promises_most_leads_and_the_others_have_a_try() -> None:
    lead = Lead()
    rates = {"slow": 1.0, "fast": 2.0, "none": 0.5}
    led: Counter[str] = Counter()
    for _ in range(480):
        name = lead.choose(list(rates))
        led[name] += 1
        lead.observe(name, rates[name])
    assert led["fast"] > 460
    assert min(led.values()) >= Lead.FIRST
    rates["slow"] = 3.0
    for _ in range(20 * Lead.LONGEST):
        name = lead.choose(list(rates))
        lead.observe(name, rates[name])
    assert max(lead.gains, key=lambda name: lead.gains[name]) == "slow"


def test_one_that_cannot_be_asked_does_not_keep_the_others_from_leading() -> None:
    lead = Lead()
    for _ in range(60):
        name = lead.choose(["refused", "asked", "better"])
        if name != "refused":
            lead.observe(name, 1.0 + (name == "better"))
    assert lead.choose(["refused", "asked", "better"]) == "better"


def pauses(losing: float, others_ms: float) -> int:
    """Of a request whose steps save 3 ms or lose so many, by turns, beside others like it."""
    payoff, count = Payoff(), 0
    for n in range(400):
        if payoff.allow():
            payoff.observe(3.0 if n % 7 == 0 else -losing, others_ms)
        else:
            count += 1
    return count


def test_a_request_is_less_easily_given_up_where_drafting_pays_for_others() -> None:
    assert pauses(losing=0.6, others_ms=0.0) > pauses(losing=0.6, others_ms=0.8) == 0
    assert pauses(losing=3.0, others_ms=0.8) > 200
    assert pauses(losing=0.3, others_ms=-2.0) == pauses(losing=0.3, others_ms=0.0)


def tried(payoffs: Payoffs, request_id: str, requests: int, steps: int) -> int:
    """Steps in which a request drafts that loses whenever it does."""
    count = 0
    for _ in range(steps):
        if payoffs.of(request_id, requests).allow():
            payoffs.observe(request_id, requests, -1.0)
            count += 1
    return count


def test_a_new_request_is_tried_less_where_drafting_has_lost_lately() -> None:
    payoffs = Payoffs()
    first = tried(payoffs, "first", 16, 100)
    assert tried(payoffs, "next", 16, 100) <= first // 2
    assert [tried(payoffs, f"then {i}", 16, 20) for i in range(4)] == [0, 0, 0, 2]  # a scout
    assert tried(payoffs, "alone", 1, 100) == first  # with fewer beside it nothing was lost
    for _ in range(200):
        payoffs.observe("next", 16, 1.0)  # by now it pays
    assert tried(payoffs, "later", 16, 100) == first
