"""What goes wrong inside the engine: drafters and forward passes that raise, cancelled streams."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import pytest
import torch

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.speculator import DraftContext
from specchat.engine.errors import EngineClosedError
from specchat.engine.request import FinishReason, Request, SamplingParams
from tests.engine.running import (
    Answer,
    Bushy,
    Engines,
    Oracle,
    Stepped,
    ask,
    ask_all,
    ask_at_once,
    poisoned,
    prompts,
    read,
    request,
    wait_idle,
)

PROMPT = prompts(1)[0]


class Failing(Oracle):
    """Drafts well until it is told to fail in one of its methods."""

    name = "failing"

    def __init__(self, method: str, after: int = 2) -> None:
        super().__init__({})
        self._method, self._left = method, after

    def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
        self._fail("propose")
        if self._method == "count":
            return []
        return super().propose(batch)

    def observe(self, request_id: str, tokens: Sequence[int]) -> None:
        self._fail("observe")

    def forget(self, request_id: str) -> None:
        self._fail("forget")

    def _fail(self, method: str) -> None:
        if method == self._method:
            self._left -= 1
            if self._left < 0:
                raise ZeroDivisionError("the drafter is broken")


@pytest.mark.usefixtures("keep_all_drafts")
@pytest.mark.parametrize("method", ["propose", "observe", "forget", "count"])
def test_a_drafter_that_fails_is_switched_off_and_the_answers_go_on(
    engines: Engines, method: str
) -> None:
    plain = ask(engines(), PROMPT, max_tokens=20, ignore_eos=True)
    oracle = Oracle({PROMPT: plain.tokens})
    engine = engines(Failing(method, after=2 if method != "forget" else 0), oracle)
    for _ in range(2):
        answer = ask(engine, PROMPT, max_tokens=20, ignore_eos=True)
        assert answer.said == plain.said
        assert answer.stats.accepted_by_source["oracle"] > 0
    wait_idle(engine)
    assert [s.name for s in engine._drafting.speculators] == ["oracle"]


def test_cancelling_with_a_drafter_that_cannot_forget_leaves_the_engine_running(
    engines: Engines,
) -> None:
    engine = engines(Failing("forget", after=0))
    stream = engine.submit(request(PROMPT, max_tokens=1_900, ignore_eos=True))
    next(stream)
    stream.cancel()
    list(stream)
    assert ask(engine, PROMPT, max_tokens=3, ignore_eos=True).stats.completion_tokens == 3


@pytest.mark.usefixtures("keep_all_drafts")
def test_a_confidence_that_is_no_number_fails_nobody(engines: Engines) -> None:
    class Unsure(Oracle):
        def draft(self, tokens: tuple[int, ...], truth: tuple[int, ...]) -> DraftTree:
            return DraftTree.chain(truth[:3], self.name, [float("nan")] * len(truth[:3]))

    plain = ask(engines(), PROMPT, max_tokens=20, ignore_eos=True)
    engine = engines(Unsure({PROMPT: plain.tokens}))
    assert ask(engine, PROMPT, max_tokens=20, ignore_eos=True).said == plain.said


@pytest.mark.usefixtures("keep_all_drafts")
@pytest.mark.parametrize("token", [-1, 10_000, 2**40])
def test_a_drafter_that_proposes_unknown_tokens_is_switched_off(
    engines: Engines, token: int, caplog: pytest.LogCaptureFixture
) -> None:
    class Foreign(Oracle):
        name = "foreign"

        def draft(self, tokens: tuple[int, ...], truth: tuple[int, ...]) -> DraftTree:
            return DraftTree.chain([*truth[:1], token], self.name)

    plain = ask(engines(), PROMPT, max_tokens=20, ignore_eos=True)
    known = {PROMPT: plain.tokens}
    engine = engines(Foreign(known), Oracle(known))
    answer = ask(engine, PROMPT, max_tokens=20, ignore_eos=True)
    assert answer.said == plain.said
    assert "foreign" not in answer.stats.drafted_by_source
    assert answer.stats.accepted_by_source["oracle"] > 0
    assert [s.name for s in engine._drafting.speculators] == ["oracle"]
    assert f"must be from 0 to {engine.info.vocab_size - 1}, got {token}" in caplog.text


def test_a_forward_pass_that_raises_fails_the_streams_in_flight_and_no_later_one(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engines()
    plain = ask(engine, PROMPT, max_tokens=10, ignore_eos=True)
    forward, once = engine._runner.forward, iter([True])

    def broken(parts: Any) -> Any:
        if len(parts) == 3 and next(once, False):
            raise RuntimeError("out of memory")
        return forward(parts)

    monkeypatch.setattr(engine._runner, "forward", broken)
    before = engine.snapshot()
    streams = [
        engine.submit(request(p, max_tokens=1_900, ignore_eos=True)) for p in prompts(3, 20, seed=1)
    ]
    for stream in streams:
        with pytest.raises(EngineClosedError, match="out of memory"):
            list(stream)
        assert list(stream) == []
        stream.cancel()
    snapshot = engine.snapshot()
    assert (snapshot.running, snapshot.waiting) == (0, 0)
    assert snapshot.pages_free == snapshot.pages_total
    assert snapshot.failed_steps == 1
    assert snapshot.steps > before.steps > 0
    assert snapshot.prefix_query_tokens == 4 * len(PROMPT)
    assert ask(engine, PROMPT, max_tokens=10, ignore_eos=True).said == plain.said


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"logprobs": 2},
        {"temperature": 0.8},
        {"temperature": 0.8, "top_p": 0.9},
        {"temperature": 0.8, "logprobs": 2},
    ],
    ids=str,
)
def test_logits_that_are_no_numbers_end_only_the_request_they_belong_to(
    engines: Engines, tiny_model: Any, params: dict[str, Any]
) -> None:
    sound = request(PROMPT, max_tokens=30, ignore_eos=True, **params)
    plain = read(engines().submit(sound))
    answered = set(PROMPT) | set(plain.tokens)
    poison = next(token for token in range(5, 300) if token not in answered)
    engine = engines(model=poisoned(tiny_model, poison))
    broken = request((*PROMPT[:10], poison), max_tokens=5, ignore_eos=True, **params)
    failed, other = ask_at_once(engine, [broken, sound])
    assert failed.said == ((), "", FinishReason.ERROR)
    assert math.isnan(failed.stats.ttft_ms)
    assert other.said == plain.said
    wait_idle(engine)
    assert engine.snapshot().failed_steps == 0


def test_what_a_request_without_finite_logits_computed_is_used_by_nobody(
    engines: Engines, tiny_model: Any
) -> None:
    public = [*range(5, 45)]
    plain = ask(engines(), (*public, 7, 8), max_tokens=6, ignore_eos=True)
    poison = next(t for t in range(50, 300) if t not in plain.tokens)
    engine = engines(model=poisoned(tiny_model, poison))
    params = SamplingParams(max_tokens=6, ignore_eos=True)

    def asked(salt: str, *end: int) -> Answer:
        own = Request((*public, *end), params, salt, public_tokens=len(public))
        return read(engine.submit(own))

    for end in ((7, poison), (poison,)):
        assert asked("a", *end).finish is FinishReason.ERROR
        assert engine.snapshot().pages_cached == 0
    for salt in ("a", "b"):
        assert asked(salt, 7, 8).said == plain.said
    engine.pool.check()


@pytest.mark.usefixtures("keep_all_drafts")
def test_what_was_accepted_before_logits_are_no_numbers_is_delivered(
    engines: Engines, tiny_model: Any
) -> None:
    answer = ask(engines(), PROMPT, max_tokens=20, ignore_eos=True).tokens
    at = next(n for n in range(5, 20) if answer[n] not in (*PROMPT, *answer[:n]))
    model = poisoned(tiny_model, answer[at])
    plain, drafted = (
        ask(engine, PROMPT, max_tokens=20, ignore_eos=True)
        for engine in (engines(model=model), engines(Oracle({PROMPT: answer}), model=model))
    )
    assert plain.tokens == answer[: at + 1]
    assert plain.finish is FinishReason.ERROR
    assert drafted.said == plain.said
    assert drafted.stats.accepted > 0


def test_requests_that_waited_while_a_step_failed_are_answered(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = prompts(6, 20, seed=2)
    plain = [ask(engines(), p, max_tokens=10, ignore_eos=True).said for p in texts]
    stepped = Stepped(engines(max_running=2))
    asked = [request(p, max_tokens=10, ignore_eos=True) for p in texts]
    for one in asked:
        stepped.submit(one)
    for _ in range(3):
        stepped.step()
    stepped.preempt(1)
    stepped.engine._fail_running(RuntimeError("out of memory"))
    assert stepped.alive == [one.request_id for one in asked[1:]]
    stepped.run()
    with pytest.raises(EngineClosedError, match="out of memory"):
        read(stepped.streams[asked[0].request_id])
    assert [read(stepped.streams[one.request_id]).said for one in asked[1:]] == plain[1:]
    assert stepped.engine.snapshot().waiting == stepped.engine.pool.held == 0


def test_an_error_outside_any_step_leaves_nobody_waiting_for_ever(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engines()

    def broken(*, admit: bool) -> Any:
        raise RuntimeError("the scheduler is broken")

    monkeypatch.setattr(engine._scheduler, "plan", broken)
    with pytest.raises(EngineClosedError, match="the scheduler is broken"):
        ask(engine, PROMPT, max_tokens=3)
    assert ask(engine, PROMPT, max_tokens=3, ignore_eos=True).stats.completion_tokens == 3


def test_a_score_that_raises_fails_only_its_caller(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engines()
    forward = engine._runner.forward

    def broken(parts: Any) -> Any:
        if any(part.table.salt == "\0score" for part in parts):
            raise RuntimeError("out of memory")
        return forward(parts)

    monkeypatch.setattr(engine._runner, "forward", broken)
    running = engine.submit(request(PROMPT, max_tokens=40, ignore_eos=True))
    next(running)
    with pytest.raises(RuntimeError, match="out of memory"):
        engine.logits(prompts(1, 48)[0])
    assert len(read(running).tokens) == 39
    wait_idle(engine)


def test_logits_wait_for_pages_that_answers_hold(engines: Engines) -> None:
    ids = prompts(1, 48)[0]
    expected = engines().logits(ids)
    engine = engines(pages=4)
    streams = [engine.submit(request(p, max_tokens=40, ignore_eos=True)) for p in prompts(5)]
    next(streams[0])
    torch.testing.assert_close(engine.logits(ids), expected)
    assert [len(read(stream).tokens) for stream in streams] == [39, 40, 40, 40, 40]
    wait_idle(engine)


def test_closing_ends_a_caller_that_waits_for_logits(engines: Engines) -> None:
    engine = engines()
    result: Future[torch.Tensor] = Future()
    with engine._inbox._changed:  # the loop cannot look there before the engine is closed
        engine._inbox.post(lambda: engine._scoring.add_logits(PROMPT, result))
        engine._inbox.close()
    with pytest.raises(EngineClosedError, match="closed"):
        result.result(timeout=60)


@pytest.mark.usefixtures("keep_all_drafts")
@pytest.mark.parametrize("speculative", [False, True])
def test_streams_cancelled_at_any_moment_leave_every_page_free(
    engines: Engines, speculative: bool
) -> None:
    rng = random.Random(7)
    drafters = [Bushy({}, 8)] if speculative else []
    engine = engines(*drafters, pages=64, token_budget=40, max_running=12)
    waiting = prompts(200, 45, seed=3)
    while waiting:
        batch, waiting = waiting[:16], waiting[16:]
        streams = [
            engine.submit(request(p, salt=rng.choice("ab"), max_tokens=40, ignore_eos=True))
            for p in batch
        ]
        for stream in rng.sample(streams, len(streams)):
            for _ in range(rng.choice([0, 0, 1, 3])):
                next(stream)
            rng.choice([stream.cancel, stream.close])()
        for stream in streams:
            list(stream)
    wait_idle(engine)
    engine.pool.check()
    for salt in "ab":
        engine.evict_salt(salt)
    assert engine.snapshot().pages_free == engine.snapshot().pages_total


def test_sixteen_streams_read_one_after_the_other_all_finish(engines: Engines) -> None:
    engine = engines(pages=40)
    requests = [request(p, max_tokens=25, ignore_eos=True) for p in prompts(16, 60)]
    assert [a.stats.completion_tokens for a in ask_all(engine, requests)] == [25] * 16
    wait_idle(engine)


def test_a_stream_nobody_reads_does_not_hold_up_the_others(engines: Engines) -> None:
    engine = engines()
    unread = engine.submit(request(PROMPT, max_tokens=30, ignore_eos=True))
    assert ask(engine, PROMPT, max_tokens=30).stats.completion_tokens > 0
    assert len(read(unread).tokens) == 30
