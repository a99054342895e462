"""What customer care adds to a conversation: feedback, hand-offs to people, orders.

Texts are stored as they are given: redact personal data before building a record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from storage.records import TurnRow, new_id, utc_now

FeedbackKind = Literal["answer", "csat"]
HandoffReason = Literal["asked", "failed", "unsure"]
HandoffStatus = Literal["waiting", "active", "closed"]
OrderStatus = Literal["processing", "shipped", "delivered", "cancelled", "returned", "refunded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRecord:
    """One opinion. A newer one on the same answer or conversation takes its place."""

    kind: FeedbackKind
    score: int  # answer: 1 or -1, 0 takes it back; csat: 1 to 5
    conversation_id: str | None  # None for a conversation that is not kept
    turn_id: str | None = None  # the answer; None for csat
    comment: str = ""  # redacted
    feedback_id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRow:
    """One stored opinion."""

    kind: FeedbackKind
    score: int
    conversation_id: str | None
    turn_id: str | None
    comment: str
    created_at: datetime  # UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffRecord:
    """A customer who wants a person."""

    conversation_id: str
    ticket: str  # what customer and colleague call it
    reason: HandoffReason
    summary: str  # redacted
    handoff_id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffRow:
    """One stored hand-off."""

    handoff_id: str
    ticket: str
    conversation_id: str
    title: str  # of the conversation
    reason: HandoffReason
    summary: str
    status: HandoffStatus
    position: int  # in the queue from 1; 0 when it does not wait
    created_at: datetime  # UTC
    taken_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A hand-off with everything that was said."""

    handoff: HandoffRow
    turns: tuple[TurnRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """One order of the shop, without anything about the person."""

    number: str
    status: OrderStatus
    items: tuple[str, ...]
    total: str  # with its currency: "$49.80"
    ordered_on: date
    due_on: date | None  # arrives, arrived, or the refund is paid
    carrier: str
    tracking: str
