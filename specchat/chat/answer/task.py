"""One question with what is known when it is asked, and what is derived from it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from specchat.chat import wording as say
from specchat.chat.answer.grounds import Grounds
from specchat.chat.company.orders import OrderLookup
from specchat.chat.knowledge import Exchange
from specchat.chat.slots.filler import SlotValues
from specchat.chat.slots.message import Message, Parts
from specchat.chat.turns.conversation import LiveConversation, LiveTurn
from specchat.chat.types import ChatError, ChatTurn, Source
from storage import TurnRow

_TITLE_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Task:
    """One question with everything that is known when it is asked."""

    text: str
    question: Parts
    history: tuple[Message, ...]
    before: SlotValues  # without what this question says
    values: SlotValues  # with it
    sources: tuple[Source, ...]
    lookups: tuple[OrderLookup, ...]
    opening: Parts  # the start of the answer, from an order or a source
    position: int  # of the question in the conversation
    attempt: int
    replaces: tuple[LiveTurn, ...]  # turns whose place the new one takes
    grounds: Grounds | None = None  # for models without slots

    @property
    def opens_with_source(self) -> bool:
        """True when the answer begins with what a help page says."""
        return bool(self.opening) and not self.lookups


def last_turn(live: LiveConversation) -> LiveTurn:
    """The last turn. Raises ChatError when there is none, or when a colleague wrote it."""
    if not live.turns:
        raise ChatError(say.NO_QUESTION)
    if live.turns[-1].shown.by_person:
        raise ChatError(say.A_PERSON_ANSWERED)
    return live.turns[-1]


def turns_from(live: LiveConversation, turn_id: str) -> tuple[LiveTurn, ...]:
    """A turn and all that came after it. Raises ChatError when they cannot be replaced."""
    place = live.position_of(turn_id)
    if place is None:
        raise ChatError(say.UNKNOWN_TURN)
    found = tuple(live.turns[place:])
    if any(turn.shown.by_person for turn in found):
        raise ChatError(say.A_PERSON_ANSWERED)
    return found


def shown_from(row: TurnRow) -> ChatTurn:
    """A stored turn as a conversation shows it."""
    return ChatTurn(
        turn_id=row.turn_id,
        question=row.question,
        answer=row.answer,
        status=row.status,
        mode=row.metrics.mode if row.metrics else "speculative",
        footer_stats=row.metrics,
        created_at=row.created_at,
        by_person=row.kind == "person",
        grounds=row.grounds,
    )


def said_elsewhere(turn: Exchange) -> ChatTurn:
    """A turn that somebody else has had, as a turn."""
    return ChatTurn(
        "", turn.question, turn.answer, "completed", "speculative", None, datetime.now(UTC)
    )


def derived_seed(conversation_id: str, position: int, attempt: int) -> int:
    """The same for the same question of the same conversation, another one for each attempt."""
    digest = hashlib.sha256(f"{conversation_id}:{position}:{attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def salt(owner: str) -> str:
    """Separates the prefix pages of owners without carrying their names into the engine."""
    return hashlib.sha256(f"owner:{owner}".encode()).hexdigest()[:32]


def title(question: str) -> str:
    """The first question as the title of its conversation: one line, not too long."""
    line = " ".join(question.split())
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1].rstrip() + "…"
