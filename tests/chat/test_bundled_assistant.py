"""The bundled assistant itself on the questions that a demonstration begins with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from specchat.chat.company.profile import load_company
from specchat.chat.knowledge.loading import load_knowledge
from specchat.chat.service import ChatService
from specchat.evidence.scenario import SCENARIOS, Scenario
from specchat.loader import LoadedModel, LoadOptions, load
from storage import Store
from tests.chat.asked import OWNER

EXPECTED = {
    "refund": "4417",
    "delivery": r"\$",
    "account": "password",
    "invoice": "invoice",
    "complaint": "what went wrong",
}
"""What an answer to each situation cannot do without."""


@pytest.fixture(scope="module")
def loaded() -> Iterator[LoadedModel]:
    model = load(LoadOptions(model="care", device="cpu", compile=False))
    yield model
    model.engine.close()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.key)
def test_the_situations_of_the_race_are_answered_well(
    loaded: LoadedModel, store: Store, scenario: Scenario
) -> None:
    knowledge = load_knowledge(store, load_company()).knowledge
    service = ChatService(loaded, store, load_company(), knowledge=knowledge)
    *_, last = service.answer(service.new_conversation(OWNER), scenario.question, owner=OWNER)
    said = last.text
    assert re.search(EXPECTED[scenario.key], said, re.IGNORECASE)
    assert not re.search(r"[{}]|<\|", said)
    for page in said.split("\n\n"):
        words = re.findall(r"\w+", page.lower())
        trigrams = Counter(zip(words, words[1:], words[2:], strict=False))
        assert [each for each, count in trigrams.items() if count > 1] == []
