"""When an answer may not help."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from specchat.chat.company.orders import OrderLookup
from specchat.chat.turns.doubts import doubts
from specchat.chat.types import ChatTurn, Source
from storage import TurnGrounds
from storage.records import AnswerState


def turn(
    question: str = "where is my refund?", answer: str = "On its way.", **more: Any
) -> ChatTurn:
    values: dict[str, Any] = {
        "turn_id": "t",
        "status": "completed",
        "mode": "plain",
        "footer_stats": None,
        "created_at": datetime.now(UTC),
    }
    return ChatTurn(question=question, answer=answer, **(values | more))


def test_an_answer_that_fits_the_help_pages_is_trusted() -> None:
    assert doubts(turn(sources=(Source("refunds", "Refunds", "They take a week."),))) == ()


@pytest.mark.parametrize(
    ("made", "sign"),
    [
        (turn(status="failed"), "failed"),
        (turn(answer=" "), "empty"),
        (turn(answer="I am not sure about that."), "admits"),
        (turn(answer="I don't have access to your account."), "admits"),
        (turn(answer="Please wait a little. " * 3), "repeats"),
        (turn("which moons orbit the planet saturn?"), "off_topic"),
        (turn("where is order 9999?", lookups=(OrderLookup("9999", None),)), "no_such_order"),
    ],
)
def test_signs_of_an_answer_that_may_not_help(made: ChatTurn, sign: str) -> None:
    assert doubts(made) == (sign,)


def test_a_stopped_answer_and_a_greeting_are_not_judged() -> None:
    assert doubts(turn(status="cancelled", answer="")) == ()
    assert doubts(turn("hello there", "Hello!")) == ()


@pytest.mark.parametrize(
    ("state", "signs"),
    [("unknown", ("admits",)), ("grounded", ()), ("page", ()), ("talk", ()), ("order", ())],
)
def test_a_checked_answer_is_judged_by_what_it_stands_on(
    state: AnswerState, signs: tuple[str, ...]
) -> None:
    made = turn("which moons orbit the planet saturn?", grounds=TurnGrounds(state=state))
    assert doubts(made) == signs
