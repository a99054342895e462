"""Exact mode: plain steps have the shape of speculative ones, so that the same kernels run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.engine import Engine
from specchat.engine.model.batch import Rows
from tests.engine.native.test_native_engine import native_missing
from tests.engine.running import Bushy, Engines, Oracle, ask, ask_all, ask_at_once, prompts, request
from tests.engine.test_speculation import asked, known, plain_answers

pytestmark = pytest.mark.usefixtures("keep_all_drafts")

PROMPT = prompts(1, 30)[0]


def heights(engine: Engine) -> Iterator[int]:
    """Rows of each request in each step from now on, prompts left out."""
    forward, seen = engine._runner.forward, []

    def watched(parts: list[Rows]) -> Any:
        seen.extend(len(part.tokens) for part in parts if part.tokens[0] != PROMPT[0])
        return forward(parts)

    engine._runner.forward = watched  # type: ignore[method-assign]
    return iter(seen)


@pytest.mark.parametrize("drafter", [None, Oracle, Bushy])
def test_every_step_has_the_rows_of_a_whole_tree(engines: Engines, drafter: Any) -> None:
    plain = ask(engines(), PROMPT, max_tokens=20, ignore_eos=True)
    drafters = [drafter({PROMPT: plain.tokens}, 4)] if drafter else []
    engine = engines(*drafters, exact=True, max_nodes=12)
    rows = heights(engine)
    answer = ask(engine, PROMPT, max_tokens=20, ignore_eos=True)
    assert answer.said == plain.said
    assert set(rows) == {13}
    assert answer.stats.drafted < 13 * answer.stats.steps  # what nobody proposed does not count
    assert (answer.stats.accepted > 0) == (drafter is not None)


def test_without_it_a_plain_step_has_one_row(engines: Engines) -> None:
    engine = engines(max_nodes=12)
    rows = heights(engine)
    ask(engine, PROMPT, max_tokens=20, ignore_eos=True)
    assert set(rows) == {1}


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_exact_answers_are_the_usual_ones_under_every_load(
    engines: Engines, temperature: float
) -> None:
    requests = asked(temperature=temperature, seed=5, logprobs=1)
    plain = plain_answers(engines(), requests)
    truth = known(requests, plain)
    for options in ({}, {"pages": 14}, {"token_budget": 20}):
        engine = engines(Bushy(truth, 6), exact=True, max_nodes=20, **options)
        answers = ask_at_once(engine, requests)
        assert [a.said for a in answers] == [a.said for a in plain]
        assert (engine.snapshot().preemptions > 0) == ("pages" in options)
        assert sum(a.stats.accepted for a in answers) > 0


def test_where_pages_run_short_a_step_goes_without_padding(engines: Engines) -> None:
    """As long as prompt and answer fit, the room that padding takes must not refuse anybody."""
    prompt = prompts(1, 40)[0]
    engine = engines(pages=4, exact=True, max_nodes=63)
    assert len(ask(engine, prompt, max_tokens=24, ignore_eos=True).tokens) == 24
    assert engine.snapshot().preemptions == 0


def test_half_precision_answers_do_not_depend_on_drafts(
    engines: Engines, tiny_model_dir: Any
) -> None:
    """Without exact mode some of these differ. Chains: their keys lie where plain ones do."""
    model = AutoModelForCausalLM.from_pretrained(tiny_model_dir, dtype=torch.bfloat16).eval()
    options = {"model": model, "exact": True, "max_nodes": 8}
    requests = [request(p, max_tokens=40, ignore_eos=True) for p in prompts(12, 40, seed=9)]
    plain = plain_answers(engines(**options), requests)
    speculative = engines(Oracle(known(requests, plain), 8), **options)
    answers = [ask_all(speculative, [r])[0] for r in requests]
    assert sum(a.stats.accepted for a in answers) > 0
    assert [a.said for a in answers] == [a.said for a in plain]


@pytest.mark.skipif(native_missing() is not None, reason="there is no C++ compiler")
def test_the_native_step_needs_no_padding(engines: Engines) -> None:
    engine = engines(exact=True, max_nodes=12)
    assert engine.rows_per_request == 13
    engine._runner.native.compile()
    assert engine.rows_per_request == 0
    rows = heights(engine)
    ask(engine, PROMPT, max_tokens=10, ignore_eos=True)
    assert set(rows) == {1}


def test_padding_rows_are_seen_by_nobody_and_see_no_other() -> None:
    tree = DraftTree.chain([5, 6], "x")
    assert tree.ancestor_bits(5) == [0b1, 0b11, 0b111, 0b1000, 0b10000]
    assert DraftTree().ancestor_bits(64)[-1] == -(1 << 63)
