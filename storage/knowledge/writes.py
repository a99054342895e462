"""Changes to passages and vectors, inside the writer's transaction. Repeatable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from storage.knowledge.models import KnowledgeVersion, Passage, PassageVector
from storage.knowledge.queries import AT_ONCE
from storage.knowledge.records import PassageRow, content_sha
from storage.pending.jobs import Outcome
from storage.text import storable


def replace_source(session: Session, source: str, rows: Sequence[PassageRow]) -> Outcome:
    """Put these passages in the place of all that the source had."""
    session.execute(delete(Passage).where(Passage.source == storable(source)))
    if rows:
        session.execute(insert(Passage), [_values(row) for row in rows])
    _count_up(session)
    return Outcome()


def set_searchable(session: Session, source: str, searchable: bool) -> Outcome:
    """Let a source be found, or not, without losing it."""
    session.execute(
        update(Passage).where(Passage.source == storable(source)).values(searchable=searchable)
    )
    _count_up(session)
    return Outcome()


def put_vectors(
    session: Session, model: str, vectors: Mapping[str, bytes], keep: Set[str]
) -> Outcome:
    """Store vectors by the SHA-256 of their content, and drop what is of no content in `keep`
    and of no stored passage, and all vectors of other models."""
    session.execute(delete(PassageVector).where(PassageVector.model != model))
    _drop_unused(session, keep)
    fresh = list(vectors)
    for start in range(0, len(fresh), AT_ONCE):
        shas = fresh[start : start + AT_ONCE]
        session.execute(delete(PassageVector).where(PassageVector.sha.in_(shas)))
        session.execute(
            insert(PassageVector),
            [{"sha": sha, "model": model, "vectors": vectors[sha]} for sha in shas],
        )
    return Outcome()


def _drop_unused(session: Session, keep: Set[str]) -> None:
    stored = set(session.scalars(select(PassageVector.sha)))
    unused = sorted(stored - keep - set(session.scalars(select(Passage.sha))))
    for start in range(0, len(unused), AT_ONCE):
        shas = unused[start : start + AT_ONCE]
        session.execute(delete(PassageVector).where(PassageVector.sha.in_(shas)))


def _values(row: PassageRow) -> dict[str, object]:
    title, text = storable(row.title), storable(row.text)
    return {
        "id": row.passage_id,
        "source": storable(row.source),
        "position": row.position,
        "title": title,
        "text": text,
        "words": storable(row.words),
        "sha": content_sha(title, text),
        "searchable": row.searchable,
        "added_at": row.added_at,
    }


def _count_up(session: Session) -> None:
    """The next version; the migration has put the row there."""
    session.execute(update(KnowledgeVersion).values(version=KnowledgeVersion.version + 1))
