"""Trees are verified on their request's own last pages: what a step writes, and what it never does.

The tensors themselves are compared before and after each forward pass and each move, so that a copy
anywhere would be seen, counted or not.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.engine import Engine
from specchat.engine.kv.cache import KVCache
from specchat.engine.model.batch import Rows
from tests.engine.running import Answer, Engines, Scripted, ask_all, ask_at_once, prompts, request

pytestmark = pytest.mark.usefixtures("keep_all_drafts")

CHAINS = {"chain 1": 1, "chain 2": 2, "chain 4": 4, "chain 8": 8}
BUSHES = {"bushy 16": 15, "bushy 64": 63}  # nodes; the root is one more row
SHAPES = (*CHAINS, *BUSHES)
LENGTH = 40


class Shaped(Scripted):
    """Drafts a tree of the shape that its prompt was given, with the answer hidden in it."""

    name = "shaped"

    def __init__(
        self, answers: dict[tuple[int, ...], tuple[int, ...]], shapes: dict[tuple[int, ...], str]
    ) -> None:
        super().__init__(answers)
        self._shapes = shapes

    def draft(self, tokens: tuple[int, ...], truth: tuple[int, ...]) -> DraftTree:
        shape = next((s for p, s in self._shapes.items() if tokens[: len(p)] == p), None)
        if shape is None:
            return DraftTree()
        if shape in CHAINS:
            return DraftTree.chain(truth[: CHAINS[shape]], self.name)
        return bush(BUSHES[shape], truth[:5], random.Random(hash(tokens)))


def bush(nodes: int, truth: Sequence[int], rng: random.Random) -> DraftTree:
    """A tree of that size: the truth is one path through its middle, the rest are wrong turns."""
    tree = DraftTree()
    end, depth = ROOT, 0
    while len(tree) < nodes:
        if depth < len(truth) and rng.random() < 0.2:
            end = tree.add(truth[depth], end, "shaped")
            depth += 1
            continue
        parent = rng.randint(ROOT, len(tree) - 1)
        taken = {tree.tokens[child] for child in tree.children(parent)} | set(truth)
        tree.add(rng.choice([t for t in range(5, 99) if t not in taken]), parent, "shaped")
    return tree


class Watch:
    """Looks at every row of the cache around each forward pass and each move."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[list[Rows]] = []
        self.moves = 0
        self._engine, self._cache = engine, engine._runner.cache
        self._forward, self._move = engine._runner.forward, self._cache.move
        self._written: list[set[int]] = []  # slots of each request's rows in the latest step
        monkeypatch.setattr(engine._runner, "forward", self._watched_forward)
        monkeypatch.setattr(KVCache, "move", lambda cache, *rows: self._watched_move(*rows))

    def _rows(self) -> list[torch.Tensor]:
        return [layer.clone() for layer in (*self._cache.keys, *self._cache.values)]

    def _changed(self, before: list[torch.Tensor]) -> set[int]:
        different = [
            (old != new).flatten(1).any(1)
            for old, new in zip(before, (*self._cache.keys, *self._cache.values), strict=True)
        ]
        return set(torch.stack(different).any(0).nonzero().flatten().tolist())

    def _watched_forward(self, parts: Sequence[Rows]) -> Any:
        pool = self._engine.pool
        size = pool.page_size
        slots = [part.table.slots(part.table.length, len(part.tokens)) for part in parts]
        self._written = [set(own) for own in slots]
        together = set().union(*self._written)
        assert len(together) == sum(map(len, slots)), "a row has two places, or two rows one"
        assert not any(pool.shared(slot // size) for slot in together), "a shared page is written"
        for part in parts:
            if part.ancestors is not None:
                needed = -(-(part.table.length + len(part.tokens)) // size)
                assert len(part.table.pages) == needed, "a tree holds more pages than its rows fill"
        before = self._rows()
        out = self._forward(parts)
        assert self._changed(before) <= together, "a pass wrote elsewhere"
        self.steps.append(list(parts))
        return out

    def _watched_move(self, source: Sequence[int], target: Sequence[int]) -> None:
        for moved in zip(source, target, strict=True):
            assert any(set(moved) <= own for own in self._written), "a row left its request's own"
        before = self._rows()
        self._move(source, target)
        assert self._changed(before) <= set(target), "a move wrote elsewhere"
        self.moves += 1


def answers_to(requests: Sequence[Any], plain: Sequence[Answer]) -> dict[Any, Any]:
    return {r.prompt_ids: a.tokens for r, a in zip(requests, plain, strict=True)}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_no_page_is_copied_for_any_tree(
    engines: Engines, monkeypatch: pytest.MonkeyPatch, shape: str, temperature: float
) -> None:
    requests = [
        request(p, max_tokens=LENGTH, ignore_eos=True, temperature=temperature, seed=i)
        for i, p in enumerate(prompts(3, 21, seed=4))
    ]
    plain = ask_all(engines(), requests)
    drafter = Shaped(answers_to(requests, plain), {r.prompt_ids: shape for r in requests})
    engine = engines(drafter)
    watch = Watch(engine, monkeypatch)
    answers = ask_at_once(engine, requests)
    assert [a.said for a in answers] == [a.said for a in plain]
    assert min(a.stats.accepted for a in answers) > 0
    snapshot = engine.snapshot()
    assert snapshot.pages_copied == 0
    assert (snapshot.rows_moved > 0) == (watch.moves > 0) == (shape in BUSHES)
    computed = sum(len(part.tokens) for step in watch.steps for part in step)
    steps = sum(a.stats.steps + a.stats.drafted for a in answers)
    assert computed == sum(len(r.prompt_ids) for r in requests) + steps


def test_trees_of_every_shape_plain_requests_and_chunks_share_a_step(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = prompts(len(SHAPES) + 2, 21, seed=5)
    kind = {"max_tokens": LENGTH, "ignore_eos": True}
    requests = [
        request(p, **kind, temperature=(i % 2) * 0.8, seed=i, speculate=i < len(SHAPES))
        for i, p in enumerate(texts)
    ]
    requests.append(request(prompts(1, 400, seed=6)[0], max_tokens=8, ignore_eos=True))
    plain = ask_all(engines(), requests)
    shapes = dict(zip(texts, SHAPES, strict=False))
    drafter = Shaped(answers_to(requests, plain), shapes)
    engine = engines(drafter, pages=128, prefill_rows=12, token_budget=40)
    watch = Watch(engine, monkeypatch)
    answers = ask_at_once(engine, requests)
    assert [a.said for a in answers] == [a.said for a in plain]
    assert [a.stats.accepted > 0 for a in answers] == [True] * len(SHAPES) + [False] * 3
    assert any(kinds(step) >= {"chunk", "plain", "chain", "tree"} for step in watch.steps)
    assert max(len({len(part.tokens) for part in step}) for step in watch.steps) >= len(SHAPES)
    assert engine.snapshot().pages_copied == 0


def kinds(step: Sequence[Rows]) -> set[str]:
    """Which kinds of rows a step computes together."""
    found = set()
    for part in step:
        if len(part.wanted) < len(part.tokens):
            found.add("chunk")
        elif len(part.tokens) == 1:
            found.add("plain")
        else:
            found.add("chain" if part.ancestors is None else "tree")
    return found
