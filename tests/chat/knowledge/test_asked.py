"""What is searched for: parts of a message, and what a follow-up leans on."""

from __future__ import annotations

import pytest

from specchat.chat.knowledge.asked import BEFORE, OWN, Exchange, leans, queries

EARLIER = [
    Exchange("Do you have stores?", "Yes, two."),
    Exchange("Do you ship to Canada?", "We deliver to Canada."),
]


@pytest.mark.parametrize(
    "question",
    ["and how fast is it?", "why?", "what about express", "Und wie lange?", "Is it all?"],
)
def test_a_follow_up_is_searched_behind_what_was_said(question: str) -> None:
    (query,) = queries(question, EARLIER)
    assert query.texts == (
        (question, OWN),
        (f"Do you ship to Canada?\n{question}", BEFORE),
        (f"We deliver to Canada.\n{question}", BEFORE),
    )
    assert query.text == question


@pytest.mark.parametrize(
    "question",
    ["My parcel arrived with a broken lamp inside", "I would like to change my delivery address"],
)
def test_a_question_that_stands_alone_is_searched_alone(question: str) -> None:
    assert not leans(question)
    (query,) = queries(question, EARLIER)
    assert query.texts == ((question, OWN),)


def test_the_first_question_leans_on_nothing() -> None:
    assert queries("and now?")[0].texts == (("and now?", OWN),)


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        (
            "Do you ship to Canada and how can I pay?",
            ["Do you ship to Canada", "how can I pay?"],
        ),
        (
            "Where is my refund? How do I change my address?",
            ["Where is my refund?", "How do I change my address?"],
        ),
        (
            "opening times on Saturday and where can I park there",
            ["opening times on Saturday", "where can I park there"],
        ),
        ("I ordered a lamp and when does it arrive", None),
        ("the lamp arrived broken and how do I send it back", None),
        ("My lamp is broken. Can I return it?", None),  # one question with its story
        ("Do you sell salt and pepper?", None),
        ("What are the terms and conditions?", None),
        ("Why? How?", None),
    ],
)
def test_two_questions_in_one_message_are_told_apart(message: str, parts: list[str] | None) -> None:
    assert [query.text for query in queries(message)] == (parts or [message])


def test_a_later_question_that_points_leans_on_the_one_before() -> None:
    first, second = queries("Do you rent out skis and how heavy are they?")
    assert first.text == "Do you rent out skis"
    assert [text for text, _ in second.texts] == [
        "how heavy are they?", "Do you rent out skis\nhow heavy are they?",
    ]  # fmt: skip
    alone = queries("Do you rent out skis and where is the nearest station?")[1]
    assert [text for text, _ in alone.texts] == ["where is the nearest station?"]


def test_what_a_later_question_points_to_is_searched_with_it() -> None:
    first, second = queries("Where can I park and how long is it free?")
    assert first.texts == (("Where can I park", OWN),)
    assert second.texts == (
        ("how long is it free?", BEFORE),
        ("Where can I park\nhow long is it free?", OWN),
    )
    _, longer = queries("How long is the warranty, and where is the receipt I need for it?")
    assert [weight for _, weight in longer.texts] == [OWN, BEFORE]
    _, alone = queries("Where can I park and how much is a child's ticket?")
    assert alone.texts == (("how much is a child's ticket?", OWN),)
