"""The engine on the native step, end to end: taken over mid-answer, under load, with drafts."""

from __future__ import annotations

import copy
import itertools
import random
from collections import Counter
from typing import Any

import pytest

from specchat.engine.engine import Engine
from specchat.engine.model.eager import EagerModel
from specchat.engine.model.quantized import KINDS, quantize_model
from specchat.engine.native.library import NativeUnavailableError, load_library
from specchat.engine.native.steps import NativeSteps
from specchat.engine.request import FinishReason, Request
from tests.engine.running import (
    Bushy,
    Engines,
    ask,
    ask_all,
    ask_at_once,
    poisoned,
    prompts,
    read,
    request,
    wait_idle,
)


def native_missing() -> str | None:
    """Why there is no native step here."""
    try:
        load_library()
    except NativeUnavailableError as error:
        return str(error)
    return None


pytestmark = [
    pytest.mark.usefixtures("keep_all_drafts", "several_threads"),
    pytest.mark.skipif(native_missing() is not None, reason="there is no C++ compiler"),
]

PROMPT = prompts(1)[0]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the passes of each backend."""
    counted: Counter[str] = Counter()

    def watch(owner: type, name: str, backend: str) -> None:
        original = getattr(owner, name)

        def counting(self: Any, *args: Any) -> Any:
            counted[backend] += 1
            return original(self, *args)

        monkeypatch.setattr(owner, name, counting)

    watch(EagerModel, "forward", "eager")
    watch(NativeSteps, "run", "native")
    return counted


def native(engine: Engine) -> Engine:
    engine._runner.native.compile()
    assert engine.snapshot().backend == "native", engine._runner.native.reason
    return engine


def known(engine: Engine, requests: list[Request]) -> dict[tuple[int, ...], tuple[int, ...]]:
    answers = [ask_all(engine, [r])[0] for r in requests]
    return {r.prompt_ids: a.tokens for r, a in zip(requests, answers, strict=True)}


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("speculative", [False, True])
def test_the_native_step_takes_over_in_the_middle_of_an_answer(
    engines: Engines,
    passes: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
    temperature: float,
    speculative: bool,
) -> None:
    params = {"max_tokens": 160, "ignore_eos": True, "temperature": temperature, "seed": 3}
    eager = ask(engines(), PROMPT, **params)
    engine = engines(*([Bushy({PROMPT: eager.tokens}, 4)] if speculative else []))
    forward, calls = engine._runner.forward, itertools.count()

    def forward_with_takeover(parts: Any) -> Any:
        if next(calls) == 12:
            native(engine)
        return forward(parts)

    monkeypatch.setattr(engine._runner, "forward", forward_with_takeover)
    passes.clear()
    answer = ask(engine, PROMPT, **params)
    assert passes["eager"] >= 12
    assert passes["native"] == engine.snapshot().steps - 12 > 5
    assert answer.said == eager.said
    assert (answer.stats.accepted > 0) == speculative


@pytest.mark.parametrize("natively", [False, True])
def test_tokens_are_handed_over_when_the_next_step_begins_to_compute(
    engines: Engines, natively: bool
) -> None:
    engine = native(engines()) if natively else engines()
    hand_over, handed = engine._runner.meanwhile, []

    def watch() -> None:
        handed.append(len(engine._delivery._ready))
        hand_over()

    engine._runner.meanwhile = watch
    stream = engine.submit(request(PROMPT, max_tokens=9, ignore_eos=True))
    assert len(read(stream).tokens) == 9
    # Nothing is there before the first token; the last one comes with the end of the answer.
    assert [count for count in handed if count] == [1] * 8


def test_what_eager_steps_cached_serves_native_ones(engines: Engines) -> None:
    engine = engines()
    first = ask(engine, PROMPT, max_tokens=60, ignore_eos=True)
    following = (*PROMPT, *first.tokens, 9)
    cold = ask(engines(), following, max_tokens=12, ignore_eos=True)
    warm = ask(native(engine), following, max_tokens=12, ignore_eos=True)
    assert warm.stats.cached_tokens > 48
    assert warm.said == cold.said


def test_a_crowd_on_few_pages_gets_its_answers_natively(
    engines: Engines, passes: Counter[str]
) -> None:
    """24 streams of every kind on pages for a few, a third of them cancelled on the way."""
    rng = random.Random(2)
    company = prompts(1, 35, seed=8)[0]
    requests = [
        Request(
            (*company, *p),
            request(p, max_tokens=30 + i, ignore_eos=True, temperature=(i % 2) * 0.8, seed=i,
                    repetition_penalty=1 + (i % 3) / 5, speculate=i % 5 > 0).params,
            salt="ab"[i % 2], interactive=i % 4 > 0, public_tokens=35,
        )
        for i, p in enumerate(prompts(24, 25, seed=9))
    ]  # fmt: skip
    truth = known(native(engines()), requests)
    engine = native(engines(Bushy(truth, 6), pages=24, token_budget=64, prefill_rows=20))
    passes.clear()
    leaving = set(rng.sample(range(24), 8))
    streams = [engine.submit(r) for r in requests]
    for i in leaving:
        for _ in range(rng.choice([0, 1, 2])):
            next(streams[i])
        streams[i].cancel()
    answers = {i: read(s) for i, s in enumerate(streams)}
    for i, answer in answers.items():
        whole = truth[requests[i].prompt_ids]
        if answer.finish is FinishReason.CANCELLED:
            assert i in leaving
        elif i not in leaving:
            assert answer.tokens == whole
    staying = [answers[i] for i in range(24) if i not in leaving]
    assert len(staying) == 16
    assert sum(a.stats.accepted for a in staying) > 0
    assert sum(a.stats.cached_tokens for a in staying) > 0
    snapshot = engine.snapshot()
    assert snapshot.preemptions > 0
    assert snapshot.pages_copied == 0
    assert passes["native"] == snapshot.steps > 0 == passes["eager"]
    wait_idle(engine)


@pytest.mark.parametrize("params", [{}, {"temperature": 0.8}], ids=str)
def test_a_native_row_of_no_numbers_ends_only_its_request(
    engines: Engines, tiny_model: Any, params: dict[str, Any]
) -> None:
    engine = native(engines(model=poisoned(tiny_model, 299)))
    broken = request((*PROMPT[:10], 299), max_tokens=5, ignore_eos=True, **params)
    failed, other = ask_at_once(engine, [broken, request(PROMPT, max_tokens=1, **params)])
    assert failed.said == ((), "", FinishReason.ERROR)
    assert other.finish is not FinishReason.ERROR


@pytest.mark.parametrize("pages", [9, 32])
def test_answers_preempted_on_the_native_step_are_the_same(engines: Engines, pages: int) -> None:
    params = {"max_tokens": 60, "ignore_eos": True, "temperature": 0.8}
    requests = [request(p, seed=i, **params) for i, p in enumerate(prompts(16, 50))]
    truth = known(native(engines()), requests)
    engine = native(engines(Bushy(truth, 6), pages=pages))
    answers = ask_at_once(engine, requests)
    assert [a.tokens for a in answers] == list(truth.values())
    assert engine.snapshot().preemptions > 0
    assert sum(a.stats.accepted for a in answers) > 0


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("kind", KINDS)
def test_a_quantised_model_says_the_same_with_drafts_and_without(
    engines: Engines, tiny_model: Any, kind: str, temperature: float
) -> None:
    model = copy.deepcopy(tiny_model)
    quantize_model(model, kind)
    params = {"max_tokens": 80, "ignore_eos": True, "temperature": temperature, "seed": 5}
    plain = ask(native(engines(model=model)), PROMPT, **params)
    answer = ask(native(engines(Bushy({PROMPT: plain.tokens}, 4), model=model)), PROMPT, **params)
    assert answer.said == plain.said
    assert answer.stats.accepted > 0


def test_a_size_that_was_not_timed_lies_between_those_that_were() -> None:
    steps = NativeSteps(None)  # type: ignore[arg-type]
    assert steps.prior_ms(1) is None
    steps._prior_ms = {1: 10.0, 2: 11.0, 4: 15.0, 8: 20.0}
    found = [steps.prior_ms(rows) for rows in (1, 2, 3, 4, 6, 8, 12)]
    assert found == [10.0, 11.0, 13.0, 15.0, 17.5, 20.0, 25.0]
