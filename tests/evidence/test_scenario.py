"""Questions are put with the situation that their words tell."""

from __future__ import annotations

import pytest

from specchat.evidence.scenario import OTHER, SCENARIOS, scenario_of


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.key)
def test_every_scenario_knows_its_own_question(scenario) -> None:  # type: ignore[no-untyped-def]
    assert scenario_of(scenario.question) == scenario.key


@pytest.mark.parametrize(
    ("question", "key"),
    [
        ("I was charged twice and want my MONEY BACK", "refund"),
        ("Has the parcel been sent?", "delivery"),
        ("which colours are there?", OTHER),
        ("a possible bug", OTHER),  # words count from their beginning
        ("", OTHER),
    ],
)
def test_words_decide(question: str, key: str) -> None:
    assert scenario_of(question) == key
