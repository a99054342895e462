"""What an answer quotes of a page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specchat.chat.knowledge.excerpt import excerpt, in_turn, shared_words
from specchat.chat.knowledge.sentences import sentences

LIST = "You need three things.\n- A valid licence.\n- Your bank card. It must be yours.\n- A phone."


def test_a_short_page_is_quoted_whole() -> None:
    assert excerpt(f"  {LIST}\n", [], 60) == LIST


def test_the_nearest_sentences_stand_in_the_pages_order_and_lines() -> None:
    near = [0.1, 0.9, 0.2, 0.3, 0.8]
    assert excerpt(LIST, near, 7) == "- A valid licence.\n- A phone."
    assert excerpt(LIST, near, 11) == "- A valid licence.\nIt must be yours.\n- A phone."
    assert excerpt(LIST, near, 1) == "- A valid licence."  # whole, however long
    assert excerpt(LIST, [0.1, 0.2], 4) == "- A valid licence."  # no figure: the farthest


def test_without_vectors_words_in_common_are_near() -> None:
    text = " ".join(f"Sentence {i} says nothing anybody would ask." for i in range(30))
    text += " Dogs are welcome in every store."
    near = shared_words(text, "can I bring my dog into the stores?")
    assert excerpt(text, near, 12).endswith("Dogs are welcome in every store.")


def test_what_announces_a_list_comes_with_its_items_and_not_alone() -> None:
    text = (
        "Bring:\n- your card\n- a coat\nWe open at nine.\nIn winter:\nWe open at ten. Ring twice."
    )
    assert excerpt(text, [0.9, 0.8, 0.1, 0.2, 0.3, 0.1, 0.1], 5) == "Bring:\n- your card"
    assert excerpt(text, [0.1, 0.1, 0.1, 0.8, 0.9, 0.1, 0.1], 4) == "We open at nine."
    assert excerpt(text, [0.1, 0.1, 0.1, 0.1, 0.9, 0.1, 0.8], 5) == "In winter:\nRing twice."
    priced = "Workshops, 90 minutes, $60:\n- a long one about stones\n- another one about ships"
    assert excerpt(priced, [0.9, 0.1, 0.1], 5) == "Workshops, 90 minutes, $60:"


def test_of_two_questions_each_has_its_sentence_first() -> None:
    assert in_turn([[0.3, 0.1, 0.2]]) == [0.3, 0.1, 0.2]
    found = in_turn([[0.9, 0.8, 0.7, 0.1], [0.1, 0.2, 0.3, 0.4]])
    assert sorted(range(4), key=lambda place: -found[place])[:2] == [0, 3]


@given(st.text(max_size=200), st.integers(min_value=1, max_value=40))
def test_whatever_the_text_an_excerpt_is_of_its_sentences(text: str, most: int) -> None:
    near = [float(len(each)) for each in sentences(text)]
    found = excerpt(text, near, most)
    assert set("".join(found.split())) <= set("".join(text.split()))
    assert len(found.split()) <= max([most, *(len(each.split()) for each in sentences(text))])


@pytest.mark.parametrize("text", ["", "   ", "one line without an end"])
def test_nothing_is_quoted_of_nothing(text: str) -> None:
    assert excerpt(text, [], 5) == text.strip()
