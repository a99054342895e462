"""How likely the target finds the end of a text, through the paged cache."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from specchat.engine.engine import Engine
from specchat.engine.errors import RequestError
from specchat.engine.request import KnownText, Request, SamplingParams
from tests.engine.running import Engines, prompts

TEXT = prompts(1, 59)[0]


@pytest.fixture
def engine(engines: Engines) -> Engine:
    """In chunks that a text is longer than."""
    return engines(token_budget=21)


def by_logits(engine: Engine, text: KnownText) -> float:
    chances = [
        engine.logits(text.ids[:end]).log_softmax(-1)[text.ids[end]]
        for end in range(text.first, len(text.ids))
    ]
    return float(torch.stack(chances).mean())


@pytest.mark.parametrize("first", [1, 16, 17, 58])
def test_they_are_those_of_the_logits(engine: Engine, first: int) -> None:
    text = KnownText(TEXT, first, public=first, salt="a")
    expected = by_logits(engine, text)
    for _ in range(2):  # the second time from the prefix cache
        (found,) = engine.log_likelihoods([text])
        assert found == pytest.approx(expected, abs=1e-4)


def test_a_request_that_begins_alike_finds_the_pages(engine: Engine) -> None:
    size = engine.pool.page_size
    public = 2 * size
    engine.log_likelihoods([KnownText(TEXT, public, public, salt="a")])
    params = SamplingParams(max_tokens=1)
    cached = {}
    for salt in "ab":
        request = Request((*TEXT, 3), params, salt=salt, public_tokens=public)
        *_, last = engine.submit(request)
        assert last.stats
        cached[salt] = last.stats.cached_tokens
    assert cached["b"] == public  # somebody else: what is everybody's
    assert cached["a"] >= len(TEXT) // size * size


def test_several_at_once_come_in_order(engine: Engine) -> None:
    texts = [KnownText(TEXT[start:], 5) for start in (0, 3, 9)]
    together = engine.log_likelihoods(texts)
    assert together == [engine.log_likelihoods([text])[0] for text in texts]
    assert engine.log_likelihoods([]) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"first": 0}, "first must be from 1 to 58"),
        ({"first": 59}, "first must be from 1 to 58"),
        ({"public": 6}, "public must be from 0 to first, 5, got 6"),
        ({"ids": ()}, "empty"),
        ({"ids": (1, 2, 10**6)}, "below"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    engine: Engine, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        engine.log_likelihoods([replace(KnownText(TEXT, 5), **changes)])  # type: ignore[arg-type]
