"""What is offered in a step, and what of it is kept."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.drafting.merging import BestTrees, DraftMerger, Wish
from specchat.engine.drafting.packed_trees import PackedTrees
from specchat.engine.native import merging
from specchat.engine.native.library import NativeUnavailableError
from specchat.engine.native.merging import BuildMerger
from tests.engine.drafting.drafts import (
    DRAFTERS,
    OTHER,
    SURE,
    UNSURE,
    VOCAB,
    chain,
    merger_of,
    offer,
    policy,
    wishes,
)
from tests.engine.drafting.test_draft_tree import paths
from tests.engine.running import Oracle

MOST = 6  # nodes of a request


@st.composite
def drafted(draw: st.DrawFn, name: str) -> DraftTree:
    """A drafter's tree; few tokens, so that drafters meet. Its numbers are those of float32."""
    tree = DraftTree()
    for _ in range(draw(st.integers(0, 8))):
        parent = draw(st.integers(ROOT, len(tree) - 1))
        token = draw(st.integers(0, 3))
        if token not in {tree.tokens[node] for node in tree.children(parent)}:
            tree.add(token, parent, name, draw(st.integers(1, 63)) / 64)
    return tree


def chances(tree: DraftTree) -> list[float]:
    """Of each node and all before it, where the drafter is believed; siblings share one chance."""
    found: list[float] = []
    for parent, confidence in zip(tree.parents, tree.confidence, strict=True):
        claimed = sum(tree.confidence[node] for node in tree.children(parent))
        found.append(confidence / max(1.0, claimed) * (1.0 if parent == ROOT else found[parent]))
    return found


@settings(max_examples=150, deadline=None)
@given(st.lists(drafted("x"), min_size=1, max_size=4), st.floats(0, 2), st.integers(0, 3))
def test_the_nodes_kept_bring_more_tokens_a_millisecond_than_any_other_number_of_them(
    trees: list[DraftTree], row_ms: float, prompt_rows: int
) -> None:
    mine = policy(row_ms)
    merger = merger_of(mine)
    plain = merger.begin(wishes(len(trees)), prompt_rows)
    offer(merger, "x", trees)
    found = merger.choose(0.1)
    ranked = sorted((chance for tree in trees for chance in chances(tree)), reverse=True)
    rows, node_ms, model_ms = len(trees) + prompt_rows, mine.overhead.node_ms, mine.cost.step_ms
    rates = [
        (rows + sum(ranked[:m]))
        / (plain.ms + 0.1 + model_ms(rows + m) - model_ms(rows) + m * node_ms)
        for m in range(len(ranked) + 1)
    ]
    assert found.rate == pytest.approx(max(rates))
    kept = merger.chosen()
    assert found.tokens - len(trees) == pytest.approx(sum(ranked[: sum(map(len, kept))]))
    for tree, whole in zip(kept, trees, strict=True):
        assert set(paths(tree)) <= set(paths(whole))


@settings(max_examples=100, deadline=None)
@given(st.data(), st.booleans())
def test_all_that_several_drafters_offer_is_one_tree_with_each_candidate_once(
    data: st.DataObject, adaptive: bool
) -> None:
    asked = data.draw(st.lists(st.sampled_from(DRAFTERS), unique=True, min_size=1))
    merger = merger_of(policy(50.0))
    merger.begin(wishes(1, adaptive=adaptive), 0)
    offered = [data.draw(drafted(name)) for name in asked]
    for name, tree in zip(asked, offered, strict=True):
        offer(merger, name, [tree])
    assert merger.choose(0.0).tokens == 1.0  # nothing pays
    (tree,) = merger.chosen()
    assert len(set(paths(tree))) == len(tree)
    whole = {path for each in offered for path in paths(each)}
    assert set(paths(tree)) == (set() if adaptive else whole)
    assert merger.count(0) == len(whole)
    assert tree.depths == [len(path) for path in paths(tree)]


def test_of_what_several_say_the_surest_keeps_the_node_and_the_first_of_equals() -> None:
    merger = merger_of(policy(0.0))
    merger.begin(wishes(1, adaptive=False), 0)
    offer(merger, "y", [DraftTree.chain([1, 2], "y", [0.5, 0.75])])
    offer(merger, "x", [DraftTree.chain([1, 3], "x", [0.75, 0.125])])
    offer(merger, "z", [DraftTree.chain([1, 2], "z", [0.25, 0.75])])
    merger.choose(0.0)
    (tree,) = merger.chosen()
    kept = dict(zip(paths(tree), zip(tree.sources, tree.confidence, strict=True), strict=True))
    assert kept == {(1,): ("x", 0.75), (1, 2): ("y", 0.75), (1, 3): ("x", 0.125)}


@pytest.fixture(params=["merged", "unmerged"])
def merger(request: pytest.FixtureRequest) -> DraftMerger:
    return merger_of(policy(0.0)) if request.param == "merged" else BestTrees(policy(0.0), VOCAB)


def test_what_is_offered_deeper_than_is_of_use_is_left_out(merger: DraftMerger) -> None:
    merger.begin(wishes(2), 0)
    merger.add("x", [0, 1], [chain(4, SURE), chain(4, SURE)], [2, 4])
    assert merger.choose(0.0).tokens == pytest.approx(8, abs=0.5)
    assert [len(tree) for tree in merger.chosen()] == [2, 4]


def test_a_step_without_drafts_is_plain(merger: DraftMerger) -> None:
    plain = merger.begin([Wish(True, MOST), Wish(False, MOST)], 3)
    assert (plain.requests, plain.tokens, plain.prompt_rows) == (2, 2.0, 3)
    assert [len(tree) for tree in merger.chosen()] == [0, 0]
    merger.add("y", [1], [DraftTree()], [4])
    assert merger.choose(0.0).tokens == 2.0
    assert [len(tree) for tree in merger.chosen()] == [0, 0]
    merger.learn([0, 1], [[1], [2]])


def test_a_request_gets_no_more_nodes_than_it_wants_whether_they_pay_or_not(
    merger: DraftMerger,
) -> None:
    merger.begin([Wish(True, 3), Wish(True, 5, adaptive=False), Wish(True, 0)], 0)
    trees = [chain(8, SURE), chain(8, UNSURE), chain(8, SURE)]
    merger.add("x", [0, 1, 2], trees, [9, 9, 9])
    outlook = merger.choose(0.0)
    assert [len(tree) for tree in merger.chosen()] == [3, 5, 0]
    assert outlook.tokens == pytest.approx(3 + 3 * SURE, abs=0.1)  # of those that are to pay


@pytest.mark.parametrize("token", [VOCAB, -1, 2**40])
def test_a_token_that_is_none_is_refused_and_nothing_is_added(
    merger: DraftMerger, token: int
) -> None:
    merger.begin(wishes(2), 0)
    wrong = DraftTree.chain([10, token], "x")
    with pytest.raises(ValueError, match=f"draft tokens must be from 0 to 299, got {token}"):
        merger.add("x", [0, 1], [chain(2, SURE), wrong], [4, 4])
    merger.choose(0.0)
    assert [len(tree) for tree in merger.chosen()] == [0, 0]


def test_without_merging_the_tree_that_promises_most_is_kept_as_far_as_it_pays() -> None:
    trees = BestTrees(policy(0.5), VOCAB)
    trees.begin(wishes(1), 0)
    trees.add("x", [0], [DraftTree.chain([1, 2], "x", [0.5, 0.5])], [9])
    trees.add("y", [0], [DraftTree.chain([3, 4, 5], "y", [0.9, 0.9, UNSURE])], [9])
    trees.add("z", [0], [DraftTree.chain([6], "z", [SURE])], [9])
    assert trees.choose(0.0).tokens == pytest.approx(1 + 0.9 + 0.81)
    assert [paths(tree) for tree in trees.chosen()] == [[(3,), (3, 4)]]


def test_without_merging_what_a_drafter_says_counts_as_far_as_it_came_true() -> None:
    trees = BestTrees(policy(0.0), VOCAB)
    for _ in range(100):
        trees.begin(wishes(1), 0)
        trees.add("boaster", [0], [DraftTree.chain([1, 2], "boaster", [0.9, 0.9])], [9])
        trees.add("modest", [0], [DraftTree.chain([3, 4], "modest", [0.25, 0.25])], [9])
        trees.choose(0.0)
        (tree,) = trees.chosen()
        trees.learn([0], [[3, 4]])
    assert tree.sources == ["modest", "modest"]
    assert tree.confidence == pytest.approx([1.0, 1.0])  # 4 times as often right as it says


def test_packed_trees_with_impossible_parents_are_refused() -> None:
    native = merger_of(policy(0.0))
    native.begin(wishes(1), 0)
    for parents in ([ROOT, 1], [ROOT, -2], [0, 0]):
        wrong = DraftTree.of_one([1, 2], [ROOT, 0], "x", [0.5, 0.5])
        wrong.parents = parents
        with pytest.raises(ValueError, match="a node's parent must come before it"):
            native.add("x", [0], [wrong], [4])
    assert native.count(0) == 0


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
