"""Answers are right for what they hold, and wrong for what they make up."""

from __future__ import annotations

import pytest

from specchat.training.assistant.evaluation import by_kind
from specchat.training.assistant.examples.desk import World
from specchat.training.assistant.examples.example import Example, Given
from specchat.training.assistant.judging import judge, specifics

GIVEN = Given("Leaf", "Leaf sells tea.", (("Returns", "Send it back within 14 days. Fee: $4."),))
PAGE = Example("page", GIVEN, "how long", "", ("Send it back within 14 days.",))
UNKNOWN = Example("unknown", Given("Leaf", ""), "who is your boss", "I don't know.", ())


@pytest.mark.parametrize(
    ("answer", "right", "quoted"),
    [
        ("Send it back within 14 days.", True, True),
        ("Sure. Send it back within 14 days. Fee: $4.", True, True),
        ("You can send it back within 14 days.", True, False),
        ("Send it back within 30 days.", False, False),
        ("Send it back within 14 days, or call 555-0101.", False, False),
        ("I don't know that.", False, False),
    ],
)
def test_answers_from_a_page(world: World, answer: str, right: bool, quoted: bool) -> None:
    verdict = judge(PAGE, answer, world.talk)
    assert (verdict.right, verdict.quoted) == (right, quoted)


def test_what_nothing_holds_is_unsupported(world: World) -> None:
    assert judge(PAGE, "Within 14 days, for $5.", world.talk).unsupported == ("$5",)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("I'm sorry, I don't know that. A colleague can help you if you like.", True),
        ("Our boss is Jane.", False),
    ],
)
def test_what_is_unknown_is_declined(world: World, answer: str, right: bool) -> None:
    assert judge(UNKNOWN, answer, world.talk).right is right


def test_small_talk_is_judged_by_its_topic(world: World) -> None:
    thanks = Example("thanks", Given("Leaf", ""), "thanks!", "You're welcome!", ())
    assert judge(thanks, "You're welcome! Anything else I can help with?", world.talk).right
    assert not judge(thanks, "I'm a computer program, the assistant of Leaf.", world.talk).right


def test_specifics_are_numbers_and_addresses() -> None:
    said = "Call +1 555-0117 by 18:00, pay £4.50 at www.leaf.example or write to a@leaf.example."
    assert specifics(said) == [
        "+1", "555-0117", "18:00", "£4.50", "www.leaf.example", "a@leaf.example",
    ]  # fmt: skip


def test_scores_are_kept_by_kind(world: World) -> None:
    answers = ("Send it back within 14 days.", "I don't know that.")
    scores = by_kind([judge(PAGE, answer, world.talk) for answer in answers])
    assert scores["page"].right == 0.5
    assert scores["given"].declined == 0.5
    assert scores["all"].answers == 2
