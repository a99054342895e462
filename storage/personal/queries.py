"""What is stored of somebody, read for an export, as functions over a reading session."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from storage import queries
from storage.care import queries as care_queries
from storage.models import Conversation, Metrics, Race, Turn
from storage.personal.records import StoredConversation, StoredData, StoredRace, Subject
from storage.records import ConversationRow, MetricRow

_EVERYTHING = 10**9  # no limit: an export is of all there is


def stored(session: Session, subject: Subject) -> StoredData:
    """All that is kept of a subject; of everybody also the measurements that belong to nobody."""
    everybody = subject == Subject()
    return StoredData(
        conversations=tuple(_conversations(session, subject)),
        races=() if subject.conversation_id is not None else tuple(_races(session, subject)),
        measurements=tuple(_measurements(session)) if everybody else (),
    )


def _conversations(session: Session, subject: Subject) -> list[StoredConversation]:
    wanted: ColumnElement[bool] = true()
    if subject.conversation_id is not None:
        wanted = Conversation.id == subject.conversation_id
    elif subject.owner is not None:
        wanted = Conversation.owner == subject.owner
    rows = session.scalars(select(Conversation).where(wanted).order_by(Conversation.created_at))
    return [_conversation(session, row) for row in rows]


def _conversation(session: Session, row: Conversation) -> StoredConversation:
    turns = tuple(queries.turns(session, row.id))
    feedback = care_queries.feedback(session, row.id, _EVERYTHING)
    return StoredConversation(
        owner=row.owner,
        row=ConversationRow(
            id=row.id,
            title=row.title,
            created_at=row.created_at,
            updated_at=row.updated_at,
            turns=len(turns),
        ),
        turns=turns,
        feedback=tuple(reversed(feedback)),
        handoffs=tuple(care_queries.handoffs_of(session, row.id)),
    )


def _races(session: Session, subject: Subject) -> list[StoredRace]:
    wanted = true() if subject.owner is None else Race.owner == subject.owner
    rows = session.scalars(select(Race).where(wanted).order_by(Race.created_at))
    return [_race(session, row) for row in rows]


def _race(session: Session, row: Race) -> StoredRace:
    plain, speculative = (
        (session.get_one(Turn, turn_id), session.get(Metrics, turn_id))
        for turn_id in (row.plain_turn_id, row.speculative_turn_id)
    )
    return StoredRace(
        race_id=row.id,
        owner=row.owner,
        created_at=row.created_at,
        prompt=row.prompt,
        identical=row.identical,
        first=cast(Any, row.first),
        answer=speculative[0].answer,
        plain_answer=plain[0].answer,
        plain=queries.metric_row(*plain),
        speculative=queries.metric_row(*speculative),
    )


def _measurements(session: Session) -> list[MetricRow]:
    found = (
        select(Turn, Metrics)
        .join(Metrics, Metrics.turn_id == Turn.id)
        .where(Turn.conversation_id.is_(None), Turn.kind != "race")
        .order_by(Turn.created_at, Turn.id)
    )
    rows = (queries.metric_row(*row) for row in session.execute(found).tuples())
    return [row for row in rows if row is not None]
