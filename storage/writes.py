"""Every change to the database, as functions over a session inside the writer's transaction.

Each can be repeated: a turn, race or audit that is stored already is left as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from storage.models import METRIC_TYPES, Audit, Conversation, Metrics, Race, Turn
from storage.pending.jobs import Outcome
from storage.records import (
    AuditRecord,
    Divergence,
    RaceArm,
    RaceRecord,
    TurnGrounds,
    TurnMetrics,
    TurnRecord,
)
from storage.text import storable


def add_conversation(
    session: Session, conversation_id: str, owner: str, title: str, now: datetime
) -> Outcome:
    """Store an empty conversation."""
    if session.get(Conversation, conversation_id) is not None:
        return Outcome()
    session.add(
        Conversation(
            id=conversation_id,
            owner=owner,
            title=title,
            created_at=now,
            updated_at=now,
        )
    )
    session.flush()
    return Outcome(written=1)


def rename_conversation(session: Session, conversation_id: str, title: str) -> Outcome:
    """Change a title."""
    session.execute(
        update(Conversation).where(Conversation.id == conversation_id).values(title=title)
    )
    return Outcome()


def add_turn(session: Session, record: TurnRecord) -> Outcome:
    """Store one turn behind the others of its conversation, with its metrics."""
    if session.get(Turn, record.turn_id) is not None:
        return Outcome()
    position = None
    if record.conversation_id is not None:
        conversation = session.get(Conversation, record.conversation_id)
        if conversation is None:
            return Outcome(discarded=1)
        conversation.title = conversation.title or record.title
        conversation.updated_at = max(conversation.updated_at, record.created_at)
        position = _next_position(session, record.conversation_id)
    session.add(
        Turn(
            id=record.turn_id,
            conversation_id=record.conversation_id,
            position=position,
            kind=record.kind,
            status=record.status,
            question=record.question,
            answer=record.answer,
            written=record.written,
            removed=False,
            created_at=record.created_at,
            **_grounds(record.grounds),
        )
    )
    session.flush()
    if record.metrics is not None:
        session.add(_metrics(record.turn_id, record.metrics))
        session.flush()
    return Outcome(written=1)


def remove_turn(session: Session, turn_id: str) -> Outcome:
    """Erase a turn's text and take it out of its conversation; its metrics stay."""
    gone: dict[str, Any] = {"removed": True, "question": "", "answer": "", "written": ""}
    found = session.get(Turn, turn_id)
    if found is not None and found.state is not None:  # how many stays, as the metrics do
        gone |= {"retrieved": {}, "unsupported": [""] * len(found.unsupported or ())}
    session.execute(update(Turn).where(Turn.id == turn_id).values(gone))
    return Outcome()


def add_race(session: Session, record: RaceRecord) -> Outcome:
    """Store a race and the turns of both its arms."""
    if session.get(Race, record.race_id) is not None:
        return Outcome()
    for arm in (record.plain, record.speculative):
        add_turn(session, _race_turn(record, arm))
    session.add(
        Race(
            id=record.race_id,
            owner=record.owner,
            prompt=record.prompt,
            identical=record.identical,
            first=record.first,
            plain_turn_id=record.plain.turn_id,
            speculative_turn_id=record.speculative.turn_id,
            created_at=record.created_at,
        )
    )
    session.flush()
    return Outcome(written=1)


def add_audit(session: Session, record: AuditRecord) -> Outcome:
    """Store the outcome of one audit."""
    if session.get(Audit, record.audit_id) is not None:
        return Outcome()
    session.add(
        Audit(
            id=record.audit_id,
            created_at=record.created_at,
            model=record.model,
            speculators=[storable(name) for name in record.speculators],
            temperature=record.temperature,
            seed=record.seed,
            max_tokens=record.max_tokens,
            hardware=record.hardware,
            dtype=record.dtype,
            backend=record.backend,
            code_version=record.code_version,
            prompts=record.prompts,
            identical=record.identical,
            divergences=[_divergence(each) for each in record.divergences],
        )
    )
    session.flush()
    return Outcome(written=1)


def _next_position(session: Session, conversation_id: str) -> int:
    last = session.scalar(
        select(func.max(Turn.position)).where(Turn.conversation_id == conversation_id)
    )
    return 0 if last is None else last + 1


def _race_turn(record: RaceRecord, arm: RaceArm) -> TurnRecord:
    return TurnRecord(
        conversation_id=None,
        question=record.prompt,
        answer=arm.answer,
        status=arm.status,
        metrics=arm.metrics,
        kind="race",
        turn_id=arm.turn_id,
        created_at=record.created_at,
    )


def _grounds(grounds: TurnGrounds | None) -> dict[str, Any]:
    if grounds is None:
        return {}
    return {
        "state": grounds.state,
        "retrieved": dict(grounds.retrieved),
        "unsupported": [storable(each) for each in grounds.unsupported],
    }


def _metrics(turn_id: str, metrics: TurnMetrics) -> Metrics:
    values = {name: _plain(getattr(metrics, name)) for name in METRIC_TYPES}
    for name, value in values.items():
        if value is None and METRIC_TYPES[name] is float:
            values[name] = 0.0
    return Metrics(turn_id=turn_id, **values)


def _plain(value: Any) -> Any:
    """A value that a column or JSON can hold; None for a number that is not finite."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {name: _plain(each) or 0 for name, each in value.items()}
    return value


def _divergence(divergence: Divergence) -> dict[str, str | int | float | bool | None]:
    return {
        "prompt_id": storable(divergence.prompt_id),
        "position": divergence.position,
        "plain_token": divergence.plain_token,
        "speculative_token": divergence.speculative_token,
        "gap": _finite(divergence.gap),  # JSON has no infinity
        "tie": divergence.tie,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
