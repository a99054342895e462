"""Questions about passages, as functions over a reading session."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session

from storage.knowledge.models import KnowledgeVersion, Passage, PassageVector
from storage.knowledge.records import PassageRow, SourceRow

AT_ONCE = 500
"""Values in one statement."""


def passages(session: Session, *, searchable_only: bool) -> list[PassageRow]:
    """All passages, by source and position."""
    found = select(Passage).order_by(Passage.source, Passage.position, Passage.id)
    if searchable_only:
        found = found.where(Passage.searchable)
    return [
        PassageRow(
            source=row.source,
            position=row.position,
            title=row.title,
            text=row.text,
            words=row.words,
            searchable=row.searchable,
            passage_id=row.id,
            added_at=row.added_at,
        )
        for row in session.scalars(found)
    ]


def sources(session: Session) -> list[SourceRow]:
    """Every document with how much is stored of it, by name."""
    found = select(
        Passage.source,
        func.count(),
        func.sum(cast(Passage.searchable, Integer)),
        func.max(Passage.added_at),
    ).group_by(Passage.source)
    return [
        SourceRow(source=source, passages=count, searchable=searchable, added_at=added_at)
        for source, count, searchable, added_at in session.execute(found.order_by(Passage.source))
    ]


def vectors(session: Session, model: str, shas: Sequence[str]) -> dict[str, bytes]:
    """The stored vectors of these contents, by their SHA-256; those not stored are left out."""
    found: dict[str, bytes] = {}
    for start in range(0, len(shas), AT_ONCE):
        rows = session.execute(
            select(PassageVector.sha, PassageVector.vectors).where(
                PassageVector.model == model, PassageVector.sha.in_(shas[start : start + AT_ONCE])
            )
        )
        found.update((row.sha, row.vectors) for row in rows)
    return found


def version(session: Session) -> int:
    """A number that grows with every change of the passages; 0 before the first."""
    return session.scalar(select(KnowledgeVersion.version)) or 0
