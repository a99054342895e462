"""The floor: what a page says in its own words, and which pages an answer used."""

from __future__ import annotations

import pytest

from specchat.chat import wording as say
from specchat.chat.answer.floor import FITS, lacks, page_words, settled, used_passages
from specchat.chat.answer.grounds import Grounds
from specchat.chat.knowledge import Passage

RETURNS = Passage("r", "help.md", "Returns", "You can return an order within 30 days. It is free.")
REFUNDS = Passage("f", "help.md", "Refunds", "A refund takes 5 days. It goes to your card.")


def grounds(
    question: str, *passages: Passage, chance: float = 0.9, verbatim: bool = False
) -> Grounds:
    excerpts = tuple(page.text for page in passages)
    return Grounds(question, "question", passages, excerpts, chance, verbatim=verbatim)


def test_pages_are_said_in_their_own_words() -> None:
    assert page_words(grounds("returns?", RETURNS)) == RETURNS.text
    both = page_words(grounds("returns? and refunds?", RETURNS, REFUNDS))
    assert both == f"{RETURNS.text}\n\n{REFUNDS.text}"


@pytest.mark.parametrize(
    ("answer", "left_out"),
    [
        ("I'm sorry. You can return an order within 30 days. It is free.", False),
        ("- You can return an order within 30 days\n- It is free", False),
        ("You can return an order within 30 days.", True),
        ("You can return an order. It is free.", True),
        ("", True),
    ],
)
def test_what_an_answer_leaves_out_is_seen(answer: str, left_out: bool) -> None:
    assert lacks(answer, RETURNS.text) is left_out


def test_a_model_that_was_taught_to_quote_says_all_of_it() -> None:
    short = "You can return an order within 30 days."
    found = settled(short, grounds("returns?", RETURNS, verbatim=True))
    assert (found.text, found.grounds.state) == (RETURNS.text, "page")
    assert settled(short, grounds("returns?", RETURNS)).text == short
    whole = f"Gladly. {RETURNS.text}"
    assert settled(whole, grounds("returns?", RETURNS, verbatim=True)).text == whole


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
