"""Right answers hold one of each group and nothing forbidden; the report counts conversations."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from specchat.bench.answers.conversations import ExpectedConversation, ExpectedTurn
from specchat.bench.answers.runner import Said, hold, hold_all
from specchat.bench.answers.scoring import Answer, answers_report, answers_text, score_turn


def turn(question: str = "q") -> ExpectedTurn:
    def expressions(*texts: str) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(text, re.IGNORECASE) for text in texts)

    groups = (expressions("30 days", "thirty"), expressions("free"))
    return ExpectedTurn(question, groups, expressions("guarantee"))


@pytest.mark.parametrize(
    ("text", "missing", "forbidden"),
    [
        ("Free within thirty days.", (), ()),
        ("Within 30 DAYS.", ("free",), ()),
        ("Free. We guarantee it.", ("30 days | thirty",), ("guarantee",)),
    ],
)
def test_an_answer_is_judged(
    text: str, missing: tuple[str, ...], forbidden: tuple[str, ...]
) -> None:
    scored = score_turn(turn(), Answer(text))
    assert (scored.missing, scored.forbidden) == (missing, forbidden)
    assert scored.right is not (missing or forbidden)


class Parrot:
    """Answers with the question, and remembers what it was told of earlier turns."""

    def __init__(self) -> None:
        self.earlier: list[tuple[str, ...]] = []

    def ask(self, question: str, earlier: Sequence[Said]) -> Answer:
        self.earlier.append(tuple(said.question for said in earlier))
        return Answer(question, ("page",), ("$5",) if "$5" in question else ())


def conversation(name: str, *questions: str, kind: str = "returns") -> ExpectedConversation:
    return ExpectedConversation(name, kind, tuple(map(turn, questions)))


def test_a_conversation_is_held_turn_by_turn() -> None:
    parrot = Parrot()
    scored = hold(conversation("a", "free, 30 days", "and thirty, free"), parrot)
    assert parrot.earlier == [(), ("free, 30 days",)]
    assert scored.right


def test_the_report_counts_by_kind() -> None:
    done: list[tuple[int, int]] = []
    scored = hold_all(
        [
            conversation("a", "free, 30 days"),
            conversation("b", "free, 30 days", "no"),
            conversation("c", "free for $5 in 30 days", kind="prices"),
        ],
        Parrot(),
        lambda count, total: done.append((count, total)),
    )
    report = answers_report(scored)
    summary = report["summary"]
    assert done == [(1, 3), (2, 3), (3, 3)]
    assert (summary["conversations"], summary["right"], summary["invented"]) == (3, 2, 1)
    assert summary["share_right"] == 0.6667
    assert summary["by_kind"]["returns"]["right"] == 1
    assert report["rows"][1]["turns"][1]["missing"] == ["30 days | thirty", "free"]
    assert report["rows"][2]["turns"][0]["retrieved"] == ["page"]


def test_the_text_names_what_is_wrong() -> None:
    text = answers_text(answers_report(hold_all([conversation("b", "no, $5")], Parrot())))
    assert "0 of 1 conversations right (0%), 1 with an invented specific" in text
    assert "b: 'no, $5' -> 'no, $5' (lacks 30 days | thirty; lacks free; invents $5)" in text


def test_a_report_of_nothing_has_no_share() -> None:
    assert answers_report([])["summary"]["share_right"] == 0.0


def test_right_is_a_truth_value() -> None:
    assert score_turn(turn(), Answer("free, thirty")).right is True
