"""Passages and vectors of a store; reached as `Store.knowledge`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

from sqlalchemy.orm import Session

from storage.knowledge import queries, writes
from storage.knowledge.records import PassageRow, SourceRow
from storage.pending.jobs import Outcome


class _Changes(Protocol):
    def __call__(self, work: Callable[[Session], Outcome]) -> None: ...


class KnowledgeRows:
    """Safe to use from any thread. Changes are visible to readers when a call returns.

    While the database is locked a change returns after 2 s and is made later. Everything raises
    StoreError when the database refuses a change or does not answer.
    """

    def __init__(
        self, change: _Changes, reading: Callable[[], AbstractContextManager[Session]]
    ) -> None:
        self._change = change
        self._reading = reading

    def replace_source(self, source: str, rows: Sequence[PassageRow]) -> None:
        """Put these passages in the place of all that `source` had; none removes it."""
        self._change(partial(writes.replace_source, source=source, rows=tuple(rows)))

    def set_searchable(self, source: str, searchable: bool) -> None:
        """Let a source be found, or not, without losing it."""
        self._change(partial(writes.set_searchable, source=source, searchable=searchable))

    def passages(self, *, searchable_only: bool = False) -> list[PassageRow]:
        """All passages, by source and position."""
        with self._reading() as session:
            return queries.passages(session, searchable_only=searchable_only)

    def sources(self) -> list[SourceRow]:
        """Every document with how much is stored of it, by name."""
        with self._reading() as session:
            return queries.sources(session)

    def put_vectors(
        self, model: str, vectors: Mapping[str, bytes], keep: Set[str] = frozenset()
    ) -> None:
        """Store vectors by the SHA-256 of what they stand for.

        Vectors of other models go, and those of no stored passage and of nothing in `keep`.
        """
        work = partial(writes.put_vectors, model=model, vectors=dict(vectors), keep=keep)
        self._change(work)

    def vectors(self, model: str, shas: Sequence[str]) -> dict[str, bytes]:
        """The stored vectors of these contents; those that are not stored are left out."""
        with self._reading() as session:
            return queries.vectors(session, model, shas)

    def version(self) -> int:
        """A number that grows with every change of the passages, by any process."""
        with self._reading() as session:
            return queries.version(session)
