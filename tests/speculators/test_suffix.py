"""Suffix drafting: longest match, continuations by frequency, and the store's file."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from specchat.engine.draft import ROOT, DraftContext
from specchat.engine.errors import ModelLoadError
from specchat.speculators.suffix import (
    SuffixSpeculator,
    SuffixStore,
    load_store,
    save_store,
)

ANSWERS = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=30), min_size=1, max_size=6)


def context(tokens: list[int], max_depth: int = 20) -> DraftContext:
    return DraftContext("r", tokens, 0, "", None, 0.0, None, max_depth)


@given(ANSWERS, st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_a_match_counts_every_occurrence(answers: list[list[int]], pattern: list[int]) -> None:
    size = len(pattern)
    occurrences = sum(
        answer[i : i + size] == pattern for answer in answers for i in range(len(answer) - size + 1)
    )
    match = SuffixStore(answers).find(pattern)
    assert (match.count if match else 0) == occurrences


@given(ANSWERS, st.lists(st.integers(0, 5), min_size=2, max_size=12))
def test_the_longest_suffix_that_occurs_is_found(answers: list[list[int]], text: list[int]) -> None:
    store = SuffixStore(answers)
    lengths = [n for n in range(1, len(text) + 1) if store.find(text[-n:])]
    match = store.longest_match(text, 1, len(text))
    assert (match.length if match else 0) == max(lengths, default=0)


@given(ANSWERS, st.integers(0, 5))
def test_continuations_are_the_most_frequent_next_tokens(
    answers: list[list[int]], token: int
) -> None:
    store = SuffixStore(answers)
    match = store.find([token])
    following = [b for answer in answers for a, b in itertools.pairwise(answer)
                 if a == token]  # fmt: skip
    if match is None:
        assert not following
        return
    found = store.continuations(match, 6)
    assert {t: m.count for t, m in found} == {t: following.count(t) for t in set(following)}
    assert [m.count for _, m in found] == sorted((m.count for _, m in found), reverse=True)


def test_the_draft_follows_an_earlier_answer_and_never_leaves_it() -> None:
    store = SuffixStore([[7, 1, 2, 3, 4], [9, 1, 2, 5]])
    (tree,) = SuffixSpeculator(store).propose([context([8, 7, 1])])
    assert tree.tokens == [2, 3, 4]
    assert tree.parents == [ROOT, 0, 1]
    assert set(tree.sources) == {"suffix"}


def test_where_answers_parted_the_tree_branches_with_the_frequent_branch_first() -> None:
    store = SuffixStore([[1, 2, 3], [1, 2, 3], [1, 2, 4]])
    (tree,) = SuffixSpeculator(store).propose([context([1, 2])])
    assert [tree.tokens[i] for i in tree.children(ROOT)] == [3, 4]
    assert tree.confidence[0] > tree.confidence[1]


def test_a_draft_is_no_longer_than_the_answer_may_be() -> None:
    store = SuffixStore([list(range(20))])
    (tree,) = SuffixSpeculator(store).propose([context([0, 1, 2], max_depth=2)])
    assert tree.tokens == [3, 4]


def test_nothing_is_drafted_from_an_empty_store_or_unknown_words() -> None:
    assert len(SuffixSpeculator(SuffixStore([])).propose([context([1, 2])])[0]) == 0
    assert len(SuffixSpeculator(SuffixStore([[1, 2, 3]])).propose([context([8, 9])])[0]) == 0


def test_a_store_is_the_same_after_saving(tmp_path: Path) -> None:
    path = tmp_path / "store.safetensors"
    save_store(path, [[1, 2, 3], [], [70, 2]], vocab_size=80)
    assert (
        load_store(path, 80).tokens.tolist()
        == SuffixStore([[1, 2, 3], [], [70, 2]]).tokens.tolist()
    )


def test_a_store_for_another_vocabulary_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.safetensors"
    save_store(path, [[1, 2]], vocab_size=80)
    with pytest.raises(ModelLoadError, match=r"vocabulary of 80, but the target's has 81"):
        load_store(path, 81)


def test_a_damaged_or_missing_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"absent\.safetensors"):
        load_store(tmp_path / "absent.safetensors", 80)
    garbage = tmp_path / "garbage.safetensors"
    garbage.write_bytes(b"not a store")
    with pytest.raises(ModelLoadError, match="no suffix store"):
        load_store(garbage, 80)
    wrong = tmp_path / "wrong.safetensors"
    arrays = {"tokens": [1, 99], "lengths": [2], "vocab_size": [80]}
    save_file({name: np.asarray(values, np.int32) for name, values in arrays.items()}, wrong)
    with pytest.raises(ModelLoadError, match="damaged"):
        load_store(wrong, 80)
