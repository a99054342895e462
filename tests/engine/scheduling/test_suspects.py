"""A prompt that ends steps with an error is found and refused; whoever ran beside it is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from specchat.engine.engine import Engine
from specchat.engine.errors import EngineClosedError, RefusedRequestError
from specchat.engine.request import FinishReason, Request
from specchat.engine.scheduling.suspects import FORGOTTEN_S, MOST, Suspects
from specchat.engine.sequence import TokenStream
from tests.engine.running import Engines, Stepped, ask, prompts, read, request, wait_idle

POISON = prompts(1, 20, seed=5)[0]
OTHERS = prompts(6, 20, seed=6)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fragile(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let every step raise that computes the poison's prompt; how many requests each step had."""
    forward = engine._runner.forward
    sizes: list[int] = []

    def broken(parts: Any) -> Any:
        sizes.append(len(parts))
        if any(tuple(part.tokens) == POISON for part in parts):
            raise RuntimeError("out of memory")
        return forward(parts)

    monkeypatch.setattr(engine._runner, "forward", broken)
    return sizes


def run(stepped: Stepped, asked: Sequence[Request]) -> list[Any]:
    """What was said to each, asked for at once; None where a step that it ran in failed."""
    for each in asked:
        stepped.submit(each)
    while stepped.alive:
        try:
            stepped.step()
        except RuntimeError as error:
            stepped.engine._fail_running(error)
    return [_said(stepped.streams[each.request_id]) for each in asked]


def _said(stream: TokenStream) -> Any:
    try:
        return read(stream).said
    except EngineClosedError:
        return None


def short(prompts: Sequence[Sequence[int]]) -> list[Request]:
    return [request(prompt, max_tokens=5, ignore_eos=True) for prompt in prompts]


def test_a_prompt_that_ends_two_steps_is_refused_and_any_other_answered(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engines()
    fragile(engine, monkeypatch)
    for _ in range(2):
        with pytest.raises(EngineClosedError, match="out of memory"):
            ask(engine, POISON, max_tokens=4)
    for _ in range(3):
        with pytest.raises(RefusedRequestError, match="ask in other words"):
            engine.submit(request(POISON, max_tokens=4))
    assert engine.snapshot().failed_steps == 2
    assert ask(engine, OTHERS[0], max_tokens=4, ignore_eos=True).finish is FinishReason.LENGTH
    wait_idle(engine)


def test_who_was_in_flight_with_it_is_answered_and_no_suspect_any_more(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = [ask(engines(), each, max_tokens=5, ignore_eos=True).said for each in OTHERS]
    stepped = Stepped(engines())
    sizes = fragile(stepped.engine, monkeypatch)
    assert run(stepped, short([*OTHERS[:3], POISON])) == [None] * 4
    assert sizes == [4]
    del sizes[:]
    answers = run(stepped, short([POISON, *OTHERS]))
    assert answers == [None, *plain]
    assert sizes[0] == 1
    assert stepped.engine.snapshot().failed_steps == 2
    suspects = stepped.engine._suspects
    assert list(suspects._marks) == [suspects.name(POISON)]
    with pytest.raises(RefusedRequestError):
        stepped.submit(request(POISON))


def test_suspects_run_one_by_one_and_the_others_follow(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    stepped = Stepped(engines())
    suspects = stepped.engine._suspects
    sizes = fragile(stepped.engine, monkeypatch)
    suspects.failed([suspects.name(each) for each in OTHERS[:2]])
    assert all(run(stepped, short(OTHERS)))
    assert sizes == [1] * 5 + [1] * 5 + [4] * 5
    assert not suspects._marks


def test_a_suspect_that_is_stopped_stays_one(engines: Engines) -> None:
    stepped = Stepped(engines())
    suspects = stepped.engine._suspects
    name = suspects.name(POISON)
    suspects.failed([name])
    (asked,) = short([POISON])
    stepped.submit(asked)
    stepped.step()
    stepped.cancel(asked.request_id)
    assert suspects.runs_alone(name)


def test_a_mark_is_forgotten_after_an_hour() -> None:
    clock = Clock()
    suspects = Suspects(clock)
    name = suspects.name(POISON)
    for _ in range(2):
        suspects.failed([name])
    clock.now = FORGOTTEN_S - 1
    with pytest.raises(RefusedRequestError):
        suspects.admit(name)
    clock.now = FORGOTTEN_S
    suspects.admit(name)
    assert not suspects.runs_alone(name)
    suspects.failed([name])
    suspects.admit(name)


def test_several_in_flight_are_suspects_only_however_often() -> None:
    suspects = Suspects()
    names = [suspects.name(each) for each in OTHERS]
    for _ in range(3):
        suspects.failed(names)
    for name in names:
        suspects.admit(name)
        assert suspects.runs_alone(name)


def test_no_more_than_so_many_are_remembered() -> None:
    suspects = Suspects()
    names = [suspects.name([number]) for number in range(MOST + 5)]
    for name in names:
        suspects.failed([name])
    assert len(suspects._marks) == MOST
    assert not suspects.runs_alone(names[4])
    assert suspects.runs_alone(names[5])


def test_a_prompt_is_remembered_by_a_hash_of_this_process_alone() -> None:
    one, other = Suspects(), Suspects()
    assert one.name(POISON) == one.name(tuple(POISON)) != one.name(POISON[:-1])
    assert one.name(POISON) != other.name(POISON)
