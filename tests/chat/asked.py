"""What tests of the chat service do: ask, and read what was stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specchat.chat.types import AnswerOptions, AnswerUpdate
from storage import TurnRow
from tests.chat.conftest import Chat

Make = Callable[..., Chat]
OWNER = "ann"


def ask(
    chat: Chat, question: str, conversation: str | None = None, **options: Any
) -> list[AnswerUpdate]:
    conversation = conversation or chat.service.new_conversation(OWNER)
    stream = chat.service.answer(
        conversation, question, owner=OWNER, options=AnswerOptions(**options)
    )
    return list(stream)


def stored(chat: Chat, conversation: str) -> list[TurnRow]:
    assert chat.store.flush()
    return chat.store.turns(conversation)
