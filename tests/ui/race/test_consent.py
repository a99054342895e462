"""What a race leaves in the database, with and without the visitor's consent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import AutoTokenizer

from specchat.chat.company.profile import load_company
from specchat.chat.service import ChatService
from specchat.chat.types import AnswerOptions
from specchat.evidence.scenario import SCENARIOS, scenario_of
from specchat.loader import LoadOptions
from specchat.ui.race.events import RaceEvents
from specchat.ui.race.result import situation
from storage import Store, open_store
from tests.ui.double import ScriptedEngine

SETTINGS = AnswerOptions(max_tokens=64, seed=3)
OWNER = "owner-0a1b2c"
QUESTION = "My parcel with the quokka lamp, write to jane.doe@example.org"
SAID = b"I understand that waiting"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'races.db'}") as opened:
        yield opened


@pytest.fixture
def races(store: Store, tiny_model_dir: Path) -> RaceEvents:
    engine = ScriptedEngine(step_s=0.0)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    loaded: Any = SimpleNamespace(
        engine=engine, tokenizer=tokenizer, options=LoadOptions(), model="care", uses_slots=False
    )
    service = ChatService(loaded, store, load_company())
    return RaceEvents(service, engine, store)  # type: ignore[arg-type]


def stored_bytes(store: Store, folder: Path) -> bytes:
    assert store.flush()
    return b"".join(file.read_bytes() for file in folder.glob("races.db*"))


def test_without_consent_a_race_leaves_figures_and_its_scenario(
    races: RaceEvents, store: Store, tmp_path: Path
) -> None:
    list(races.race(QUESTION, OWNER, SETTINGS))
    list(races.race_set(OWNER, SETTINGS, SCENARIOS[:1]))
    stored = stored_bytes(store, tmp_path)
    for said in (b"quokka", b"jane.doe", SAID, OWNER.encode(), SCENARIOS[0].question.encode()):
        assert said not in stored
    ours, typed = store.races()
    assert ours.prompt == "refund"
    assert re.fullmatch("delivery [0-9a-f]{12}", typed.prompt)
    assert typed.identical
    assert typed.speculative.accepted > 0


def test_with_consent_its_texts_are_kept_redacted_until_they_are_erased(
    races: RaceEvents, store: Store, tmp_path: Path
) -> None:
    list(races.race(QUESTION, OWNER, SETTINGS, keeps=True))
    stored = stored_bytes(store, tmp_path)
    assert b"My parcel with the quokka lamp, write to [email]" in stored
    assert SAID in stored
    assert b"jane.doe" not in stored
    store.delete_owner(OWNER)
    assert b"quokka" not in stored_bytes(store, tmp_path)


def test_questions_can_be_told_apart_by_what_is_stored_of_them() -> None:
    assert situation("My parcel is late") == situation("My parcel is late")
    assert situation("My parcel is late") != situation("My parcel is lost")
    for word in (*(scenario.words[0] for scenario in SCENARIOS), "weather"):
        assert scenario_of(situation(f"about {word}")) == scenario_of(word)
