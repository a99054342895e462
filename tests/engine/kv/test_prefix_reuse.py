"""Conversations over several turns: what the cache saves, with drafts and without."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from specchat.engine.engine import Engine
from specchat.engine.request import Request, SamplingParams
from specchat.engine.snapshot import EngineSnapshot
from specchat.speculators.ngram import NgramSpeculator
from tests.engine.running import (
    Bushy,
    Engines,
    Oracle,
    Scripted,
    ask,
    ask_all,
    ask_at_once,
    prompts,
    request,
)

pytestmark = pytest.mark.usefixtures("keep_all_drafts")

COMPANY = prompts(1, 50, seed=30)[0]
TURNS = 4
CUSTOMERS = 5


@dataclass(frozen=True)
class Turn:
    """One question of a scripted load, and how the cache served it."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    cached: int
    peak_pages: int
    new: int  # tokens that no earlier turn of the conversation had computed


def load(engine: Engine) -> tuple[list[Turn], EngineSnapshot]:
    """Customers with a conversation each, their turns interleaved, the company's prompt first."""
    rng = random.Random(1)
    texts = dict.fromkeys(range(CUSTOMERS), COMPANY)
    known = dict.fromkeys(texts, 0)
    turns = []
    for turn in range(TURNS):
        for who in rng.sample(sorted(texts), CUSTOMERS):
            question = prompts(1, rng.randint(3, 25), seed=100 * turn + who)[0]
            prompt = (*texts[who], *question)
            params = SamplingParams(
                max_tokens=rng.randint(5, 40),
                ignore_eos=True,
                seed=turn,
                temperature=0.8 * (who % 2),
            )
            asked = Request(prompt, params, salt=f"customer {who}", public_tokens=len(COMPANY))
            answer = ask_all(engine, [asked])[0]
            new = len(prompt) - known[who]
            turns.append(
                Turn(
                    prompt, answer.tokens, answer.stats.cached_tokens, answer.stats.peak_pages, new
                )
            )
            texts[who] = (*prompt, *answer.tokens)
            known[who] = len(texts[who]) - 1  # the last token of an answer is never read
    return turns, engine.snapshot()


def drafter(kind: type[Scripted], turns: list[Turn]) -> Scripted:
    return kind({turn.prompt: turn.answer for turn in turns}, 6)


@pytest.mark.parametrize("kind", [Oracle, Bushy])
def test_speculation_does_not_lower_the_hit_rate(engines: Engines, kind: type[Scripted]) -> None:
    plain, without = load(engines())
    speculative, with_drafts = load(engines(drafter(kind, plain), NgramSpeculator()))
    assert [t.answer for t in speculative] == [t.answer for t in plain]
    assert with_drafts.steps < without.steps
    assert all(s.cached >= p.cached for s, p in zip(speculative, plain, strict=True))
    assert with_drafts.prefix_hit_tokens >= without.prefix_hit_tokens > 0
    assert with_drafts.prefix_query_tokens == without.prefix_query_tokens


@pytest.mark.parametrize("kind", [Oracle, Bushy])
def test_speculation_does_not_lower_the_hit_rate_of_a_full_cache(
    engines: Engines, kind: type[Scripted]
) -> None:
    """Pages for drafts are taken from the cache once and used again by every later tree."""
    plain, without = load(engines(pages=48))
    speculative, with_drafts = load(engines(drafter(kind, plain), pages=48))
    assert [t.answer for t in speculative] == [t.answer for t in plain]
    assert without.pages_evicted > 0
    widest = max(s.peak_pages - p.peak_pages for s, p in zip(speculative, plain, strict=True))
    lost = 16 * widest * TURNS
    assert with_drafts.prefix_hit_tokens >= without.prefix_hit_tokens - lost
    assert with_drafts.prefix_hit_tokens > 0.9 * without.prefix_hit_tokens


@pytest.mark.parametrize("speculative", [False, True])
def test_a_turn_computes_only_what_is_new(
    engines: Engines, monkeypatch: pytest.MonkeyPatch, speculative: bool
) -> None:
    turns, _ = load(engines())
    engine = engines(*([drafter(Bushy, turns)] if speculative else []))
    prompt_rows = count_prompt_rows(engine, monkeypatch)
    turns, snapshot = load(engine)
    first, later = turns[:CUSTOMERS], turns[CUSTOMERS:]
    assert [t.cached for t in first[1:]] == [48] * (CUSTOMERS - 1)  # the company's whole pages
    assert all(t.cached >= len(t.prompt) - t.new for t in later)
    assert prompt_rows() == sum(len(t.prompt) - t.cached for t in turns)
    assert snapshot.prefix_hit_tokens == sum(t.cached for t in turns)
    assert snapshot.prefix_query_tokens == sum(len(t.prompt) for t in turns)


def count_prompt_rows(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Rows of prompts that the engine computed."""
    forward, counted = engine._runner.forward, [0]

    def counting(parts):  # type: ignore[no-untyped-def]
        counted[0] += sum(len(p.tokens) for p in parts if len(p.wanted) < 2 and _is_chunk(p))
        return forward(parts)

    def _is_chunk(part) -> bool:  # type: ignore[no-untyped-def]
        (sequence,) = (s for s in engine._scheduler.running if s.table is part.table)
        return not sequence.answered

    monkeypatch.setattr(engine._runner, "forward", counting)
    return lambda: counted[0]


def test_rows_of_accepted_drafts_serve_the_next_turn(engines: Engines) -> None:
    """Whatever a step accepted is found again, its last token too when a draft was the last."""
    prompt = prompts(1, 21)[0]
    whole = ask(engines(), prompt, max_tokens=40, ignore_eos=True)
    engine = engines(Oracle({prompt: whole.tokens}, 63))
    answer = ask(engine, prompt, max_tokens=40, ignore_eos=True)
    assert (answer.stats.steps, answer.stats.accepted) == (1, 38)
    following = ask(engine, (*prompt, *answer.tokens, 9), max_tokens=1)
    assert following.stats.cached_tokens == 21 + 39


def test_customers_who_arrive_together_compute_the_company_prompt_once(engines: Engines) -> None:
    requests = [
        Request((*COMPANY, *p), SamplingParams(max_tokens=4), f"customer {i}", len(COMPANY))
        for i, p in enumerate(prompts(6, 20, seed=31))
    ]
    engine = engines(token_budget=80)
    answers = ask_at_once(engine, requests)
    assert [a.said for a in answers] == [ask_all(engines(), [r])[0].said for r in requests]
    assert sum(a.stats.cached_tokens for a in answers) == 48 * 5


def test_a_prefix_found_by_one_answer_is_not_changed_by_the_drafts_of_another(
    engines: Engines,
) -> None:
    """Two conversations go on from the same turn at once, with trees hanging on shared pages."""
    prompt = prompts(1, 37)[0]
    whole = ask(engines(), prompt, max_tokens=30, ignore_eos=True).tokens
    branches = [request((*prompt, *whole, *p), max_tokens=40, ignore_eos=True)
                for p in prompts(4, 5, seed=32)]  # fmt: skip
    plain = ask_all(engines(), branches)
    truth = {r.prompt_ids: a.tokens for r, a in zip(branches, plain, strict=True)}
    engine = engines(Bushy(truth, 8))
    ask(engine, prompt, max_tokens=30, ignore_eos=True)
    answers = ask_all(engine, branches)
    assert [a.said for a in answers] == [a.said for a in plain]
    assert min(a.stats.cached_tokens for a in answers) >= 64
    assert max(a.stats.cached_tokens for a in answers) == 37 + 30 - 1
