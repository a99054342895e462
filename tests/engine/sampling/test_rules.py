"""Both verification rules through the engine, and what each token's probability was."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from specchat.engine.drafting.draft_tree import ROOT, DraftContext, DraftTree
from specchat.engine.engine import Engine
from specchat.engine.request import Request, SamplingParams
from specchat.engine.sampling.sampler import RowGroup, target_logits
from tests.engine.running import (
    Answer,
    Bushy,
    Engines,
    Oracle,
    Scripted,
    ask,
    ask_all,
    prompts,
    request,
)
from tests.engine.sampling.test_rejection import improbable
from tests.engine.test_speculation import KINDS, asked, balanced, known, plain_answers

pytestmark = pytest.mark.usefixtures("keep_all_drafts")

ANSWERS = 500
LIMITS: dict[str, Any] = {"top_k": 4, "temperature": 1.5}
PROMPT = prompts(1, 24, seed=8)[0]


class Drawing(Scripted):
    """Draws a chain of tokens from a flat distribution, two per place, and says so."""

    name = "drawing"

    def __init__(self, vocab: int, tokens: tuple[int, ...], length: int = 3) -> None:
        super().__init__({}, length)
        self._q = torch.zeros(vocab)
        self._q[list(tokens)] = 1 / len(tokens)

    def propose(self, batch: Any) -> list[DraftTree]:
        return [self._draw(context) for context in batch]

    def _draw(self, context: DraftContext) -> DraftTree:
        tree = DraftTree()
        if context.draw_noise is None:
            return tree
        assert context.gumbel is None
        noise = context.draw_noise(self._length)
        parent = ROOT
        for depth in range(min(self._length, context.max_depth)):
            first, second = (self._q.log() + noise[depth]).topk(2).indices.tolist()
            rest = self._q.clone()
            rest[first] = 0.0
            below = parent
            parent = tree.draw(first, below, self.name, self._q)
            tree.draw(second, below, self.name, rest / rest.sum())
        return tree


class Guessing(Scripted):
    """Offers fixed tokens as siblings and behind each other."""

    name = "guessing"

    def __init__(self, tokens: tuple[int, ...]) -> None:
        super().__init__({})
        self._tokens = tokens

    def draft(self, tokens: tuple[int, ...], truth: tuple[int, ...]) -> DraftTree:
        tree = DraftTree()
        for token in self._tokens:
            node = tree.add(token, ROOT, self.name)
            for child in self._tokens[:2]:
                tree.add(child, node, self.name)
        return tree


def probabilities(engine: Engine, ids: list[int], params: SamplingParams) -> torch.Tensor:
    group = RowGroup(params, 1, None, [ids], len(PROMPT))
    return target_logits(engine.logits(ids)[None], [group])[0].double().softmax(-1)


def sampled(engine: Engine, **params: Any) -> list[Answer]:
    requests = [
        request(PROMPT, max_tokens=3, ignore_eos=True, seed=seed, **params)
        for seed in range(ANSWERS)
    ]
    return [a for start in range(0, ANSWERS, 250) for a in ask_all(engine, requests[start:][:250])]


@pytest.mark.parametrize("drafter", [None, "drawing", "guessing", "both"])
def test_rejection_gives_the_targets_distribution(engines: Engines, drafter: str | None) -> None:
    params = SamplingParams(verification="rejection", **LIMITS)
    plain = engines()
    first = probabilities(plain, [*PROMPT], params)
    likely = tuple(first.topk(4).indices.tolist())
    second = {t: probabilities(plain, [*PROMPT, t], params) for t in likely}
    after = tuple(torch.stack(list(second.values())).mean(0).topk(4).indices.tolist())
    offered = tuple(dict.fromkeys((*likely, *after)))
    drafters: dict[str | None, list[Scripted]] = {
        None: [],
        "drawing": [Drawing(len(first), offered)],
        "guessing": [Guessing(after)],
        "both": [Guessing(after[1:]), Drawing(len(first), offered)],
    }
    engine = engines(*drafters[drafter], max_running=32)
    answers = sampled(engine, verification="rejection", **LIMITS)
    for row, expected in enumerate((first, sum(first[t] * second[t] for t in likely))):
        counts = torch.bincount(
            torch.tensor([a.tokens[row] for a in answers]), minlength=len(first)
        )
        assert not improbable(counts, expected * ANSWERS)
    pairs = torch.tensor([a.tokens[0] * len(first) + a.tokens[1] for a in answers])
    joint = torch.zeros(len(first), len(first), dtype=torch.float64)
    for token in likely:
        joint[token] = first[token] * second[token]
    counts = torch.bincount(pairs, minlength=len(first) ** 2)
    assert not improbable(counts, joint.flatten() * ANSWERS)
    if drafter is not None:
        drafted = sum(a.stats.drafted for a in answers)
        accepted = sum(a.stats.accepted for a in answers)
        assert 0 < accepted < drafted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("drafter", [Oracle, Bushy])
def test_every_parameter_works_under_rejection(
    engines: Engines, kind: str, drafter: type[Scripted]
) -> None:
    params = {**KINDS[kind], "verification": "rejection"}
    requests = asked(**params)
    plain = plain_answers(engines(), requests)
    answers = ask_all(engines(drafter(known(requests, plain), 4)), requests)
    assert all(balanced(a.stats) for a in answers)
    assert sum(a.stats.drafted for a in answers) > 0
    for answer, own in zip(answers, requests, strict=True):
        assert len(answer.tokens) == own.params.max_tokens
    if "temperature" not in params:  # the most probable tokens, whatever the rule
        assert sum(a.stats.accepted for a in answers) > 0
        assert [a.said for a in answers] == [a.said for a in plain]
        coupled = plain_answers(engines(), asked(**KINDS[kind]))
        assert [a.said for a in plain] == [a.said for a in coupled]


def test_under_rejection_the_same_seed_and_drafts_give_the_same_answer(engines: Engines) -> None:
    params = {"max_tokens": 20, "ignore_eos": True, "temperature": 0.9}
    params |= {"verification": "rejection"}
    vocab = engines().info.vocab_size
    one, again, other = (
        ask(engines(Drawing(vocab, tuple(range(5, 60)))), PROMPT, seed=seed, **params)
        for seed in (1, 1, 2)
    )
    assert one.said == again.said
    assert one.tokens != other.tokens


def test_rejected_tokens_never_have_probability_zero(engines: Engines) -> None:
    """Top-k under rejection: nothing beyond it comes out, of drafts and of what replaces them."""
    params = {"max_tokens": 30, "ignore_eos": True, "temperature": 1.5, "top_k": 3}
    vocab = engines().info.vocab_size
    engine = engines(Drawing(vocab, tuple(range(5, 60))))
    answer = ask(engine, PROMPT, seed=4, verification="rejection", logprobs=3, **params)
    for token in logprobs(answer):
        assert token.logprob in [candidate.logprob for candidate in token.top]
        assert len(token.top) <= 3


# Log-probabilities


def logprobs(answer: Answer) -> list[Any]:
    return [token.logprobs for delta in answer.deltas for token in delta.tokens]


def with_logprobs(count: int, **params: Any) -> list[Request]:
    return asked(logprobs=count, **params)


@pytest.mark.parametrize("kind", KINDS)
def test_log_probabilities_are_the_targets_own(engines: Engines, kind: str) -> None:
    (own, *_) = with_logprobs(3, **KINDS[kind])
    engine = engines()
    answer = ask_all(engine, [own])[0]
    tokens = list(own.prompt_ids)
    for token, reported in zip(answer.tokens[:8], logprobs(answer)[:8], strict=True):
        group = RowGroup(own.params, 1, None, [tokens], len(own.prompt_ids))
        expected = target_logits(engine.logits(tokens)[None], [group])[0].log_softmax(-1)
        assert reported.logprob == pytest.approx(expected[token].item(), abs=1e-4)
        best = expected.topk(3)
        assert [c.token_id for c in reported.top] == best.indices.tolist()
        assert [c.logprob for c in reported.top] == pytest.approx(best.values.tolist(), abs=1e-4)
        tokens.append(token)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("drafter", [Oracle, Bushy])
def test_log_probabilities_are_the_same_plain_and_speculative(
    engines: Engines, kind: str, drafter: type[Scripted]
) -> None:
    requests = with_logprobs(2, **KINDS[kind])
    plain = plain_answers(engines(), requests)
    answers = ask_all(engines(drafter(known(requests, plain), 6)), requests)
    assert [a.said for a in answers] == [a.said for a in plain]
    assert sum(a.stats.accepted for a in answers) > 0
    for mine, theirs in zip(answers, plain, strict=True):
        for left, right in zip(logprobs(mine), logprobs(theirs), strict=True):
            assert left.logprob == pytest.approx(right.logprob, abs=1e-4)
            assert [c.token_id for c in left.top] == [c.token_id for c in right.top]


def test_asking_for_log_probabilities_changes_no_token(engines: Engines) -> None:
    engine = engines()
    for kind in KINDS.values():
        (silent, *_), (telling, *_) = asked(**kind), with_logprobs(0, **kind)
        plain, told = ask_all(engine, [silent, telling])
        assert plain.said == told.said
        assert set(logprobs(plain)) == {None}
        assert all(token.top == () and token.logprob <= 0 for token in logprobs(told))


def test_a_held_back_token_keeps_its_log_probability(engines: Engines) -> None:
    params: dict[str, Any] = {"max_tokens": 20, "ignore_eos": True, "logprobs": 1}
    whole = ask(engines(), PROMPT, **params)
    cut = ask(engines(), PROMPT, stop=whole.text[-3:], **params)
    assert 0 < len(cut.tokens) <= len(whole.tokens)
    assert logprobs(cut) == logprobs(whole)[: len(cut.tokens)]
