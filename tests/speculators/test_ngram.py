"""Prompt lookup: the longest match, the latest occurrence, an index that grows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specchat.engine.drafting.draft_tree import DraftContext, DraftTree
from specchat.engine.native import library as native
from specchat.speculators import ngram
from specchat.speculators.ngram import NgramSpeculator


@pytest.fixture(autouse=True, scope="module", params=["native", "python"])
def _searching(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "native":
            assert native.load_library() is not None
        else:
            patch.setattr(ngram, "_native_search", lambda: None)
        yield


def context(tokens: Sequence[int], request_id: str = "r", max_depth: int = 100) -> DraftContext:
    return DraftContext(request_id, tokens, 1, "", None, 0.0, None, max_depth)


def draft(speculator: NgramSpeculator, tokens: Sequence[int], **kwargs: int) -> list[int]:
    (tree,) = speculator.propose([context(tokens, **kwargs)])
    assert tree.is_chain
    return tree.tokens


def searched(tokens: list[int], longest: int, shortest: int, length: int) -> list[int]:
    """The same by looking everywhere."""
    for size in range(min(longest, len(tokens) - 1), shortest - 1, -1):
        for end in range(len(tokens) - 1, size - 1, -1):
            if tokens[end - size : end] == tokens[-size:]:
                return tokens[end : end + length]
    return []


def test_what_followed_earlier_is_drafted() -> None:
    assert draft(NgramSpeculator(length=3), [1, 2, 3, 4, 5, 9, 1, 2]) == [3, 4, 5]


def test_the_longest_match_wins_over_a_later_shorter_one() -> None:
    assert draft(NgramSpeculator(length=1), [7, 1, 2, 30, 8, 1, 2, 40, 7, 1, 2]) == [30]


def test_of_equally_long_matches_the_latest_wins() -> None:
    assert draft(NgramSpeculator(length=1), [1, 2, 30, 1, 2, 40, 1, 2]) == [40]


def test_in_a_text_that_repeats_itself_only_the_latest_places_count() -> None:
    often = [n for k in range(NgramSpeculator.MOST_PLACES) for n in (100 + k, 1, 2, 40)]
    assert draft(NgramSpeculator(length=1), [7, 1, 2, 30, *often[4:], 7, 1, 2]) == [30]
    assert draft(NgramSpeculator(length=1), [7, 1, 2, 30, *often, 7, 1, 2]) == [40]


def test_nothing_is_drafted_without_a_match() -> None:
    assert draft(NgramSpeculator(), [1, 2, 3, 4]) == []
    assert draft(NgramSpeculator(), [1]) == []


def test_a_match_shorter_than_asked_for_does_not_count() -> None:
    assert draft(NgramSpeculator(shortest=3), [1, 2, 5, 1, 2]) == []


def test_the_draft_is_no_longer_than_the_answer_may_be() -> None:
    assert draft(NgramSpeculator(), [1, 2, 3, 4, 5, 1, 2], max_depth=2) == [3, 4]


def test_a_longer_match_is_surer() -> None:
    tokens = [1, 2, 3, 4, 5, 6]
    short, long = (
        NgramSpeculator().propose([context([*tokens, *tokens[:size]])])[0].confidence[0]
        for size in (2, 5)
    )
    assert 0 < short < long < 1


@settings(max_examples=200)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=40),
    st.lists(st.integers(1, 5), max_size=20),
    st.integers(1, 3),
    st.integers(3, 6),
)
def test_an_index_that_grows_finds_what_a_search_finds(
    tokens: list[int], steps: list[int], shortest: int, longest: int
) -> None:
    speculator = NgramSpeculator(longest=longest, shortest=shortest, length=4)
    seen = 0
    for step in [*steps, len(tokens)]:
        seen = min(seen + step, len(tokens))
        expected = searched(tokens[:seen], longest, shortest, 4)
        assert draft(speculator, tokens[:seen]) == expected


def test_requests_do_not_share_an_index() -> None:
    speculator = NgramSpeculator()
    speculator.propose([context([1, 2, 3, 1], "a")])
    assert speculator.propose([context([1, 2], "b")]) == [DraftTree()]


def test_a_forgotten_request_starts_again() -> None:
    speculator = NgramSpeculator()
    assert draft(speculator, [1, 2, 3, 1, 2])
    speculator.forget("r")
    speculator.forget("never heard of")
    assert draft(speculator, [5, 1, 2]) == []


@pytest.mark.parametrize(("shortest", "longest"), [(0, 4), (5, 4)])
def test_a_wrong_range_of_lengths_is_refused(shortest: int, longest: int) -> None:
    with pytest.raises(ValueError, match=f"shortest must be from 1 to {longest}, got {shortest}"):
        NgramSpeculator(shortest=shortest, longest=longest)
