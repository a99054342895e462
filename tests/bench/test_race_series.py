"""The measurement: interleaved, repeated, warmed up, reproducible."""

from __future__ import annotations

from collections import Counter

import pytest

from specchat.bench.prompts import BenchPrompt
from specchat.bench.race_series import RacePlan, run_race, wait_until_ready
from specchat.engine.errors import EngineError, RequestError
from specchat.engine.request import FinishReason, SamplingParams
from tests.bench.double import FakeEngine

PROMPTS = [BenchPrompt(f"p{i}", (i, i + 1)) for i in range(5)]
PARAMS = SamplingParams(max_tokens=8, temperature=0.8, seed=100)


def _measured(engine: FakeEngine, plan: RacePlan) -> list[tuple[tuple[int, ...], bool]]:
    """(prompt ids, speculate) of each request after the warm-up."""
    run_race(engine, PROMPTS, plan)
    warm_up = 2 * max(2, plan.concurrency)
    return [(r.prompt_ids, r.params.speculate) for r in engine.requests[warm_up:]]


def test_every_prompt_runs_in_both_arms_as_often_as_asked() -> None:
    runs = Counter(_measured(FakeEngine(), RacePlan(PARAMS, repeats=3)))
    assert set(runs.values()) == {3}
    assert len(runs) == 2 * len(PROMPTS)


def test_pairs_come_in_the_order_of_the_prompts() -> None:
    pairs = run_race(FakeEngine(), PROMPTS, RacePlan(PARAMS, repeats=2))
    assert [pair.prompt_id for pair in pairs] == ["p0", "p1", "p2", "p3", "p4"]
    assert all(len(pair.plain) == len(pair.speculative) == 2 for pair in pairs)
    assert all(pair.identical for pair in pairs)


def test_both_arms_of_a_prompt_run_next_to_each_other_in_random_order() -> None:
    runs = _measured(FakeEngine(), RacePlan(PARAMS, repeats=4))
    first_arms = set()
    for (first, first_arm), (second, second_arm) in zip(runs[::2], runs[1::2], strict=True):
        assert first == second
        assert first_arm != second_arm
        first_arms.add(first_arm)
    assert first_arms == {True, False}


def test_the_same_seed_gives_the_same_order() -> None:
    plan = RacePlan(PARAMS, repeats=2)
    assert _measured(FakeEngine(), plan) == _measured(FakeEngine(), plan)


def test_requests_of_one_arm_are_in_flight_together() -> None:
    arms = [arm for _, arm in _measured(FakeEngine(), RacePlan(PARAMS, repeats=1, concurrency=5))]
    assert arms in ([True] * 5 + [False] * 5, [False] * 5 + [True] * 5)


def test_each_prompt_has_its_own_seed_the_same_in_both_arms() -> None:
    engine = FakeEngine()
    run_race(engine, PROMPTS, RacePlan(PARAMS, repeats=2))
    seeds = {(request.prompt_ids, request.params.seed) for request in engine.requests}
    assert seeds == {(prompt.ids, 100 + i) for i, prompt in enumerate(PROMPTS)}


def test_a_null_race_is_plain_against_plain() -> None:
    runs = _measured(FakeEngine(), RacePlan(PARAMS, repeats=1, null=True))
    assert not any(speculate for _, speculate in runs)


def test_progress_reaches_the_total() -> None:
    seen: list[tuple[int, int]] = []
    plan = RacePlan(PARAMS, repeats=2, concurrency=2)
    run_race(FakeEngine(), PROMPTS, plan, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (20, 20)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_refused_prompt_cancels_the_others() -> None:
    engine = FakeEngine()
    prompts = [PROMPTS[0], BenchPrompt("empty", ())]
    with pytest.raises(RequestError):
        run_race(engine, prompts, RacePlan(PARAMS, concurrency=2))
    assert engine.streams
    assert all(stream.closed for stream in engine.streams)


def test_an_early_end_is_no_measurement() -> None:
    with pytest.raises(EngineError, match="ended early"):
        run_race(FakeEngine(finish=FinishReason.ERROR), PROMPTS, RacePlan(PARAMS))


def test_measuring_waits_for_the_warm_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specchat.bench.race_series.READY_POLL_S", 0.0)
    told: list[str] = []
    assert wait_until_ready(FakeEngine(waits=3, backend="compiled 2/7"), on_wait=told.append)
    assert told == ["compiled 2/7"] * 3


def test_waiting_ends_when_the_time_is_up() -> None:
    assert not wait_until_ready(FakeEngine(waits=10), timeout_s=0.0)
