"""What others learn of an engine: that it lives, what its requests cost, that there is news."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from specchat.engine.errors import EngineClosedError
from specchat.engine.request import FinishReason, TurnStats
from tests.engine.running import Engines, prompts, read, request

PROMPT = prompts(1)[0]


def test_every_request_that_ends_is_told_before_its_reader_hears_of_it(engines: Engines) -> None:
    engine = engines()
    told: list[tuple[FinishReason, TurnStats | None]] = []
    engine.watch(lambda reason, stats: told.append((reason, stats)))
    answer = read(engine.submit(request(PROMPT, max_tokens=5, ignore_eos=True)))
    assert told == [(FinishReason.LENGTH, answer.stats)]
    stream = engine.submit(request(PROMPT, max_tokens=1_900, ignore_eos=True))
    next(stream)
    stream.cancel()
    list(stream)
    assert [reason for reason, _ in told] == [FinishReason.LENGTH, FinishReason.CANCELLED]


def test_a_request_whose_step_failed_is_told_without_its_cost(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engines()
    told: list[Any] = []
    engine.watch(lambda *ended: told.append(ended))

    def broken(_: Any) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(engine._runner, "forward", broken)
    with pytest.raises(EngineClosedError):
        list(engine.submit(request(PROMPT, max_tokens=5)))
    assert told == [(FinishReason.ERROR, None)]
    assert engine.alive  # one bad step does not end it


def test_an_engine_that_was_closed_is_not_alive(engines: Engines) -> None:
    engine = engines()
    assert engine.alive
    engine.close()
    assert not engine.alive


def test_a_reader_that_does_not_wait_is_told_of_every_delta(engines: Engines) -> None:
    engine = engines()
    stream = engine.submit(request(PROMPT, max_tokens=40, ignore_eos=True))
    news = threading.Semaphore(0)
    stream.notify(news.release)
    tokens = 0
    while True:
        assert news.acquire(timeout=120)
        while (delta := stream.next_within(0)) is not None:
            tokens += len(delta.tokens)
            if delta.finish is not None:
                assert tokens == delta.stats.completion_tokens == 40  # type: ignore[union-attr]
                return


def test_news_that_came_before_somebody_listens_is_told_at_once(engines: Engines) -> None:
    engine = engines()
    ended = threading.Event()
    engine.watch(lambda *_: ended.set())
    stream = engine.submit(request(PROMPT, max_tokens=2, ignore_eos=True))
    assert ended.wait(120)
    rung = threading.Event()
    stream.notify(rung.set)
    assert rung.is_set()
