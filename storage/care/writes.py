"""Changes to feedback, hand-offs and orders, inside the writer's transaction. Repeatable."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from storage.care.records import FeedbackRecord, HandoffRecord, HandoffStatus, OrderRow
from storage.models import Conversation, Feedback, Handoff, Order, Turn
from storage.pending.jobs import Outcome


def add_feedback(session: Session, record: FeedbackRecord) -> Outcome:
    """Store an opinion in the place of the last one on the same thing; 0 only takes it away."""
    session.execute(
        delete(Feedback).where(
            Feedback.kind == record.kind,
            Feedback.conversation_id == record.conversation_id,
            Feedback.turn_id == record.turn_id,
        )
    )
    if record.score == 0:
        return Outcome()
    if record.turn_id is not None and session.get(Turn, record.turn_id) is None:
        return Outcome(discarded=1)
    kept = record.conversation_id
    if kept is not None and session.get(Conversation, kept) is None:
        return Outcome(discarded=1)
    session.add(
        Feedback(
            id=record.feedback_id,
            conversation_id=record.conversation_id,
            turn_id=record.turn_id,
            kind=record.kind,
            score=record.score,
            comment=record.comment,
            created_at=record.created_at,
        )
    )
    session.flush()
    return Outcome(written=1)


def add_handoff(session: Session, record: HandoffRecord) -> Outcome:
    """Put a customer into the queue, unless they are in it."""
    if session.get(Handoff, record.handoff_id) is not None:
        return Outcome()
    if session.get(Conversation, record.conversation_id) is None:
        return Outcome(discarded=1)
    waits = select(Handoff.id).where(
        Handoff.conversation_id == record.conversation_id, Handoff.status != "closed"
    )
    if session.scalar(waits.limit(1)) is not None:  # two pages of one customer asked at once
        return Outcome()
    session.add(
        Handoff(
            id=record.handoff_id,
            ticket=record.ticket,
            conversation_id=record.conversation_id,
            reason=record.reason,
            summary=record.summary,
            status="waiting",
            created_at=record.created_at,
            taken_at=None,
            closed_at=None,
        )
    )
    session.flush()
    return Outcome(written=1)


def move_handoff(
    session: Session, handoff_id: str, status: HandoffStatus, now: datetime
) -> Outcome:
    """Take a hand-off out of the queue, or close it. A closed one stays closed."""
    moved = {"active": {"taken_at": now}, "closed": {"closed_at": now}}.get(status, {})
    session.execute(
        update(Handoff)
        .where(Handoff.id == handoff_id, Handoff.status != "closed")
        .values(status=status, **moved)
    )
    return Outcome()


def put_orders(session: Session, orders: Sequence[OrderRow]) -> Outcome:
    """Write these orders, each over the one of the same number; others stay."""
    for order in orders:
        session.merge(
            Order(
                number=order.number,
                status=order.status,
                items=list(order.items),
                total=order.total,
                ordered_on=order.ordered_on,
                due_on=order.due_on,
                carrier=order.carrier,
                tracking=order.tracking,
            )
        )
    session.flush()
    return Outcome()
