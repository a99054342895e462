"""None, one or two passages, and how likely it is that they answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specchat.chat.knowledge.asked import Query
from specchat.chat.knowledge.judge import DECLINE, READ, WITH_VECTORS, chances, judged, read
from specchat.chat.knowledge.passage import Found, Passage


def found(name: str, score: float, text: str = "") -> Found:
    return Found(Passage(name, "a", name, text or f"All about {name * 3}."), score, score, 0.0)


NONE = WITH_VECTORS.none


def asked(text: str) -> Query:
    return Query(((text, 1.0),))


@given(st.lists(st.floats(-1, 2), min_size=1, max_size=8))
def test_the_chances_are_chances(scores: list[float]) -> None:
    likely = chances([found(str(place), score) for place, score in enumerate(scores)], WITH_VECTORS)
    assert 0 <= sum(each.chance for each in likely) <= 1 + 1e-9
    assert [each.score for each in likely] == scores


def test_a_better_rival_makes_a_passage_less_likely() -> None:
    alone = chances([found("a", NONE + 0.1)], WITH_VECTORS)[0].chance
    beside = chances([found("b", NONE + 0.2), found("a", NONE + 0.1)], WITH_VECTORS)[1].chance
    assert beside < alone


def test_one_clear_passage_is_given_alone() -> None:
    judgement = judged([(asked("x"), [found("a", 0.9), found("b", 0.3)])], vectors=True)
    assert [each.id for each in judgement.passages] == ["a"]
    assert judgement.chance > 0.9
    assert judgement.unanswered == ()


def test_of_two_near_passages_both_are_given() -> None:
    judgement = judged([(asked("x"), [found("a", 0.7), found("b", 0.69)])], vectors=True)
    assert [each.id for each in judgement.passages] == ["a", "b"]


def test_what_fits_nothing_is_declined() -> None:
    judgement = judged([(asked("x"), [found("a", 0.1), found("b", 0.05)])], vectors=True)
    assert judgement.passages == ()
    assert 0 < judgement.chance < DECLINE
    assert judgement.unanswered == ("x",)
    assert len(judgement.found) == 2


def test_what_says_the_same_is_no_second_passage() -> None:
    same = [
        found("a", 0.6, "Delivery takes two days."),
        found("b", 0.6, "Delivery takes two days."),
    ]
    judgement = judged([(asked("x"), [*same, found("c", 0.59)])], vectors=True)
    assert [each.id for each in judgement.passages] == ["a", "c"]


@pytest.mark.parametrize(
    ("first", "second", "twins"),
    [
        ("You can pay by Visa, PayPal or gift card.", "Visa, PayPal and gift card", True),
        ("A ticket for an adult costs $5.", "A ticket for an adult costs $7.", False),
        ("Delivery takes two days.", "Delivery is free.", False),
        ("?", "!", False),
    ],
)
def test_the_same_is_said_in_other_words_but_not_with_other_figures(
    first: str, second: str, twins: bool
) -> None:
    both = [found("a", 0.6, first), found("b", 0.59, second)]
    judgement = judged([(asked("x"), both)], vectors=True)
    assert len(judgement.passages) == (1 if twins else 2)


def test_of_two_questions_each_gives_its_passage() -> None:
    judgement = judged(
        [
            (asked("x"), [found("a", 0.8), found("b", 0.75)]),
            (asked("y"), [found("c", 0.7), found("a", 0.2)]),
        ],
        vectors=True,
    )
    assert [each.id for each in judgement.passages] == ["a", "c"]
    assert judgement.searched_for == ("x", "y")
    assert {each.passage.id for each in judgement.found} == {"a", "b", "c"}


def test_an_unanswered_question_beside_an_answered_one_is_named() -> None:
    judgement = judged(
        [(asked("x"), [found("a", 0.8)]), (asked("y"), [found("b", 0.0)])], vectors=True
    )
    assert [each.id for each in judgement.passages] == ["a"]
    assert judgement.unanswered == ("y",)


@given(
    st.lists(st.floats(0.2, 0.5), min_size=2, max_size=7),
    st.lists(st.floats(-9, -0.1), min_size=READ, max_size=READ),
)
def test_reading_makes_no_answer_likelier(scores: list[float], likely: list[float]) -> None:
    pages = [found(str(place), score) for place, score in enumerate(sorted(scores)[::-1])]
    after = read(asked("x"), pages, lambda _, some: likely[: len(some)], vectors=True)
    assert sorted(each.passage.id for each in after) == sorted(each.passage.id for each in pages)
    before, then = (
        sum(each.chance for each in chances(some, WITH_VECTORS)[:2]) for some in (pages, after)
    )
    assert then <= before + 1e-6


def test_the_page_that_a_question_is_likelier_behind_comes_first() -> None:
    pages = [found("a", 0.40), found("b", 0.38), found("c", 0.1)]
    after = read(asked("x"), pages, lambda *_: [-5.0, -3.0, -5.0], vectors=True)
    assert [each.passage.id for each in after] == ["b", "a", "c"]
    sums = [sum(each.chance for each in chances(some, WITH_VECTORS)[:2]) for some in (pages, after)]
    assert sums[0] == pytest.approx(sums[1])
    assert read(asked("x"), pages, lambda *_: [], vectors=True) == pages


@pytest.mark.parametrize("vectors", [True, False])
def test_nothing_found_is_declined(vectors: bool) -> None:
    judgement = judged([(asked("x"), [])], vectors=vectors)
    assert (judgement.passages, judgement.chance, judgement.unanswered) == ((), 0.0, ("x",))
