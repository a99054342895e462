"""Draft trees: chains, merging, selection, ancestor masks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.options import MAX_NODES


def paths(tree: DraftTree) -> list[tuple[int, ...]]:
    """The tokens from the root to each node."""
    out: list[tuple[int, ...]] = []
    for token, parent in zip(tree.tokens, tree.parents, strict=True):
        out.append((*(out[parent] if parent != ROOT else ()), token))
    return out


@st.composite
def trees(draw: st.DrawFn, source: str = "drafter", max_nodes: int = 12) -> DraftTree:
    """A random trie: no two siblings carry the same token."""
    tree = DraftTree()
    for _ in range(draw(st.integers(0, max_nodes))):
        parent = draw(st.integers(ROOT, len(tree) - 1))
        token = draw(st.integers(0, 5))
        if token not in (tree.tokens[child] for child in tree.children(parent)):
            tree.add(token, parent, source, draw(st.floats(0, 1)))
    return tree


def test_a_chain_is_one_path() -> None:
    chain = DraftTree.chain([7, 8, 9], "ngram", [0.9, 0.8, 0.7])
    assert chain.parents == [ROOT, 0, 1]
    assert chain.depths == [1, 2, 3]
    assert chain.is_chain
    assert paths(chain)[-1] == (7, 8, 9)


def test_the_empty_tree_is_a_chain_of_depth_zero() -> None:
    empty = DraftTree()
    assert (len(empty), empty.max_depth, empty.is_chain) == (0, 0, True)
    assert empty.ancestor_bits() == [1]


def test_a_node_that_hangs_on_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="parent must be from -1 to 0, got 1"):
        DraftTree.chain([5], "x").add(6, 1, "x")


@pytest.mark.parametrize("confidence", [float("nan"), -0.1])
def test_a_confidence_that_is_no_probability_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence must be from 0 to 1"):
        DraftTree().add(5, ROOT, "x", confidence)


@given(trees(), st.randoms())
def test_a_selection_keeps_the_paths_of_its_nodes(tree: DraftTree, random) -> None:  # type: ignore[no-untyped-def]
    kept: set[int] = set()
    for node, parent in enumerate(tree.parents):
        if (parent == ROOT or parent in kept) and random.random() < 0.6:
            kept.add(node)
    chosen = tree.select(kept)
    assert set(paths(chosen)) == {paths(tree)[node] for node in kept}
    assert chosen.depths == [len(path) for path in paths(chosen)]


def test_a_selection_without_a_parent_is_refused() -> None:
    with pytest.raises(ValueError, match="node 1 is selected without its parent 0"):
        DraftTree.chain([1, 2], "x").select([1])


@settings(max_examples=50)
@given(trees(max_nodes=MAX_NODES))
def test_a_row_attends_to_the_root_its_ancestors_and_itself(tree: DraftTree) -> None:
    for row, mask in enumerate(tree.ancestor_bits()):
        expected = {0, row}
        node = row - 1
        while node > ROOT:
            expected.add(node + 1)
            node = tree.parents[node]
        assert {bit for bit in range(64) if mask >> bit & 1} == expected


def test_the_64th_row_sets_the_sign_bit_of_an_int64() -> None:
    masks = DraftTree.chain(list(range(MAX_NODES)), "x").ancestor_bits()
    assert len(masks) == 64
    assert masks[-1] == -1  # all 64 bits
    assert masks[-2] == 2**63 - 1
    assert all(-(2**63) <= mask < 2**63 for mask in masks)


def test_a_cut_tree_keeps_its_first_nodes() -> None:
    tree = bushy()
    assert paths(tree.first(3)) == [(1,), (2,), (1, 3)]
    assert paths(tree.first(0)) == []
    assert paths(tree.first(99)) == paths(tree)


def test_a_shallow_tree_keeps_the_nodes_down_to_a_depth() -> None:
    assert paths(bushy().shallow(1)) == [(1,), (2,), (5,)]


def bushy() -> DraftTree:
    """Three tokens behind the root, and two behind the first of them."""
    tree = DraftTree()
    for token, parent in ((1, ROOT), (2, ROOT), (3, 0), (4, 0), (5, ROOT)):
        tree.add(token, parent, "x")
    return tree


def test_tokens_that_the_target_cannot_read_are_refused() -> None:
    bushy().check(6)
    with pytest.raises(ValueError, match="draft tokens must be from 0 to 4, got 5"):
        bushy().check(5)
