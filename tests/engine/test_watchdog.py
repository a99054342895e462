"""A step that does not end: everybody who waits is told, and the engine says that it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from specchat.engine.engine import Engine
from specchat.engine.errors import EngineClosedError
from specchat.engine.options import EngineOptions
from specchat.engine.request import KnownText
from specchat.engine.watchdog import LOOKS, Watchdog
from tests.engine.running import Engines, prompts, request

LIMIT_S = 0.5
SAID = "a step has not ended within 0.5 s"


@pytest.fixture
def go_on() -> Iterator[threading.Event]:
    """Lets a step that hangs end."""
    event = threading.Event()
    yield event
    event.set()


def hang(engine: Engine, go_on: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Any:
    """From now on a step waits for `go_on`; returns what says that one does."""
    forward, stuck = engine._runner.forward, threading.Event()

    def hanging(parts: Any) -> Any:
        stuck.set()
        go_on.wait()
        return forward(parts)

    monkeypatch.setattr(engine._runner, "forward", hanging)
    return stuck


def test_everybody_who_waits_is_told_when_a_step_hangs(
    engines: Engines,
    go_on: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = engines(step_limit_s=LIMIT_S, max_running=2)
    assert engine.alive
    stuck = hang(engine, go_on, monkeypatch)
    first = engine.submit(request(prompts(1)[0], max_tokens=50))
    assert stuck.wait(60)
    calls: list[Callable[[], Any]] = [
        lambda: list(first),
        lambda: engine.submit(request(prompts(1)[0])),
        lambda: engine.logits([5, 6]),
        lambda: engine.log_likelihoods([KnownText((5, 6, 7), 1)]),
        lambda: engine.evict_salt("ann"),
    ]
    with ThreadPoolExecutor(len(calls)) as pool:
        for told in [pool.submit(call) for call in calls]:
            with pytest.raises(EngineClosedError, match=SAID):
                told.result(60)
    assert not engine.alive
    assert engine.snapshot().failure == SAID
    assert f"{SAID}; nothing is answered any more, restart" in caplog.text
    with pytest.raises(EngineClosedError, match=SAID):
        engine.submit(request(prompts(1)[0]))
    go_on.set()
    engine.close()


def test_closing_does_not_wait_for_a_step_that_hangs(
    engines: Engines, go_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specchat.engine.engine.LAST_JOB_S", 0.1)
    engine = engines(step_limit_s=LIMIT_S)
    stuck = hang(engine, go_on, monkeypatch)
    stream = engine.submit(request(prompts(1)[0], max_tokens=50))
    assert stuck.wait(60)
    engine.close()
    with pytest.raises(EngineClosedError, match=SAID):
        list(stream)


def test_many_steps_one_after_the_other_are_no_step_that_hangs() -> None:
    told, looks = threading.Event(), threading.Semaphore(0)

    def next_step() -> bool:
        watchdog.__exit__()
        watchdog.__enter__()
        looks.release()
        return False

    watchdog = Watchdog(0.01, told.set, excused=next_step)
    with watchdog:
        for _ in range(3 * LOOKS):
            assert looks.acquire(timeout=60)
    assert not told.is_set()


def test_a_step_may_take_its_time_while_something_is_compiled() -> None:
    told, looks, compiling = threading.Event(), threading.Semaphore(0), [True]

    def excused() -> bool:
        looks.release()
        return compiling[0]

    watchdog = Watchdog(0.01, told.set, excused=excused)
    with watchdog:
        for _ in range(3 * LOOKS):
            assert looks.acquire(timeout=60)
        assert not told.is_set()
        compiling[0] = False
        assert told.wait(60)


def test_without_a_limit_nothing_looks() -> None:
    before = threading.active_count()
    Watchdog(0.0, lambda: None, excused=lambda: False)
    assert threading.active_count() == before


@pytest.mark.parametrize("limit", [-1.0, float("nan")])
def test_a_limit_is_a_time(limit: float) -> None:
    with pytest.raises(ValueError, match=f"step_limit_s must be at least 0, got {limit}"):
        EngineOptions(step_limit_s=limit)
