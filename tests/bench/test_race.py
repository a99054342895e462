"""One race: both arms, one after the other, on the same prompt, seed and engine."""

from __future__ import annotations

import pytest

from specchat.bench.race import PairResult, RaceEvent, race_pair
from specchat.engine.errors import EngineError
from specchat.engine.request import FinishReason, SamplingParams
from tests.bench.double import FakeEngine

PROMPT = (3, 1, 4)
PARAMS = SamplingParams(max_tokens=10, seed=5)


def test_both_arms_stream_and_the_result_is_last() -> None:
    *events, result = race_pair(FakeEngine(), PROMPT, PARAMS, salt="shop", first="speculative")

    assert isinstance(result, PairResult)
    assert result.first == "speculative"
    assert result.identical
    assert all(isinstance(event, RaceEvent) for event in events)
    arms = [event.arm for event in events]
    assert arms == ["speculative"] * 4 + ["plain"] * 10
    streamed = [token for event in events if event.arm == "plain" for token in event.tokens]
    assert tuple(streamed) == result.plain.tokens
    assert [event.done for event in events].count(True) == 2


def test_each_token_keeps_its_arrival_time() -> None:
    *_, result = race_pair(FakeEngine(), PROMPT, PARAMS, salt="shop")
    assert result.plain.times_ms == tuple(10.0 + 4 * step for step in range(10))
    assert result.speculative.times_ms == (10, 15, 15, 15, 20, 20, 20, 25, 25, 25)


def test_only_speculation_differs_between_the_arms() -> None:
    engine = FakeEngine()
    list(race_pair(engine, PROMPT, PARAMS, salt="shop", first="plain"))
    plain, speculative = engine.requests
    assert (plain.params.speculate, speculative.params.speculate) == (False, True)
    assert plain.prompt_ids == speculative.prompt_ids == PROMPT
    assert plain.params.seed == speculative.params.seed == 5


def test_no_arm_and_no_race_finds_the_prefix_pages_of_another() -> None:
    engine = FakeEngine()
    for _ in range(2):
        list(race_pair(engine, PROMPT, PARAMS, salt="shop"))
    salts = {request.salt for request in engine.requests}
    assert len(salts) == 4
    assert all(salt.startswith("shop/") for salt in salts)


def test_without_a_wish_either_arm_may_run_first() -> None:
    firsts = set()
    for _ in range(64):
        *_, result = race_pair(FakeEngine(), PROMPT, SamplingParams(max_tokens=1), salt="")
        firsts.add(result.first)
    assert firsts == {"plain", "speculative"}


def test_different_tokens_are_not_identical() -> None:
    *_, result = race_pair(FakeEngine(wrong_at=4), PROMPT, PARAMS, salt="shop")
    assert not result.identical


def test_closing_the_race_cancels_the_arm_that_runs() -> None:
    engine = FakeEngine()
    race = race_pair(engine, PROMPT, PARAMS, salt="shop")
    next(race)
    race.close()
    assert [stream.closed for stream in engine.streams] == [True]


@pytest.mark.parametrize("finish", [FinishReason.CANCELLED, FinishReason.ERROR])
def test_an_arm_that_ends_early_is_no_result(finish: FinishReason) -> None:
    with pytest.raises(EngineError, match="ended early"):
        list(race_pair(FakeEngine(finish=finish), PROMPT, PARAMS, salt="shop"))
