"""The floor: what a page says in its own words, and which pages an answer used."""

from __future__ import annotations

import pytest

from specchat.chat import wording as say
from specchat.chat.answer.floor import FITS, MOST_WORDS, page_words, settled, used_passages
from specchat.chat.answer.grounds import Grounds
from specchat.chat.knowledge import Passage

RETURNS = Passage("r", "help.md", "Returns", "You can return an order within 30 days. It is free.")
REFUNDS = Passage("f", "help.md", "Refunds", "A refund takes 5 days. It goes to your card.")
LONG = Passage(
    "l",
    "help.md",
    "Stores",
    " ".join(f"Sentence number {i} says nothing that anybody would ask about." for i in range(20))
    + " Dogs are welcome in every store.",
)


def grounds(question: str, *passages: Passage, chance: float = 0.9, parts: int = 1) -> Grounds:
    return Grounds(question, "question", passages, chance, parts=parts)


def test_a_short_page_is_said_whole_and_of_two_questions_both() -> None:
    assert page_words(grounds("returns?", RETURNS, REFUNDS)) == RETURNS.text
    both = page_words(grounds("returns? and refunds?", RETURNS, REFUNDS, parts=2))
    assert both == f"{RETURNS.text} {REFUNDS.text}"


def test_of_a_long_page_the_sentences_that_fit_are_said_in_its_order() -> None:
    said = page_words(grounds("can I bring my dog into the store?", LONG))
    assert said.endswith("Dogs are welcome in every store.")
    assert len(said.split()) <= MOST_WORDS


def test_sources_are_those_that_the_answer_used_in_its_order() -> None:
    answer = "Sure. A refund takes 5 days. You can return an order within 30 days."
    assert used_passages(answer, [RETURNS, REFUNDS]) == [REFUNDS, RETURNS]
    assert used_passages("Have a nice day, and thank you.", [RETURNS]) == []


@pytest.mark.parametrize(("chance", "state"), [(FITS, "page"), (FITS - 0.01, "unknown")])
def test_not_knowing_is_believed_only_against_a_page_that_hardly_fits(
    chance: float, state: str
) -> None:
    found = settled("I don't know.", grounds("returns?", RETURNS, chance=chance))
    assert found.grounds.state == state


def test_no_unsupported_specific_ever_stays() -> None:
    wrong = "You have 90 days."
    assert settled(wrong, grounds("returns?", RETURNS, chance=0.3)).text == RETURNS.text
    assert settled(wrong, grounds("returns?", chance=0.0)).text == say.UNKNOWN
    assert settled(wrong, grounds("I had 90 days?", RETURNS)).text == wrong  # asked
