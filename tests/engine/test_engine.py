"""The engine end to end on the tiny model: answers, batching, limits, prefix reuse, endings."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest
import torch

from specchat.engine.errors import EngineClosedError, QueueFullError, RequestError
from specchat.engine.options import EngineOptions
from specchat.engine.request import FinishReason, Request, SamplingParams
from specchat.engine.sequence import Counters, TokenStream
from specchat.speculators.ngram import NgramSpeculator
from tests.engine.running import (
    EOS,
    Engines,
    ask,
    ask_all,
    ask_at_once,
    prompts,
    read,
    request,
    wait_idle,
)

PROMPT = prompts(1)[0]
LONG = 1_900
"""Tokens of an answer that is still being written whatever else the machine does meanwhile."""


def greedy_reference(model: Any, prompt: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Greedy decoding with transformers, the whole sequence recomputed for each token."""
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(count):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return tuple(ids[len(prompt) :])


def test_a_greedy_answer_is_what_transformers_computes(engines: Engines, eager_model: Any) -> None:
    answer = ask(engines(), PROMPT, max_tokens=24, ignore_eos=True)
    assert answer.tokens == greedy_reference(eager_model, PROMPT, 24)
    assert answer.finish is FinishReason.LENGTH


def test_logits_are_those_of_transformers(engines: Engines, eager_model: Any) -> None:
    ids = prompts(1, 100)[0]
    with torch.inference_mode():
        expected = eager_model(torch.tensor([ids])).logits[0, -1]
    torch.testing.assert_close(engines().logits(ids), expected, atol=1e-5, rtol=0)


def test_logits_longer_than_a_chunk_are_those_of_transformers(
    engines: Engines, eager_model: Any
) -> None:
    ids = prompts(1, 100)[0]
    with torch.inference_mode():
        expected = eager_model(torch.tensor([ids])).logits[0, -1]
    logits = engines(token_budget=13).logits(ids)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("ids", [(), (5, 5000), (5, -3), (5,) * 2049])
def test_logits_of_an_impossible_prompt_are_refused(engines: Engines, ids: tuple[int, ...]) -> None:
    with pytest.raises(RequestError, match=r"prompt|token ids"):
        engines().logits(ids)


def test_logits_leave_no_page_held(engines: Engines) -> None:
    engine = engines()
    engine.logits(PROMPT)
    assert engine.snapshot().pages_free == engine.snapshot().pages_total


@pytest.mark.parametrize("kind", [{}, {"temperature": 0.8, "seed": 3}, {"repetition_penalty": 1.4}])
def test_the_best_choice_score_is_the_token_taken(engines: Engines, kind: dict[str, Any]) -> None:
    engine = engines()
    params = SamplingParams(max_tokens=8, ignore_eos=True, **kind)
    answer = ask(engine, PROMPT, max_tokens=8, ignore_eos=True, **kind)
    for count, token in enumerate(answer.tokens):
        ids = (*PROMPT, *answer.tokens[:count])
        assert int(engine.choice_scores(ids, params, count).argmax()) == token
    plain = engine.choice_scores(PROMPT, SamplingParams(), answered=0)
    assert torch.equal(plain, engine.logits(PROMPT))


@pytest.mark.parametrize("length", [1, 15, 16, 17, 32, 33])
def test_prompts_of_any_length_around_a_page_are_answered(
    engines: Engines, eager_model: Any, length: int
) -> None:
    prompt = prompts(1, length)[0]
    answer = ask(engines(), prompt, max_tokens=4, ignore_eos=True)
    assert answer.tokens == greedy_reference(eager_model, prompt, 4)


def test_the_same_seed_gives_the_same_answer_and_another_seed_another(engines: Engines) -> None:
    engine = engines()
    first, again, other = (
        ask(engine, PROMPT, max_tokens=20, temperature=1.0, seed=seed) for seed in (1, 1, 2)
    )
    assert first.tokens == again.tokens
    assert first.tokens != other.tokens


def test_a_temperature_too_small_to_divide_by_is_greedy(engines: Engines) -> None:
    engine = engines(NgramSpeculator())
    greedy = ask(engine, PROMPT, max_tokens=8)
    assert ask(engine, PROMPT, max_tokens=8, temperature=1e-40).tokens == greedy.tokens
    assert ask(engine, PROMPT, max_tokens=8, temperature=5e-324).tokens == greedy.tokens


def test_a_token_ends_the_answer_and_is_not_part_of_it(engines: Engines) -> None:
    engine = engines()
    whole = ask(engine, PROMPT, max_tokens=12, ignore_eos=True).tokens
    cut = ask(engine, PROMPT, max_tokens=12, ignore_eos=True, stop_token_ids=(whole[5],))
    assert cut.tokens == whole[: whole.index(whole[5])]
    assert cut.finish is FinishReason.STOP


def test_logit_bias_forces_a_token(engines: Engines) -> None:
    answer = ask(engines(), PROMPT, max_tokens=3, logit_bias={77: 100.0})
    assert answer.tokens == (77, 77, 77)


def test_a_biased_eos_ends_the_answer_at_once(engines: Engines) -> None:
    answer = ask(engines(), PROMPT, max_tokens=9, logit_bias={EOS: 100.0})
    assert (answer.tokens, answer.text, answer.finish) == ((), "", FinishReason.STOP)
    assert answer.stats.completion_tokens == 0


def test_sixteen_conversations_at_once_get_the_answers_they_get_alone(engines: Engines) -> None:
    asked = [
        request(prompt, max_tokens=10 + i, ignore_eos=True, temperature=(i % 2) * 0.8, seed=i)
        for i, prompt in enumerate(prompts(16, 40))
    ]
    together = ask_all(engines(), asked)
    alone = engines(max_running=1)
    assert [a.tokens for a in together] == [read(alone.submit(r)).tokens for r in asked]


@pytest.mark.parametrize("budget", [1, 7, 16, 50])
def test_a_prompt_in_chunks_gives_the_same_answer(engines: Engines, budget: int) -> None:
    prompt = prompts(1, 120)[0]
    whole = ask(engines(), prompt, max_tokens=8)
    assert ask(engines(token_budget=budget), prompt, max_tokens=8).said == whole.said


def test_a_prompt_longer_than_a_step_is_answered(engines: Engines) -> None:
    prompt = prompts(1, 1200)[0]
    assert ask(engines(), prompt, max_tokens=4, ignore_eos=True).stats.completion_tokens == 4


def test_a_long_prompt_does_not_stall_running_streams(engines: Engines) -> None:
    engine = engines(token_budget=32)
    running = engine.submit(request(PROMPT, max_tokens=60, ignore_eos=True))
    next(running)
    engine.submit(request(prompts(1, 900)[0], max_tokens=1)).close()
    engine.submit(request(prompts(1, 900, seed=1)[0], max_tokens=1))
    before = engine.snapshot().steps
    read(running)
    assert engine.snapshot().steps - before <= 60 + 2


def test_who_has_read_an_answer_finds_all_its_steps_counted(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, seen = engines(), threading.Event()
    put = engine._delivery.put

    def put_and_stand_still(*last: Any) -> None:
        put(*last)
        assert seen.wait(60)

    monkeypatch.setattr(engine._delivery, "put", put_and_stand_still)
    ask(engine, PROMPT, max_tokens=5, ignore_eos=True)
    steps = engine.snapshot().steps
    seen.set()
    assert steps == 5


def test_the_next_turn_reuses_the_conversation(engines: Engines) -> None:
    first = ask(engines(), PROMPT, max_tokens=40, ignore_eos=True)
    second_prompt = (*PROMPT, *first.tokens, *prompts(1, 12, seed=9)[0])
    cold = ask(engines(), second_prompt, max_tokens=12)
    engine = engines()
    ask(engine, PROMPT, max_tokens=40, ignore_eos=True)
    warm = ask(engine, second_prompt, max_tokens=12)
    assert warm.said == cold.said
    assert warm.stats.cached_tokens == len(PROMPT) + len(first.tokens) - 1  # the last is not read
    assert engine.snapshot().prefix_hit_tokens == warm.stats.cached_tokens


def test_another_tenant_shares_nothing(engines: Engines) -> None:
    engine = engines()
    prompt = prompts(1, 64)[0]
    mine = ask(engine, prompt, salt="shop", max_tokens=4)
    theirs = ask(engine, prompt, salt="bank", max_tokens=4)
    assert theirs.stats.cached_tokens == 0
    assert theirs.said == mine.said
    assert ask(engine, prompt, salt="shop", max_tokens=4).stats.cached_tokens == 48  # whole pages


def test_tenants_share_the_company_prompt_and_nothing_behind_it(engines: Engines) -> None:
    engine = engines()
    company, said = prompts(1, 40)[0], prompts(1, 40, seed=1)[0]
    stats = {}
    for salt in ("shop", "bank", "shop"):
        whole = Request((*company, *said), SamplingParams(max_tokens=4), salt, public_tokens=40)
        stats[salt] = ask_all(engine, [whole])[0].stats.cached_tokens
        if salt == "bank":
            assert stats == {"shop": 0, "bank": 32}  # the page across the border is not shared
    assert stats["shop"] == 64
    assert engine.evict_salt("shop") > 0
    again = Request((*company, *said), SamplingParams(max_tokens=4), "shop", public_tokens=40)
    assert ask_all(engine, [again])[0].stats.cached_tokens == 32


def test_an_evicted_tenant_starts_cold(engines: Engines) -> None:
    engine = engines()
    prompt = prompts(1, 64)[0]
    ask(engine, prompt, salt="shop", max_tokens=4)
    assert engine.evict_salt("shop") == 5
    assert ask(engine, prompt, salt="shop", max_tokens=4).stats.cached_tokens == 0


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Request(()), "the prompt is empty"),
        (Request((5, 999)), "below \\d+, got 999"),
        (Request((5, -1)), "below \\d+, got -1"),
        (Request((5,) * 2000, SamplingParams(max_tokens=100)), "2048 tokens, got 2000 \\+ 100"),
        (Request((5,), SamplingParams(logit_bias={5000: 1.0})), "got 5000"),
        (Request((5,), SamplingParams(stop_token_ids=(-2,))), "got -2"),
        (Request((5, 6), public_tokens=3), "from 0 to the prompt's 2 tokens, got 3"),
        (Request((5, 6), public_tokens=-1), "from 0 to the prompt's 2 tokens, got -1"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused(
    engines: Engines, asked: Request, message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        engines().submit(asked)


def test_a_request_larger_than_the_cache_is_refused(engines: Engines) -> None:
    with pytest.raises(RequestError, match="KV cache of 128 tokens, got 140"):
        engines(pages=8).submit(request(prompts(1, 100)[0], max_tokens=40))


def test_a_request_as_large_as_the_cache_is_answered(engines: Engines) -> None:
    answer = ask(engines(pages=8), prompts(1, 100)[0], max_tokens=28, ignore_eos=True)
    assert answer.stats.completion_tokens == 28


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", 2.5),
        ("max_tokens", True),
        ("temperature", math.nan),
        ("temperature", -0.1),
        ("temperature", math.inf),
        ("temperature", "hot"),
        ("top_p", 0.0),
        ("top_p", 1.01),
        ("top_k", -1),
        ("min_p", 1.5),
        ("seed", -1),
        ("seed", 2**63),
        ("repetition_penalty", 0.0),
        ("repetition_penalty", 1e-40),
        ("presence_penalty", math.nan),
        ("frequency_penalty", 11),
        ("stop", ("",)),
        ("stop", ("x" * 300,)),
        ("stop", ("x",) * 17),
        ("logit_bias", {-1: 0.0}),
        ("logit_bias", {3: math.inf}),
    ],
)
def test_a_sampling_parameter_out_of_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(RequestError, match=name):
        SamplingParams(**{name: value})


def test_an_id_that_is_in_use_is_refused(engines: Engines) -> None:
    engine = engines()
    running = engine.submit(request(PROMPT, max_tokens=LONG, ignore_eos=True))
    with pytest.raises(RequestError, match="must be unique"):
        engine.submit(Request(PROMPT, request_id=running.request_id))
    running.close()


def test_a_full_queue_refuses_politely_and_recovers(engines: Engines) -> None:
    engine = engines(max_running=1, max_waiting=2)
    streams = [engine.submit(request(PROMPT, max_tokens=LONG, ignore_eos=True))]
    next(streams[0])
    streams += [engine.submit(request(PROMPT, max_tokens=2)) for _ in range(2)]
    with pytest.raises(QueueFullError, match="2 requests are waiting"):
        engine.submit(request(PROMPT, max_tokens=2))
    streams[0].cancel()
    assert [read(stream).finish is not FinishReason.ERROR for stream in streams] == [True] * 3
    assert ask(engine, PROMPT, max_tokens=2).stats.completion_tokens == 2


def test_interactive_requests_are_admitted_before_batch_work(engines: Engines) -> None:
    engine = engines(max_running=1)
    params = SamplingParams(max_tokens=2)
    batch, person = ask_at_once(
        engine, [Request(PROMPT, params, interactive=False), Request(PROMPT, params)]
    )
    assert person.stats.queue_ms < batch.stats.queue_ms


def test_a_cancelled_stream_ends_with_what_it_had(engines: Engines) -> None:
    engine = engines()
    stream = engine.submit(request(PROMPT, max_tokens=LONG, ignore_eos=True))
    first = next(stream)
    stream.cancel()
    rest = list(stream)
    assert rest[-1].finish is FinishReason.CANCELLED
    assert rest[-1].stats is not None
    emitted = len(first.tokens) + sum(len(delta.tokens) for delta in rest)
    assert rest[-1].stats.completion_tokens == emitted < LONG


def test_leaving_the_stream_cancels_the_request(engines: Engines) -> None:
    engine = engines()
    with engine.submit(request(PROMPT, max_tokens=LONG, ignore_eos=True)) as stream:
        next(stream)
    wait_idle(engine)
    assert list(stream) == []


def test_cancelling_twice_or_too_late_does_nothing(engines: Engines) -> None:
    engine = engines()
    stream = engine.submit(request(PROMPT, max_tokens=3))
    answer = read(stream)
    stream.cancel()
    engine.cancel("never heard of")
    assert answer.stats.completion_tokens == 3
    assert ask(engine, PROMPT, max_tokens=3).tokens == answer.tokens


def test_closing_ends_every_stream(engines: Engines) -> None:
    engine = engines(max_running=2)
    streams = [engine.submit(request(p, max_tokens=LONG, ignore_eos=True)) for p in prompts(4)]
    next(streams[0])
    engine.close()
    assert {read(stream).finish for stream in streams} == {FinishReason.CANCELLED}
    assert engine.snapshot().pages_held == 0


def test_a_closed_engine_refuses_work(engines: Engines) -> None:
    engine = engines()
    engine.close()
    engine.close()
    engine.cancel("anything")
    for refused in (
        lambda: engine.submit(request(PROMPT)),
        lambda: engine.logits(PROMPT),
        lambda: engine.evict_salt(""),
    ):
        with pytest.raises(EngineClosedError, match="closed"):
            refused()


def test_a_request_queued_while_the_engine_closes_is_ended_too(engines: Engines) -> None:
    """A submit that won the race against close() must not wait for ever."""
    engine = engines()
    stream = TokenStream("late", engine.cancel)
    late = request(PROMPT, max_tokens=5)
    with engine._inbox._changed:  # the loop cannot look there before the engine is closed
        engine._inbox.post(lambda: engine._add(late, stream, Counters()))
        engine._inbox.close()
    engine._thread.join()
    assert stream._deltas.get(timeout=60).finish is FinishReason.CANCELLED


@pytest.mark.parametrize("max_nodes", [-1, 64, 1000])
def test_more_draft_tokens_than_a_mask_has_bits_for_are_refused(max_nodes: int) -> None:
    with pytest.raises(ValueError, match=f"max_nodes must be from 0 to 63, got {max_nodes}"):
        EngineOptions(max_nodes=max_nodes)


@pytest.mark.parametrize("name", ["token_budget", "prefill_rows", "max_running", "max_waiting"])
def test_a_limit_below_one_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        EngineOptions(**{name: 0})
