"""What is stored about people, as it is exported, counted and erased."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from storage.care.records import FeedbackRow, HandoffRow
from storage.records import ConversationRow, MetricRow, Mode, TurnRow

Actor = Literal["customer", "operator", "retention"]
"""Who erases: customers their own data, a command of the operator, or the age limit."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose data is meant: a conversation, all of an owner, or with neither everybody's."""

    owner: str | None = None
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much there is of it."""

    conversations: int = 0
    turns: int = 0  # of conversations and races, and measurements without text
    races: int = 0
    feedback: int = 0
    handoffs: int = 0

    def __bool__(self) -> bool:
        return any((self.conversations, self.turns, self.races, self.feedback, self.handoffs))


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRow:
    """That something was erased: by whom, when and how much; not what, nor whose."""

    created_at: datetime  # UTC
    actor: Actor
    extent: Extent


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConversation:
    """A conversation with all that is kept of it."""

    owner: str
    row: ConversationRow
    turns: tuple[TurnRow, ...]
    feedback: tuple[FeedbackRow, ...]
    handoffs: tuple[HandoffRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRace:
    """A race with its texts."""

    race_id: str
    owner: str
    created_at: datetime  # UTC
    prompt: str
    identical: bool
    first: Mode
    answer: str  # the speculative arm's
    plain_answer: str
    plain: MetricRow | None
    speculative: MetricRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredData:
    """Everything that is kept of a subject, oldest first."""

    conversations: tuple[StoredConversation, ...]
    races: tuple[StoredRace, ...]
    measurements: tuple[MetricRow, ...]  # of turns without text or owner; only of everybody
