"""The tables, as SQLAlchemy models. Migrations must lead to exactly this schema (tested)."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any, ClassVar, get_type_hints

from sqlalchemy import (
    JSON,
    BigInteger,
    Date,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from storage.records import TurnMetrics
from storage.text import AnyText


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC times in every database; naive values are taken as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite keeps text without a zone, so the value must be UTC before it is written."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back that SQLite dropped."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Common ground of the tables: constraint names that migrations can refer to."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        str: AnyText,
        datetime: UtcDateTime,
        date: Date,
        list[Any]: JSON,
        dict[str, float]: JSON,
    }


class Conversation(Base):
    """A thread of turns that belongs to one owner."""

    __tablename__ = "conversation"
    __table_args__ = (Index(None, "owner", "updated_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    title: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Turn(Base):
    """A question and its answer, redacted. Written once, when its stream has ended."""

    __tablename__ = "turn"
    __table_args__ = (UniqueConstraint("conversation_id", "position"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    conversation_id: Mapped[str | None] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE")
    )
    position: Mapped[int | None]  # within the conversation, from 0
    kind: Mapped[str]
    status: Mapped[str]
    question: Mapped[str]
    answer: Mapped[str]
    written: Mapped[str]  # the answer as the model wrote it, slots unfilled; "" if not completed
    removed: Mapped[bool]  # taken out of its conversation: the text is gone, the metrics stay
    created_at: Mapped[datetime] = mapped_column(index=True)
    state: Mapped[str | None]  # what the answer stands on; null where nothing was looked for
    retrieved: Mapped[dict[str, float] | None]  # page id -> chance that it fits
    unsupported: Mapped[list[Any] | None]  # specifics that nothing supports, before that was mended


class Metrics(Base):
    """`TurnMetrics` of one turn: a column for each of its fields, of which those that no query
    asks for are added below. Times in milliseconds."""

    __tablename__ = "turn_metrics"

    turn_id: Mapped[str] = mapped_column(
        ForeignKey("turn.id", ondelete="CASCADE"), primary_key=True
    )
    mode: Mapped[str]
    model: Mapped[str] = mapped_column(index=True)
    seed: Mapped[int] = mapped_column(BigInteger)
    max_tokens: Mapped[int]
    completion_tokens: Mapped[int]


METRIC_TYPES: dict[str, Any] = {
    each.name: get_type_hints(TurnMetrics)[each.name] for each in fields(TurnMetrics)
}
"""What the fields of `TurnMetrics` hold."""

_COLUMN_TYPES: dict[Any, Any] = {str: AnyText, int: Integer, float: Double, float | None: Double}

for _name, _type in METRIC_TYPES.items():
    if _name not in Metrics.__table__.columns:  # tuples and mappings are JSON
        _column_type = _COLUMN_TYPES.get(_type, JSON)
        setattr(Metrics, _name, mapped_column(_column_type, nullable=_type == float | None))


class Race(Base):
    """A pair of turns of one prompt: plain and speculative."""

    __tablename__ = "race"

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    prompt: Mapped[str]
    identical: Mapped[bool]
    first: Mapped[str]  # the arm that ran first
    plain_turn_id: Mapped[str] = mapped_column(ForeignKey("turn.id"), unique=True)
    speculative_turn_id: Mapped[str] = mapped_column(ForeignKey("turn.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(index=True)


class Feedback(Base):
    """What a customer thinks of one answer, or of a whole conversation."""

    __tablename__ = "feedback"
    __table_args__ = (Index(None, "conversation_id"), Index(None, "turn_id"))

    id: Mapped[str] = mapped_column(primary_key=True)
    conversation_id: Mapped[str | None] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE")
    )
    turn_id: Mapped[str | None] = mapped_column(ForeignKey("turn.id", ondelete="CASCADE"))
    kind: Mapped[str]  # "answer" or "csat"
    score: Mapped[int]  # answer: 1 or -1; csat: 1 to 5
    comment: Mapped[str]  # redacted
    created_at: Mapped[datetime] = mapped_column(index=True)


class Handoff(Base):
    """A customer who waits for a person, or talks to one."""

    __tablename__ = "handoff"
    __table_args__ = (Index(None, "conversation_id"), Index(None, "status", "created_at"))

    id: Mapped[str] = mapped_column(primary_key=True)
    ticket: Mapped[str] = mapped_column(unique=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"))
    reason: Mapped[str]  # "asked", "failed" or "unsure"
    summary: Mapped[str]  # redacted
    status: Mapped[str]  # "waiting", "active" or "closed"
    created_at: Mapped[datetime]
    taken_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class Order(Base):
    """An order as the shop knows it. It holds nothing about the person who ordered."""

    __tablename__ = "order"

    number: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    items: Mapped[list[Any]]
    total: Mapped[str]
    ordered_on: Mapped[date]
    due_on: Mapped[date | None]  # the day it arrives or arrived, or the refund is paid
    carrier: Mapped[str]
    tracking: Mapped[str]


class Audit(Base):
    """The outcome of one audit, with each divergence."""

    __tablename__ = "audit"

    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(index=True)
    model: Mapped[str]
    speculators: Mapped[list[Any]]
    temperature: Mapped[float]
    seed: Mapped[int] = mapped_column(BigInteger)
    max_tokens: Mapped[int]
    hardware: Mapped[str]
    dtype: Mapped[str]
    backend: Mapped[str]
    code_version: Mapped[str]
    prompts: Mapped[int]
    identical: Mapped[int]
    divergences: Mapped[list[Any]]


class Erasure(Base):
    """That data was erased, by whom and how much of it; nothing of what it was."""

    __tablename__ = "erasure"

    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]  # "customer", "operator" or "retention"
    conversations: Mapped[int]
    turns: Mapped[int]
    races: Mapped[int]
    feedback: Mapped[int]
    handoffs: Mapped[int]
