"""Which questions are about what a colleague wrote."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from specchat.chat.turns.colleague import NEAR, NEAR_OF_KIND, told
from specchat.chat.types import ChatTurn

REFUND = "I refund 20 EUR by Friday."


def turn(answer: str, *, by_person: bool = True) -> ChatTurn:
    now = datetime.now(UTC)
    return ChatTurn("t", "", answer, "completed", "plain", None, now, by_person=by_person)


def heard(question: str, *earlier: ChatTurn, near: float = 0.0) -> str:
    return told(question, earlier, lambda question, text: near)


@pytest.mark.parametrize("question", ["and when is that?", "until when?", "how much will I get?"])
def test_a_question_without_a_word_of_its_own_is_about_what_was_said_last(question: str) -> None:
    assert heard(question, turn("We look into it."), turn(REFUND)) == REFUND
    assert heard(question, turn(REFUND), turn("Anything else?", by_person=False)) == ""


@pytest.mark.parametrize(
    ("question", "text", "is_told"),
    [
        ("when will I be paid?", REFUND, True),
        ("how much money do I get back?", REFUND, True),
        ("how soon is the parcel there?", "It leaves us tomorrow.", True),
        ("when is the parcel there?", "We have sent a new lamp.", False),
        ("how much is the parcel?", "It leaves us tomorrow.", False),
        ("who pays for the parcel?", REFUND, False),
    ],
)
def test_less_nearness_will_do_where_a_day_or_an_amount_is_asked_for_and_there(
    question: str, text: str, is_told: bool
) -> None:
    assert heard(question, turn(text), near=NEAR_OF_KIND) == (text if is_told else "")
    assert heard(question, turn(text), near=NEAR) == text


def test_the_nearest_of_what_was_written_is_told() -> None:
    def nearness(question: str, text: str) -> float:
        return 0.5 if "parcel" in text else 0.3

    earlier = [turn("Your parcel waits in Main Street."), turn(REFUND)]
    assert told("where is my parcel?", earlier, nearness) == "Your parcel waits in Main Street."


def test_a_model_is_no_colleague_and_a_distant_question_is_another_matter() -> None:
    assert heard("when will I be paid?", turn(REFUND, by_person=False), near=1.0) == ""
    assert heard("do you sell lamps?", turn(REFUND), near=0.1) == ""
