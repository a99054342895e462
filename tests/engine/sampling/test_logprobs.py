"""What each token's probability was, by the engine."""

from __future__ import annotations

from typing import Any

import pytest

from specchat.engine.request import Request
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
)
from tests.engine.test_speculation import KINDS, asked, known, plain_answers

pytestmark = pytest.mark.usefixtures("keep_all_drafts")

PROMPT = prompts(1, 24, seed=8)[0]


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
