"""Speculative answers are plain ones, token for token: every shape of draft under every load.

Each combination answers 8 prompts with 64 tokens; EXACTNESS_PROMPTS=200 asks for as many as one
wants to be sure of. In float32, on the native step where there is a C++ compiler, else eagerly.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.engine import Engine
from specchat.engine.model.batch import Rows
from specchat.engine.request import Request
from tests.engine.running import Answer, Engines, Scripted, ask_all, ask_at_once, prompts, request

PROMPTS = int(os.environ.get("EXACTNESS_PROMPTS", "8"))
TOKENS = 64
SHARED = 40  # prompt tokens that all have in common
PROMPT_LENGTH = 60
TEMPERATURES = (0.0, 0.8)

SHAPES: dict[str, list[int]] = {  # nodes at each depth
    "chain of 1": [1],
    "chain of 2": [1] * 2,
    "chain of 4": [1] * 4,
    "chain of 8": [1] * 8,
    "bushy 16": [4, 4, 3, 3, 2],
    "64 rows": [12, 10, 10, 9, 8, 8, 6],
}


class Shaped(Scripted):
    """Drafts trees of one shape. The right path runs through a random child of each place, and is
    wrong in one place out of five; wrong children have children too."""

    name = "shaped"

    def __init__(self, answers: dict[tuple[int, ...], tuple[int, ...]], shape: list[int]) -> None:
        super().__init__(answers)
        self._shape = shape

    def draft(self, tokens: tuple[int, ...], truth: tuple[int, ...]) -> DraftTree:
        rng = random.Random(hash(tokens))
        tree = DraftTree()
        ends, right = [ROOT], ROOT
        for depth, children in enumerate(self._shape):
            if depth >= len(truth):
                break
            lost = rng.random() < 0.2
            others = [t for t in rng.sample(range(5, 300), 2 * children) if t != truth[depth]]
            grown = []
            for place in rng.sample(range(children), children):
                true = place == 0 and not lost
                parent = right if true else rng.choice(ends)
                token = truth[depth] if true else others[place]
                grown.append(tree.add(token, parent, self.name))
                if true:
                    through = grown[-1]
            ends = grown if lost else [*grown, through]
            right = rng.choice(grown) if lost else through
        return tree


@dataclass(frozen=True)
class Load:
    """How the requests meet."""

    pages: int = 512
    options: dict[str, int] | None = None
    warm: bool = False  # the prompts' pages are in the prefix cache

    def run(self, engine: Engine, requests: list[Request]) -> list[Answer]:
        if self.warm:
            ask_all(engine, [request(r.prompt_ids, max_tokens=1) for r in requests])
        return ask_at_once(engine, requests)


LOADS = {
    "batched": Load(),
    "preempted": Load(pages=30, options={"max_running": 8}),
    "prefix hit": Load(warm=True),
    "chunked prefill": Load(options={"token_budget": 24, "prefill_rows": 16}),
}


@pytest.fixture
def chunks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the prefill chunks after which a prompt was not complete."""
    sizes: list[int] = []
    original = Rows.chunk

    def chunk(table: Any, tokens: Any, *, last: bool) -> Rows:
        if not last:
            sizes.append(len(tokens))
        return original(table, tokens, last=last)

    monkeypatch.setattr(Rows, "chunk", chunk)
    return sizes


@pytest.fixture(scope="module")
def module_engines(tiny_model: Any, tiny_tokenizer: Any) -> Iterator[Engines]:
    factory = Engines(tiny_model, tiny_tokenizer)
    yield factory
    factory.close()


def started(engines: Engines, *speculators: Scripted, load: Load) -> Engine:
    options = {"max_waiting": 2 * PROMPTS, "max_running": 16, **(load.options or {})}
    engine = engines(*speculators, pages=load.pages, **options)
    engine._runner.native.compile()
    return engine


def asked(temperature: float) -> list[Request]:
    shared = prompts(1, SHARED, seed=3)[0]
    return [
        request(
            (*shared, *prompt), max_tokens=TOKENS, ignore_eos=True, temperature=temperature, seed=i
        )
        for i, prompt in enumerate(prompts(PROMPTS, PROMPT_LENGTH - SHARED, seed=4))
    ]


@pytest.fixture(scope="module")
def plain(module_engines: Engines) -> dict[float, list[Answer]]:
    """The plain answers, one request at a time."""
    engine = started(module_engines, load=Load())
    return {t: [ask_all(engine, [r])[0] for r in asked(t)] for t in TEMPERATURES}


@pytest.mark.usefixtures("keep_all_drafts")
@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("shape", SHAPES)
def test_speculative_answers_are_the_plain_ones(
    engines: Engines,
    plain: dict[float, list[Answer]],
    shape: str,
    load: str,
    temperature: float,
    chunks: list[int],
) -> None:
    requests = asked(temperature)
    truth = {r.prompt_ids: a.tokens for r, a in zip(requests, plain[temperature], strict=True)}
    engine = started(engines, Shaped(truth, SHAPES[shape]), load=LOADS[load])
    answers = LOADS[load].run(engine, requests)
    assert [a.said for a in answers] == [a.said for a in plain[temperature]]
    assert all(len(a.tokens) == TOKENS for a in answers)
    drafted = sum(a.stats.drafted for a in answers)
    accepted = sum(a.stats.accepted for a in answers)
    preemptions = engine.snapshot().preemptions
    assert drafted > accepted > PROMPTS * 8
    assert max(a.stats.drafted / a.stats.steps for a in answers) <= sum(SHAPES[shape])
    assert (preemptions > 0) == (load == "preempted")
    assert all(a.stats.cached_tokens >= SHARED // 16 * 16 for a in answers) or load != "prefix hit"
    assert len(chunks) >= PROMPTS or load != "chunked prefill"
    for stats in (a.stats for a in answers):
        assert stats.completion_tokens == 1 + stats.steps + stats.accepted


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_has_the_nodes_it_is_named_for(shape: str) -> None:
    tree = Shaped({}, SHAPES[shape]).draft((1, 2, 3), tuple(range(5, 20)))
    assert len(tree) == sum(SHAPES[shape])
    assert tree.max_depth == len(SHAPES[shape])
    assert {"bushy 16": 16, "64 rows": 63}.get(shape, tree.max_depth) == len(tree)
