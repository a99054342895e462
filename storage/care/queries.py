"""Questions about feedback, hand-offs and orders, as functions over a reading session."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, aliased

from storage.care.records import FeedbackRow, HandoffRow, OrderRow
from storage.models import Conversation, Feedback, Handoff, Order


def feedback(session: Session, conversation_id: str | None, limit: int) -> list[FeedbackRow]:
    """Opinions, newest first: of one conversation, or all."""
    found = select(Feedback).order_by(Feedback.created_at.desc(), Feedback.id).limit(limit)
    if conversation_id is not None:
        found = found.where(Feedback.conversation_id == conversation_id)
    return [
        FeedbackRow(
            kind=cast(Any, row.kind),
            score=row.score,
            conversation_id=row.conversation_id,
            turn_id=row.turn_id,
            comment=row.comment,
            created_at=row.created_at,
        )
        for row in session.scalars(found)
    ]


def open_handoffs(session: Session, limit: int) -> list[HandoffRow]:
    """Who waits or talks to a person, the longest first."""
    found = _handoffs(Handoff.status != "closed").order_by(Handoff.created_at, Handoff.id)
    return [_handoff(row) for row in session.execute(found.limit(limit))]


def handoff(session: Session, handoff_id: str) -> HandoffRow | None:
    """One hand-off."""
    row = session.execute(_handoffs(Handoff.id == handoff_id)).one_or_none()
    return None if row is None else _handoff(row)


def handoff_of(session: Session, conversation_id: str) -> HandoffRow | None:
    """The newest hand-off of a conversation, closed or not."""
    found = _handoffs(Handoff.conversation_id == conversation_id)
    newest = found.order_by(Handoff.created_at.desc(), Handoff.id).limit(1)
    row = session.execute(newest).one_or_none()
    return None if row is None else _handoff(row)


def handoffs_of(session: Session, conversation_id: str) -> list[HandoffRow]:
    """All hand-offs of a conversation, oldest first."""
    found = _handoffs(Handoff.conversation_id == conversation_id)
    rows = session.execute(found.order_by(Handoff.created_at, Handoff.id))
    return [_handoff(row) for row in rows]


def order(session: Session, number: str) -> OrderRow | None:
    """The order of that number."""
    row = session.get(Order, number)
    if row is None:
        return None
    return OrderRow(
        number=row.number,
        status=cast(Any, row.status),
        items=tuple(row.items),
        total=row.total,
        ordered_on=row.ordered_on,
        due_on=row.due_on,
        carrier=row.carrier,
        tracking=row.tracking,
    )


def _handoffs(*where: ColumnElement[bool]) -> Select[Any]:
    """Hand-offs with the title of their conversation and how many wait before them."""
    other = aliased(Handoff)
    before = (
        select(func.count())
        .where(
            other.status == "waiting",
            (other.created_at < Handoff.created_at)
            | ((other.created_at == Handoff.created_at) & (other.id < Handoff.id)),
        )
        .scalar_subquery()
    )
    joined = select(Handoff, Conversation.title, before).join(
        Conversation, Conversation.id == Handoff.conversation_id
    )
    return joined.where(*where)


def _handoff(found: Any) -> HandoffRow:
    row, title, before = found
    return HandoffRow(
        handoff_id=row.id,
        ticket=row.ticket,
        conversation_id=row.conversation_id,
        title=title,
        reason=cast(Any, row.reason),
        summary=row.summary,
        status=cast(Any, row.status),
        position=before + 1 if row.status == "waiting" else 0,
        created_at=row.created_at,
        taken_at=row.taken_at,
        closed_at=row.closed_at,
    )
