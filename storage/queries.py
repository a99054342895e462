"""Every question to the database, as functions over a reading session. Newest rows first."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import Any, cast, get_origin

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, aliased

from storage.models import METRIC_TYPES, Audit, Conversation, Metrics, Race, Turn
from storage.records import (
    AnswerState,
    AuditRecord,
    ConversationRow,
    Divergence,
    Facets,
    MetricRow,
    Mode,
    RaceRow,
    TurnFilter,
    TurnGrounds,
    TurnKind,
    TurnRow,
)
from storage.text import folded

_EXCERPT = 200  # characters of a race's prompt
_MOST_WORDS = 8  # of a search


def conversations(
    session: Session, owner: str, limit: int, search: str = ""
) -> list[ConversationRow]:
    """An owner's conversations, last used first; with `search` those that hold all its words."""
    found = _conversation_query(Conversation.owner == owner)
    ordered = found.order_by(Conversation.updated_at.desc(), Conversation.id)
    words = folded(search).split()[:_MOST_WORDS]
    if not words:
        return [ConversationRow(**row._mapping) for row in session.execute(ordered.limit(limit))]
    held = _holding(session, owner, words)
    rows = (row for row in session.execute(ordered) if row.id in held)
    return [ConversationRow(**row._mapping) for row in islice(rows, limit)]


def conversation(session: Session, conversation_id: str, owner: str) -> ConversationRow | None:
    """One conversation, or None when it does not exist or is someone else's."""
    found = _conversation_query(Conversation.id == conversation_id, Conversation.owner == owner)
    row = session.execute(found).one_or_none()
    return None if row is None else ConversationRow(**row._mapping)


def owner_of(session: Session, conversation_id: str) -> str | None:
    """The owner of a conversation."""
    return session.scalar(select(Conversation.owner).where(Conversation.id == conversation_id))


def turns(session: Session, conversation_id: str) -> list[TurnRow]:
    """The turns of a conversation in order, without removed ones."""
    found = (
        select(Turn, Metrics)
        .outerjoin(Metrics, Metrics.turn_id == Turn.id)
        .where(Turn.conversation_id == conversation_id, Turn.removed.is_(False))
        .order_by(Turn.position)
    )
    return [_turn_row(turn, metrics) for turn, metrics in session.execute(found).tuples()]


def metrics(session: Session, which: TurnFilter) -> list[MetricRow]:
    """Metrics of the turns that match."""
    found = _within(select(*_columns(Turn, Metrics)).join(Metrics), Turn.created_at, which)
    if which.mode is not None:
        found = found.where(Metrics.mode == which.mode)
    if which.model is not None:
        found = found.where(Metrics.model == which.model)
    if which.kind is not None:
        found = found.where(Turn.kind == which.kind)
    ordered = found.order_by(Turn.created_at.desc(), Turn.id).limit(which.limit)
    return [_metric_row(row) for row in session.execute(ordered)]


def grounds(session: Session, which: TurnFilter) -> list[TurnGrounds]:
    """What the turns that match stand on, where it is known; not all of them have metrics."""
    found = _within(select(Turn).outerjoin(Metrics), Turn.created_at, which)
    found = found.where(Turn.state.is_not(None))
    if which.mode is not None:
        found = found.where(Metrics.mode == which.mode)
    if which.model is not None:
        found = found.where(Metrics.model == which.model)
    if which.kind is not None:
        found = found.where(Turn.kind == which.kind)
    ordered = found.order_by(Turn.created_at.desc(), Turn.id).limit(which.limit)
    rows = map(_turn_grounds, session.scalars(ordered))
    return [row for row in rows if row is not None]


def races(session: Session, which: TurnFilter) -> list[RaceRow]:
    """Races that match, with the metrics of both arms."""
    arms = [(aliased(Turn), aliased(Metrics)) for _ in range(2)]
    columns = [column for turn, measured in arms for column in _columns(turn, measured)]
    (plain, plain_metrics), (speculative, speculative_metrics) = arms
    found = (
        select(
            Race.id,
            Race.created_at,
            func.substr(Race.prompt, 1, _EXCERPT),
            Race.identical,
            Race.first,
            *columns,
        )
        .join(plain, plain.id == Race.plain_turn_id)
        .join(plain_metrics, plain_metrics.turn_id == plain.id)
        .join(speculative, speculative.id == Race.speculative_turn_id)
        .join(speculative_metrics, speculative_metrics.turn_id == speculative.id)
    )
    found = _within(found, Race.created_at, which)
    if which.model is not None:
        found = found.where(speculative_metrics.model == which.model)
    ordered = found.order_by(Race.created_at.desc(), Race.id).limit(which.limit)
    return [_race_row(row) for row in session.execute(ordered)]


def audits(session: Session, limit: int) -> list[AuditRecord]:
    """Audits."""
    found = select(Audit).order_by(Audit.created_at.desc(), Audit.id).limit(limit)
    return [_audit(row) for row in session.scalars(found)]


def facets(session: Session) -> Facets:
    """The models, modes and kinds that occur among the metrics."""
    kinds = session.scalars(select(Turn.kind).join(Metrics).distinct())
    return Facets(
        models=tuple(sorted(session.scalars(select(Metrics.model).distinct()))),
        modes=cast(
            tuple[Mode, ...], tuple(sorted(session.scalars(select(Metrics.mode).distinct())))
        ),
        kinds=cast(tuple[TurnKind, ...], tuple(sorted(kinds))),
    )


def _holding(session: Session, owner: str, words: Sequence[str]) -> set[str]:
    """Conversations of the owner in whose title or texts each of the folded words occurs.

    Compared here and not in the database, so that every database finds the same: what one owner
    wrote is little.
    """
    titles = select(Conversation.id, Conversation.title).where(Conversation.owner == owner)
    said = (
        select(Turn.conversation_id, Turn.question, Turn.answer)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .where(Conversation.owner == owner, Turn.removed.is_(False))
    )
    missing: defaultdict[str, set[str]] = defaultdict(lambda: set(words))
    for conversation_id, *texts in (*session.execute(titles), *session.execute(said)):
        left = missing[conversation_id]
        if left:
            text = folded("\n".join(texts))
            left.difference_update([word for word in left if word in text])
    return {conversation_id for conversation_id, left in missing.items() if not left}


def _conversation_query(*where: ColumnElement[bool]) -> Select[Any]:
    kept = (
        select(func.count())
        .where(Turn.conversation_id == Conversation.id, Turn.removed.is_(False))
        .scalar_subquery()
    )
    return select(
        Conversation.id,
        Conversation.title,
        Conversation.created_at,
        Conversation.updated_at,
        kept.label("turns"),
    ).where(*where)


def _within(query: Select[Any], time: Any, which: TurnFilter) -> Select[Any]:
    if which.since is not None:
        query = query.where(time >= which.since)
    if which.until is not None:
        query = query.where(time < which.until)
    return query


_METRIC_NAMES = tuple(METRIC_TYPES)
_NAMES = ("turn_id", "created_at", "kind", "status", *_METRIC_NAMES)
_TUPLES = tuple(
    _NAMES.index(name) for name, kind in METRIC_TYPES.items() if get_origin(kind) is tuple
)


def _columns(turn: Any, measured: Any) -> list[Any]:
    """The columns of one `MetricRow`, in the order of `_NAMES`."""
    names = (turn.id, turn.created_at, turn.kind, turn.status)
    return [*names, *(getattr(measured, name) for name in _METRIC_NAMES)]


def _metric_row(values: Sequence[Any]) -> MetricRow:
    values = list(values)
    for index in _TUPLES:
        values[index] = tuple(values[index])
    return MetricRow(**dict(zip(_NAMES, values, strict=True)))


def metric_row(turn: Turn, measured: Metrics | None) -> MetricRow | None:
    """The metrics of a turn that has some."""
    if measured is None:
        return None
    values = [getattr(measured, name) for name in _METRIC_NAMES]
    return _metric_row((turn.id, turn.created_at, turn.kind, turn.status, *values))


def _turn_row(turn: Turn, measured: Metrics | None) -> TurnRow:
    return TurnRow(
        turn_id=turn.id,
        conversation_id=turn.conversation_id or "",
        position=turn.position or 0,
        kind=cast(TurnKind, turn.kind),
        status=cast(Any, turn.status),
        question=turn.question,
        answer=turn.answer,
        created_at=turn.created_at,
        metrics=metric_row(turn, measured),
        grounds=_turn_grounds(turn),
    )


def _turn_grounds(turn: Turn) -> TurnGrounds | None:
    if turn.state is None:
        return None
    return TurnGrounds(
        state=cast(AnswerState, turn.state),
        retrieved=turn.retrieved or {},
        unsupported=tuple(turn.unsupported or ()),
    )


def _race_row(row: Sequence[Any]) -> RaceRow:
    race_id, created_at, prompt, identical, first = row[:5]
    return RaceRow(
        race_id=race_id,
        created_at=created_at,
        prompt=prompt,
        identical=identical,
        first=first,
        plain=_metric_row(row[5 : 5 + len(_NAMES)]),
        speculative=_metric_row(row[5 + len(_NAMES) :]),
    )


def _audit(row: Audit) -> AuditRecord:
    return AuditRecord(
        audit_id=row.id,
        created_at=row.created_at,
        model=row.model,
        speculators=tuple(row.speculators),
        temperature=row.temperature,
        seed=row.seed,
        max_tokens=row.max_tokens,
        hardware=row.hardware,
        dtype=row.dtype,
        backend=row.backend,
        code_version=row.code_version,
        prompts=row.prompts,
        identical=row.identical,
        divergences=tuple(_divergence(each) for each in row.divergences),
    )


def _divergence(stored: dict[str, Any]) -> Divergence:
    gap = stored["gap"]
    return Divergence(**{**stored, "gap": math.inf if gap is None else gap})
