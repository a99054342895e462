"""Speculation cannot change an answer: any drafter, any tree, any load; and its books balance."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from specchat.engine.draft import DraftContext, DraftTree
from specchat.engine.engine import Engine
from specchat.engine.request import Request, TurnStats
from specchat.engine.sampling import gumbel_noise
from specchat.speculators.ngram import NgramSpeculator

from .running import (
    Answer,
    Bushy,
    Engines,
    Liar,
    Oracle,
    Scripted,
    ask,
    ask_all,
    ask_at_once,
    prompts,
    request,
)

KINDS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "greedy with penalties": {
        "repetition_penalty": 1.3, "presence_penalty": 0.5, "frequency_penalty": 0.7,
    },
    "sampled": {"temperature": 0.8, "seed": 11},
    "sampled with everything": {
        "temperature": 0.8, "seed": 12, "top_k": 40, "top_p": 0.95, "min_p": 0.01,
        "repetition_penalty": 1.2, "presence_penalty": 0.3, "frequency_penalty": 0.4,
        "logit_bias": {30: 2.0, 40: -3.0},
    },
}  # fmt: skip
PROMPTS = prompts(4, 30)
LENGTH = 40

pytestmark = pytest.mark.usefixtures("keep_all_drafts")


def asked(**params: Any) -> list[Request]:
    """The prompts, of answers of different lengths, so that a batch changes while it runs."""
    return [
        request(prompt, max_tokens=LENGTH - 7 * i, ignore_eos=True, **params)
        for i, prompt in enumerate(PROMPTS)
    ]


def plain_answers(engine: Engine, requests: list[Request]) -> list[Answer]:
    return [ask_all(engine, [r])[0] for r in requests]


def known(requests: list[Request], answers: list[Answer]) -> dict[tuple[int, ...], tuple[int, ...]]:
    return {r.prompt_ids: a.tokens for r, a in zip(requests, answers, strict=True)}


def balanced(stats: TurnStats) -> bool:
    """What every complete answer's statistics satisfy."""
    assert sum(stats.drafted_by_source.values()) == stats.drafted
    assert sum(stats.accepted_by_source.values()) == stats.accepted
    assert sum(stats.accepted_by_depth) == stats.accepted == sum(stats.accepted_lengths)
    assert len(stats.accepted_lengths) == stats.steps
    assert len(stats.accepted_by_depth) == len(stats.drafted_by_depth)
    assert list(stats.drafted_by_depth) == sorted(stats.drafted_by_depth, reverse=True)
    assert all(d <= stats.steps for d in stats.drafted_by_depth[:1])
    pairs = zip(stats.accepted_by_depth, stats.drafted_by_depth, strict=True)
    return all(accepted <= drafted for accepted, drafted in pairs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("drafter", [Oracle, Liar, Bushy])
@pytest.mark.parametrize("length", [1, 8])
def test_any_drafter_gives_the_plain_answer(
    engines: Engines, kind: str, drafter: type[Scripted], length: int
) -> None:
    requests = asked(**KINDS[kind])
    plain = plain_answers(engines(), requests)
    answers = ask_all(engines(drafter(known(requests, plain), length)), requests)
    assert [a.said for a in answers] == [a.said for a in plain]
    drafted = sum(a.stats.drafted for a in answers)
    accepted = sum(a.stats.accepted for a in answers)
    assert drafted > 0
    assert (accepted > 0) == (drafter is not Liar)
    assert all(balanced(a.stats) for a in answers)


@pytest.mark.parametrize("kind", KINDS)
def test_a_right_drafter_is_accepted_whole(engines: Engines, kind: str) -> None:
    (first, *_) = requests = asked(**KINDS[kind])
    plain = plain_answers(engines(), requests)
    stats = ask_all(engines(Oracle(known(requests, plain), 4)), [first])[0].stats
    assert stats.accepted == stats.drafted > 0
    assert stats.mean_acceptance_length > 4
    assert stats.completion_tokens == 1 + stats.steps + stats.accepted == LENGTH


def test_rows_of_a_path_through_the_middle_of_a_tree_are_moved(engines: Engines) -> None:
    requests = asked()
    plain = plain_answers(engines(), requests)
    engine = engines(Bushy(known(requests, plain), 8))
    answers = ask_all(engine, requests)
    assert engine._runner.cache.rows_moved > 0
    assert [a.said for a in answers] == [a.said for a in plain]


def test_moved_rows_serve_the_next_turn(engines: Engines) -> None:
    """Rows accepted out of a tree are published and read again by the next prompt."""
    requests = asked()
    plain = plain_answers(engines(), requests)
    engine = engines(Bushy(known(requests, plain), 8))
    ask_all(engine, requests)
    following = [request((*r.prompt_ids, *a.tokens, 9), max_tokens=12, ignore_eos=True)
                 for r, a in zip(requests, plain, strict=True)]  # fmt: skip
    warm, cold = ask_all(engine, following), ask_all(engines(), following)
    assert [a.said for a in warm] == [a.said for a in cold]
    assert all(a.stats.cached_tokens >= 32 for a in warm)


def test_accepted_tokens_name_their_drafter(engines: Engines) -> None:
    (first, *_) = requests = asked()
    plain = plain_answers(engines(), requests)
    answer = ask_all(engines(Oracle(known(requests, plain), 4)), [first])[0]
    assert answer.sources.count("oracle") == answer.stats.accepted
    assert answer.sources.count("target") == 1 + answer.stats.steps


def test_several_drafters_compete_in_one_tree(engines: Engines) -> None:
    requests = asked()
    plain = plain_answers(engines(), requests)
    answers = known(requests, plain)
    engine = engines(Liar(answers), Oracle(answers), NgramSpeculator())
    result = ask_all(engine, requests)
    assert [a.said for a in result] == [a.said for a in plain]
    total = result[0].stats
    assert total.drafted_by_source.keys() >= {"liar", "oracle"}
    assert total.accepted_by_source["oracle"] > 0
    assert "liar" not in total.accepted_by_source


def test_a_request_may_refuse_speculation(engines: Engines) -> None:
    requests = asked(speculate=False)
    plain = plain_answers(engines(), requests)
    answer = ask_all(engines(Oracle(known(requests, plain))), requests[:1])[0]
    assert (answer.stats.drafted, answer.stats.steps) == (0, LENGTH - 1)
    assert answer.said == plain[0].said


def test_plain_and_speculative_requests_share_a_batch(engines: Engines) -> None:
    requests = asked()
    plain = plain_answers(engines(), requests)
    mixed = [*requests[:2], *asked(speculate=False)[2:]]
    answers = ask_all(engines(Bushy(known(requests, plain))), mixed)
    assert [a.said for a in answers] == [a.said for a in plain]
    assert [a.stats.drafted > 0 for a in answers] == [True, True, False, False]


def given(stats: TurnStats) -> int:
    """Tokens that an answer's passes gave by its own account, the prompt's pass among them."""
    return 1 + stats.steps + stats.accepted


def test_the_mean_acceptance_length_counts_what_each_pass_gave(engines: Engines) -> None:
    prompt = PROMPTS[1]
    whole = ask(engines(), prompt, max_tokens=LENGTH, ignore_eos=True).tokens
    end = next(token for i, token in enumerate(whole) if i > 5 and token not in whole[:i])
    limits = {"max_tokens": LENGTH, "ignore_eos": True, "stop_token_ids": (end,)}
    plain = ask(engines(), prompt, **limits).stats
    drafted = ask(engines(Oracle({prompt: whole}, 63)), prompt, **limits).stats
    assert plain.mean_acceptance_length == 1.0
    assert drafted.steps == 1
    assert drafted.mean_acceptance_length == drafted.completion_tokens  # its end, not its first
    assert drafted.accepted_lengths == (drafted.completion_tokens - 1,)


@pytest.mark.parametrize("length", [3, 8])
def test_max_tokens_inside_an_accepted_run_ends_the_answer_there(
    engines: Engines, length: int
) -> None:
    prompt = PROMPTS[0]
    whole = ask(engines(), prompt, max_tokens=LENGTH, ignore_eos=True)
    engine = engines(Oracle({prompt: whole.tokens}, length))
    for cap in range(1, 14):
        answer = ask(engine, prompt, max_tokens=cap, ignore_eos=True)
        assert answer.tokens == whole.tokens[:cap]
        assert answer.stats.completion_tokens == cap == given(answer.stats)


@pytest.mark.parametrize("drafter", [Oracle, Bushy])
def test_an_end_token_inside_an_accepted_run_ends_the_answer_there(
    engines: Engines, drafter: type[Scripted]
) -> None:
    prompt = PROMPTS[1]
    whole = ask(engines(), prompt, max_tokens=LENGTH, ignore_eos=True).tokens
    plain, speculative = engines(), engines(drafter({prompt: whole}, 8))
    for end in whole[:12]:
        limits = {"max_tokens": LENGTH, "ignore_eos": True, "stop_token_ids": (end,)}
        drafted = ask(speculative, prompt, **limits)
        assert drafted.said == ask(plain, prompt, **limits).said
        assert given(drafted.stats) == drafted.stats.completion_tokens + 1  # and the end token
        assert drafted.sources.count(drafter.name) == drafted.stats.accepted


@pytest.mark.parametrize("drafter", [Oracle, Bushy])
def test_a_stop_string_inside_an_accepted_run_ends_the_answer_there(
    engines: Engines, drafter: type[Scripted]
) -> None:
    prompt = PROMPTS[2]
    whole = ask(engines(), prompt, max_tokens=LENGTH, ignore_eos=True)
    plain, speculative = engines(), engines(drafter({prompt: whole.tokens}, 8))
    rng = random.Random(0)
    for _ in range(8):
        start = rng.randrange(len(whole.text) - 4)
        stop = (whole.text[start : start + rng.randint(1, 4)],)
        limits = {"max_tokens": LENGTH, "ignore_eos": True, "stop": stop}
        expected, drafted = ask(plain, prompt, **limits), ask(speculative, prompt, **limits)
        assert drafted.said == expected.said
        assert given(drafted.stats) == drafted.stats.completion_tokens
        assert drafted.sources.count(drafter.name) == drafted.stats.accepted
        assert expected.text == whole.text[: whole.text.index(stop[0])]


@pytest.mark.parametrize("pages", [9, 32])
@pytest.mark.parametrize("drafter", [None, Oracle, Bushy])
def test_preempted_answers_are_the_same(
    engines: Engines, pages: int, drafter: type[Scripted] | None
) -> None:
    params = {"max_tokens": 60, "ignore_eos": True, "temperature": 0.8}
    requests = [request(p, seed=i, **params) for i, p in enumerate(prompts(10, 50))]
    plain = plain_answers(engines(), requests)
    drafters = [drafter(known(requests, plain), 6)] if drafter else []
    engine = engines(*drafters, pages=pages)
    answers = ask_at_once(engine, requests)
    assert [a.said for a in answers] == [a.said for a in plain]
    assert engine.snapshot().preemptions > 0
    assert sum(a.stats.preemptions for a in answers) == engine.snapshot().preemptions
    for stats in (a.stats for a in answers):
        assert stats.completion_tokens == 1 + stats.steps + stats.accepted
    assert engine.snapshot().pages_held == 0


def test_everything_at_once_gives_the_plain_answers(engines: Engines) -> None:
    """Trees, chunked prefill, prefix hits, preemption, penalties and sampling in one batch."""
    shared = prompts(1, 40)[0]
    requests = [
        request(
            (*shared[: 8 * (i % 6)], *prompt), max_tokens=20 + 5 * i, ignore_eos=True,
            **list(KINDS.values())[i % len(KINDS)],
        )
        for i, prompt in enumerate(prompts(12, 30, seed=5))
    ]  # fmt: skip
    plain = plain_answers(engines(), requests)
    engine = engines(Bushy(known(requests, plain), 8), pages=14, token_budget=20)
    answers = ask_at_once(engine, requests)
    assert [a.said for a in answers] == [a.said for a in plain]
    assert engine.snapshot().preemptions > 0
    assert sum(a.stats.accepted for a in answers) > 0


@pytest.mark.parametrize("drafter", [None, Oracle])
@pytest.mark.parametrize(("length", "reused"), [(32, 16), (33, 32), (34, 33), (48, 32)])
def test_the_first_token_is_no_step_however_much_of_the_prompt_was_cached(
    engines: Engines, drafter: type[Scripted] | None, length: int, reused: int
) -> None:
    prompt = prompts(1, length)[0]
    whole = ask(engines(), prompt, max_tokens=12, ignore_eos=True)
    engine = engines(*([drafter({prompt: whole.tokens})] if drafter else []))
    for cached in (0, reused):
        answer = ask(engine, prompt, max_tokens=12, ignore_eos=True)
        assert answer.said == whole.said
        assert answer.stats.cached_tokens == cached
        assert 1 + answer.stats.steps + answer.stats.accepted == 12


class Watcher(Oracle):
    """Also notes what it is shown."""

    needs_hidden = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.contexts: list[DraftContext] = []
        self.lengths: list[int] = []
        self.committed: dict[str, list[int]] = {}
        self.forgotten: list[str] = []

    def propose(self, batch: Any) -> list[DraftTree]:
        self.contexts += batch
        self.lengths += [len(context.tokens) for context in batch]
        return super().propose(batch)

    def observe(self, request_id: str, tokens: Any) -> None:
        self.committed.setdefault(request_id, []).extend(tokens)

    def forget(self, request_id: str) -> None:
        self.forgotten.append(request_id)


class Unaware(Watcher):
    """Does not read the state."""

    needs_hidden = False


def test_a_drafter_sees_the_state_and_the_noise_of_the_next_position(
    engines: Engines, eager_model: Any
) -> None:
    prompt = PROMPTS[0]
    whole = ask(engines(), prompt, max_tokens=16, ignore_eos=True, temperature=0.8, seed=3)
    watcher = Watcher({prompt: whole.tokens}, 3)
    ask(engines(watcher), prompt, max_tokens=16, ignore_eos=True, temperature=0.8, seed=3)
    ids = [*prompt, *whole.tokens]
    with torch.inference_mode():
        states = eager_model.model(torch.tensor([ids])).last_hidden_state[0]
    unwatched = Unaware({prompt: whole.tokens}, 3)
    ask(engines(unwatched), prompt, max_tokens=16, ignore_eos=True, temperature=0.8, seed=3)
    assert {context.hidden for context in unwatched.contexts} == {None}
    assert len(watcher.contexts) > 2
    for context, length in zip(watcher.contexts, watcher.lengths, strict=True):
        assert context.hidden is not None
        assert context.gumbel is not None
        torch.testing.assert_close(context.hidden, states[length - 2], atol=1e-5, rtol=1e-5)
        noise = gumbel_noise(3, length, 1, context.gumbel.shape[1], context.gumbel.device)
        assert torch.equal(context.gumbel[:1], noise)


def test_a_drafter_is_told_every_token_and_the_end(engines: Engines) -> None:
    prompt = PROMPTS[0]
    whole = ask(engines(), prompt, max_tokens=16, ignore_eos=True)
    watcher = Watcher({prompt: whole.tokens}, 3)
    engine = engines(watcher)
    asked_again = request(prompt, max_tokens=16, ignore_eos=True)
    ask_all(engine, [asked_again])
    assert watcher.committed == {asked_again.request_id: list(whole.tokens)}
    assert watcher.forgotten == [asked_again.request_id]
