"""What is offered in a step: the native library computes what Python does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.drafting.merging import DraftMerger, TreeMerger
from specchat.engine.drafting.packed_trees import PackedTrees
from specchat.engine.native import merging
from specchat.engine.native.library import NativeUnavailableError, load_library
from specchat.engine.native.merging import BuildMerger, NativeMerger
from tests.engine.drafting.drafts import OTHER, SURE, VOCAB, chain, policy
from tests.engine.running import Oracle

DRAFTERS = ("a", "b", "c")
MOST = 6  # nodes of a request


def both(row_ms: float) -> tuple[NativeMerger, TreeMerger]:
    """With calibrations of their own."""
    native = NativeMerger(load_library(), policy(row_ms, max_nodes=MOST), DRAFTERS, VOCAB)
    return native, TreeMerger(policy(row_ms, max_nodes=MOST), VOCAB)


@st.composite
def drafted(draw: st.DrawFn, name: str) -> DraftTree:
    """A drafter's tree; few tokens, so that drafters meet. Its numbers are those of float32."""
    tree = DraftTree()
    for _ in range(draw(st.integers(0, 8))):
        parent = draw(st.integers(ROOT, len(tree) - 1))
        token = draw(st.integers(0, 3))
        if token not in {tree.tokens[node] for node in tree.children(parent)}:
            tree.add(token, parent, name, draw(st.integers(0, 64)) / 64)
    return tree


@st.composite
def a_step(draw: st.DrawFn) -> dict[str, Any]:
    requests = draw(st.integers(1, 4))
    asked = draw(st.lists(st.sampled_from(DRAFTERS), unique=True, max_size=3))
    places = st.lists(st.integers(0, requests - 1), unique=True, min_size=1)
    offered = []
    for name in asked:
        those = sorted(draw(places))
        trees = [draw(drafted(name)) for _ in those]
        offered.append((name, those, trees, [draw(st.integers(1, 5)) for _ in those]))
    return {
        "greedy": draw(st.lists(st.booleans(), min_size=requests, max_size=requests)),
        "prompt_rows": draw(st.integers(0, 3)),
        "offered": offered,
        "tokens": [
            draw(st.lists(st.integers(0, 3), min_size=1, max_size=4)) for _ in range(requests)
        ],
        "idle": draw(st.integers(1, 20)),
    }


def columns(trees: Sequence[DraftTree]) -> list[list[tuple[Any, ...]]]:
    return [
        list(zip(t.tokens, t.parents, t.depths, t.sources, t.confidence, strict=True))
        for t in trees
    ]


@settings(max_examples=150, deadline=None)
@given(st.lists(a_step(), min_size=1, max_size=6), st.floats(0, 2))
def test_native_offers_are_those_of_python(steps: list[dict[str, Any]], row_ms: float) -> None:
    merger = both(row_ms)
    for step in steps:
        requests = range(len(step["greedy"]))
        seen = []
        for each in merger:
            found: list[Any] = [each.begin(step["greedy"], step["prompt_rows"])]
            for name, places, trees, depths in step["offered"]:
                each.add(name, places, trees, depths)
                found.append(each.choose(0.1))
            seen.append((found, columns(each.chosen()), [each.whole(r) for r in requests]))
        (mine, kept, wholes), (theirs, kept_theirs, wholes_theirs) = seen
        for one, other in zip(mine, theirs, strict=True):
            assert one.tokens == pytest.approx(other.tokens)
            assert one.ms == pytest.approx(other.ms)
        assert kept == kept_theirs
        assert columns(wholes) == columns(wholes_theirs)
        for one, other in zip(wholes, wholes_theirs, strict=True):
            assert one.opinions == other.opinions or not one.tokens
        for each in merger:
            each.learn(requests, step["tokens"])
            for _ in range(step["idle"]):
                each._policy.calibration.begin_step()
    learned = [each._policy.calibration._known for each in merger]
    for drafters in learned[0].keys() & learned[1].keys():
        assert list(learned[0][drafters]._rows) == pytest.approx(list(learned[1][drafters]._rows))


@pytest.fixture(params=[0, 1], ids=["natively", "in Python"])
def merger(request: pytest.FixtureRequest) -> DraftMerger:
    return both(0.0)[request.param]


def test_what_is_offered_deeper_than_is_of_use_is_left_out(merger: DraftMerger) -> None:
    merger.begin([True, True], 0)
    merger.add("a", [0, 1], [chain(4, SURE), chain(4, SURE)], [2, 4])
    assert merger.choose(0.0).tokens == pytest.approx(8, abs=0.5)
    assert [len(tree) for tree in merger.chosen()] == [2, 4]


def test_a_step_without_drafts_is_plain(merger: DraftMerger) -> None:
    plain = merger.begin([True, False], 3)
    assert (plain.requests, plain.tokens, plain.prompt_rows) == (2, 2.0, 3)
    assert [len(tree) for tree in merger.chosen()] == [0, 0]
    merger.add("b", [1], [DraftTree()], [4])
    assert merger.choose(0.0).tokens == 2.0
    assert [len(tree) for tree in merger.chosen()] == [0, 0]
    merger.learn([0, 1], [[1], [2]])


@pytest.mark.parametrize("token", [VOCAB, -1, 2**40])
def test_a_token_that_is_none_is_refused_and_nothing_is_added(
    merger: DraftMerger, token: int
) -> None:
    merger.begin([True, True], 0)
    wrong = DraftTree.chain([10, token], "a")
    with pytest.raises(ValueError, match=f"draft tokens must be from 0 to 299, got {token}"):
        merger.add("a", [0, 1], [chain(2, SURE), wrong], [4, 4])
    merger.choose(0.0)
    assert [len(tree) for tree in merger.chosen()] == [0, 0]


def test_packed_trees_with_impossible_parents_are_refused() -> None:
    native, _ = both(0.0)
    native.begin([True], 0)
    for parents in ([ROOT, 1], [ROOT, -2], [0, 0]):
        wrong = DraftTree.of_one([1, 2], [ROOT, 0], "a", [0.5, 0.5])
        wrong.parents = parents
        with pytest.raises(ValueError, match="a node's parent must come before it"):
            native.add("a", [0], [wrong], [4])
    assert native.whole(0).tokens == []


def test_drafts_that_were_drawn_are_not_for_the_native_offers() -> None:
    native, _ = both(0.0)
    native.begin([True], 0)
    tree = chain(1, SURE)
    tree.draw(5, ROOT, "a", torch.full((VOCAB,), 1 / VOCAB))
    with pytest.raises(ValueError, match="verified by rejection"):
        native.add("a", [0], [tree], [4])


def test_an_engine_that_drafts_has_the_library_built(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def none_here() -> None:
        asked.append(1)
        raise NativeUnavailableError("no C++ compiler found")

    monkeypatch.setattr(merging, "load_library", none_here)
    drafts, plain = BuildMerger([Oracle({})]), BuildMerger([])
    assert (drafts.wanted(), plain.wanted(), drafts.ready) == (True, False, False)
    drafts.compile()  # without one nothing fails
    assert (asked, drafts.ready) == ([1], True)


def test_packed_trees_are_the_trees_that_were_packed() -> None:
    one, other = chain(3, 0.5), DraftTree()
    other.add(1, ROOT, "x", 0.25)
    other.add(OTHER, ROOT, "x", 0.75)
    other.add(2, 1, "x", 0.125)
    packed = PackedTrees.of("x", [one, DraftTree(), other])
    assert list(packed) == [one, DraftTree(), other]
    assert packed[-1] == other
    assert packed[:2] == [one, DraftTree()]
    with pytest.raises(IndexError, match="there are 3 trees, got 3"):
        packed[3]
