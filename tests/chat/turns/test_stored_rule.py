"""The rule by which drafts were verified is kept with each turn and told with it."""

from __future__ import annotations

import json

from specchat.chat.turns.personal_data_export import data_as_json
from specchat.ui.dashboard.export import as_csv
from storage import Subject
from tests.chat.conftest import Chat


def test_a_turn_says_by_which_rule_its_drafts_were_verified(chat: Chat) -> None:
    conversation = chat.service.new_conversation("ann")
    list(chat.service.answer(conversation, "Where is it?", owner="ann"))
    assert chat.store.flush()
    (row,) = chat.store.metrics()
    assert row.verification == "coupled"
    assert "coupled" in as_csv([row])
    stored = chat.store.personal.stored(Subject(conversation_id=conversation))
    told = json.loads(data_as_json(stored))["conversations"][0]["turns"][0]["metrics"]
    assert told["verification"] == "coupled"
