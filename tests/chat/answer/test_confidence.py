"""When an answer may not help, and when somebody asks for a person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from specchat.chat.answer.confidence import doubts, wants_person
from specchat.chat.company.orders import OrderLookup
from specchat.chat.company.profile import Company
from specchat.chat.types import ChatTurn


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


def test_an_answer_that_fits_the_help_pages_is_trusted(company: Company) -> None:
    assert doubts(turn(sources=company.faq[:1])) == ()


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
    "text",
    [
        "I want to talk to a person",
        "can I speak with a real human please",
        "talk to someone",
        "connect me to an agent",
        "I need a human",
        "get me a representative",
        "human",
        "Agent, please!",
        "put me through to customer service staff",
    ],
)
def test_asking_for_a_person(text: str) -> None:
    assert wants_person(text)


@pytest.mark.parametrize(
    "text",
    [
        "where is my refund?",
        "the agent at the door was rude",
        "a person signed for my parcel",
        "how do I talk about this in a review",
        "I want my money",
    ],
)
def test_not_asking_for_a_person(text: str) -> None:
    assert not wants_person(text)
