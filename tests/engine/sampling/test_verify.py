"""The walk through a draft tree along the target's own choices."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.sampling.verify import Walk, walk
from tests.engine.drafting.test_draft_tree import paths, trees


def test_the_empty_tree_gives_the_targets_token() -> None:
    assert walk(DraftTree(), [7]) == Walk([], 7)


def test_a_chain_is_accepted_up_to_the_first_disagreement() -> None:
    chain = DraftTree.chain([1, 2, 3], "x")
    assert walk(chain, [1, 2, 9, 4]) == Walk([0, 1], 9)


def test_a_whole_accepted_chain_brings_one_token_more() -> None:
    chain = DraftTree.chain([1, 2], "x")
    assert walk(chain, [1, 2, 5]) == Walk([0, 1], 5)


def test_the_walk_leaves_the_first_branch_for_the_right_one() -> None:
    tree = DraftTree()
    tree.add(1, ROOT, "x")
    right = tree.add(2, ROOT, "x")
    tree.add(3, 0, "x")
    end = tree.add(3, right, "x")
    assert walk(tree, [2, 0, 3, 0, 8]) == Walk([right, end], 8)


@given(trees(max_nodes=20), st.lists(st.integers(0, 5), min_size=21, max_size=21))
def test_the_accepted_path_is_the_longest_that_agrees_with_the_target(
    tree: DraftTree, choices: list[int]
) -> None:
    choices = choices[: len(tree) + 1]
    result = walk(tree, choices)
    node, tokens = ROOT, []
    for accepted in result.nodes:
        assert tree.parents[accepted] == node
        assert tree.tokens[accepted] == choices[node + 1]
        tokens.append(tree.tokens[accepted])
        node = accepted
    assert result.token == choices[node + 1]
    assert (*tokens, result.token) not in paths(tree)
