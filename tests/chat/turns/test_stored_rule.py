"""The rule by which drafts were verified is kept with each turn and told with it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from specchat.chat.service import ChatService
from specchat.chat.turns.personal_data_export import data_as_json
from specchat.loader import LoadOptions
from specchat.ui.dashboard.export import as_csv
from storage import Subject
from tests.chat.conftest import Chat


@pytest.mark.parametrize("rule", ["coupled", "rejection"])
def test_a_turn_says_by_which_rule_its_drafts_were_verified(chat: Chat, rule: str) -> None:
    loaded = LoadOptions(verification=rule)  # type: ignore[arg-type]
    parts: Any = SimpleNamespace(
        engine=chat.engine, tokenizer=chat.tokenizer, options=loaded, uses_slots=True
    )
    service = ChatService(parts, chat.store, chat.service.company)
    conversation = service.new_conversation("ann")
    list(service.answer(conversation, "Where is it?", owner="ann"))
    assert chat.store.flush()
    (row,) = chat.store.metrics()
    assert row.verification == rule
    assert rule in as_csv([row])
    stored = chat.store.personal.stored(Subject(conversation_id=conversation))
    told = json.loads(data_as_json(stored))["conversations"][0]["turns"][0]["metrics"]
    assert told["verification"] == rule
