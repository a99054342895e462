"""A traced request tells what every step proposed and took; a request may limit who drafts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from specchat.engine.errors import RequestError
from specchat.engine.request import DraftTrace, SamplingParams
from tests.engine.running import Bushy, Engines, Oracle, ask_all, prompts, request

PROMPT = prompts(1, 30)[0]

pytestmark = pytest.mark.usefixtures("keep_all_drafts")


def known(engines: Engines) -> dict[tuple[int, ...], tuple[int, ...]]:
    plain = ask_all(engines(), [request(PROMPT, max_tokens=40, ignore_eos=True)])[0]
    return {PROMPT: plain.tokens}


def wanted(**params: Any) -> Any:
    return request(PROMPT, max_tokens=40, ignore_eos=True, **params)


def test_the_traced_steps_make_up_the_answer(engines: Engines) -> None:
    truth = known(engines)
    engine = engines(Bushy(truth, 6))
    deltas = list(engine.submit(replace(wanted(), traced=True)))
    steps: list[DraftTrace] = [delta.draft for delta in deltas if delta.draft is not None]
    stats = deltas[-1].stats
    assert stats is not None
    said = []
    for step in steps:
        parent = -1
        for node in step.accepted:
            assert step.parents[node] == parent
            parent = node
        said += [step.tokens[node] for node in step.accepted]
        said += [] if step.token is None else [step.token]
    assert tuple(said) == truth[PROMPT]
    assert len(steps) == 1 + stats.steps  # the first one reads the prompt
    assert sum(len(step.tokens) for step in steps) == stats.drafted > 0
    assert Counter(name for step in steps for name in step.sources) == stats.drafted_by_source


def test_nothing_is_traced_unless_asked(engines: Engines) -> None:
    deltas = list(engines(Oracle(known(engines))).submit(wanted()))
    assert all(delta.draft is None for delta in deltas)


@pytest.mark.parametrize("most", [0, 1, 3])
def test_no_step_verifies_more_nodes_than_the_request_allows(engines: Engines, most: int) -> None:
    engine = engines(Bushy(known(engines)))
    deltas = list(engine.submit(replace(wanted(max_nodes=most), traced=True)))
    sizes = [len(delta.draft.tokens) for delta in deltas if delta.draft is not None]
    assert max(sizes) == most


@pytest.mark.parametrize(
    ("wrong", "named"), [({"max_nodes": -1}, "max_nodes"), ({"max_nodes": 1.5}, "max_nodes")]
)
def test_wrong_limits_are_named(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestError, match=named):
        SamplingParams(**wrong)
