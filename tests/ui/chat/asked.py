"""What tests of the chat's events do: ask, as a customer who has agreed or not."""

from __future__ import annotations

from specchat.chat.types import AnswerOptions
from specchat.ui.chat.events import ChatEvents
from specchat.ui.chat.view_state import ChatViewState
from specchat.ui.shared.identity import new_owner

OPTIONS = AnswerOptions()


def asked(events: ChatEvents, question: str, stored: object = None) -> list[ChatViewState]:
    return list(events.ask(question, stored, OPTIONS))


def kept() -> dict[str, object]:
    """A customer who has agreed that conversations are kept."""
    return {"owner": new_owner(), "conversation": "", "keeps": True}
