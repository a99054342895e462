"""Erasing what belongs to somebody or is too old, and the record that it was done.

Functions over a session inside the writer's transaction; repeatable.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, delete, false, func, or_, select, text, update
from sqlalchemy.orm import Session

from storage.models import Base, Conversation, Erasure, Feedback, Handoff, Race, Turn
from storage.pending.jobs import Outcome
from storage.personal.records import Actor, ErasureRow, Extent, Subject
from storage.records import new_id

_AT_ONCE = 500  # ids in one statement
_ERASE_LOCK = 7_239_119  # PostgreSQL advisory lock: any number no other program uses


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows are meant, table by table. What hangs on a row goes with it."""

    conversations: ColumnElement[bool]
    turns: ColumnElement[bool]
    races: ColumnElement[bool]
    feedback: ColumnElement[bool]
    handoffs: ColumnElement[bool]


def scope_of(subject: Subject) -> Scope:
    """All of one conversation, or of one owner: conversations and races."""
    if subject.conversation_id is not None:
        return _scope(Conversation.id == subject.conversation_id, false())
    owner = subject.owner or ""
    return _scope(Conversation.owner == owner, Race.owner == owner)


def scope_before(cutoff: datetime) -> Scope:
    """What is older: conversations last used before `cutoff`; turns, races and opinions of before
    it, also in conversations that are still used; hand-offs of before it that are closed."""
    whole = _scope(Conversation.updated_at < cutoff, Race.created_at < cutoff)
    young = select(Race.plain_turn_id).where(Race.created_at >= cutoff)
    young_too = select(Race.speculative_turn_id).where(Race.created_at >= cutoff)
    old_turn = (Turn.created_at < cutoff) & Turn.id.not_in(young) & Turn.id.not_in(young_too)
    turns = or_(whole.turns, old_turn)
    return Scope(
        conversations=whole.conversations,
        turns=turns,
        races=whole.races,
        feedback=or_(
            whole.feedback,
            Feedback.created_at < cutoff,
            Feedback.turn_id.in_(select(Turn.id).where(turns)),
        ),
        handoffs=or_(whole.handoffs, (Handoff.created_at < cutoff) & (Handoff.status == "closed")),
    )


def extent(session: Session, scope: Scope) -> Extent:
    """How much is in scope."""
    return Extent(
        conversations=_count(session, Conversation, scope.conversations),
        turns=_count(session, Turn, scope.turns),
        races=_count(session, Race, scope.races),
        feedback=_count(session, Feedback, scope.feedback),
        handoffs=_count(session, Handoff, scope.handoffs),
    )


def erase(session: Session, subject: Subject, actor: Actor, now: datetime) -> Outcome:
    """Delete all of a subject."""
    return _erase(session, scope_of(subject), actor, now)


def erase_before(session: Session, cutoff: datetime, actor: Actor, now: datetime) -> Outcome:
    """Delete what is older than `cutoff`. A conversation that goes on loses its title where its
    beginning goes: the title is the first question."""
    begun = select(Turn.conversation_id).where(
        Turn.created_at < cutoff, Turn.conversation_id.is_not(None)
    )
    session.execute(update(Conversation).where(Conversation.id.in_(begun)).values(title=""))
    return _erase(session, scope_before(cutoff), actor, now)


def erasures(session: Session, limit: int) -> list[ErasureRow]:
    """What was erased, newest first."""
    found = select(Erasure).order_by(Erasure.created_at.desc(), Erasure.id).limit(limit)
    return [
        ErasureRow(
            created_at=row.created_at,
            actor=cast(Any, row.actor),
            extent=Extent(
                conversations=row.conversations,
                turns=row.turns,
                races=row.races,
                feedback=row.feedback,
                handoffs=row.handoffs,
            ),
        )
        for row in session.scalars(found)
    ]


def _scope(conversations: ColumnElement[bool], races: ColumnElement[bool]) -> Scope:
    """Conversations and races with the turns, opinions and hand-offs that hang on them."""
    whose = select(Conversation.id).where(conversations)
    turns = or_(
        Turn.conversation_id.in_(whose),
        Turn.id.in_(select(Race.plain_turn_id).where(races)),
        Turn.id.in_(select(Race.speculative_turn_id).where(races)),
    )
    return Scope(
        conversations=conversations,
        turns=turns,
        races=races,
        feedback=or_(
            Feedback.conversation_id.in_(whose),
            Feedback.turn_id.in_(select(Turn.id).where(turns)),
        ),
        handoffs=Handoff.conversation_id.in_(whose),
    )


def _erase(session: Session, scope: Scope, actor: Actor, now: datetime) -> Outcome:
    if session.get_bind().dialect.name == "postgresql":  # on SQLite a transaction is alone anyway
        session.execute(text(f"SELECT pg_advisory_xact_lock({_ERASE_LOCK})"))
    found = extent(session, scope)
    if not found:
        return Outcome(erased=found)
    raced = _raced(session, scope.races)
    session.execute(delete(Feedback).where(scope.feedback))
    session.execute(delete(Handoff).where(scope.handoffs))
    session.execute(delete(Race).where(scope.races))
    for start in range(0, len(raced), _AT_ONCE):
        session.execute(delete(Turn).where(Turn.id.in_(raced[start : start + _AT_ONCE])))
    session.execute(delete(Turn).where(scope.turns))
    session.execute(delete(Conversation).where(scope.conversations))
    session.add(Erasure(id=new_id(), created_at=now, actor=actor, **asdict(found)))
    session.flush()
    return Outcome(erased=found)


def _raced(session: Session, races: ColumnElement[bool]) -> list[str]:
    """The turns of these races: once a race is deleted, nothing says that they were its."""
    pairs = select(Race.plain_turn_id, Race.speculative_turn_id).where(races)
    return [turn_id for pair in session.execute(pairs).tuples() for turn_id in pair]


def _count(session: Session, table: type[Base], where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(table).where(where)) or 0
