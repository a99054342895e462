"""Rates of grounded answers, of "I do not know", and of what was invented."""

from __future__ import annotations

from dataclasses import dataclass

from specchat.evidence.grounding import GroundingRates, grounding_rates


@dataclass(frozen=True)
class Turn:
    state: str
    unsupported: tuple[str, ...] = ()


def test_every_question_counts_and_small_talk_does_not() -> None:
    turns = [Turn("grounded"), Turn("page", ("7 days",)), Turn("order"), Turn("unknown", ("9",))]
    found = grounding_rates([*turns, Turn("talk"), Turn("talk", ("1",))])
    assert found == GroundingRates(answers=4, grounded=3, replaced=1, unknown=1, unsupported=2)
    assert found.share(found.grounded) == 0.75


def test_without_answers_there_is_no_rate() -> None:
    assert grounding_rates([Turn("talk")]).share(0) is None
