"""The data of people in a store, as a whole: read, counted, erased; reached as `Store.personal`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from storage.pending.jobs import Outcome
from storage.personal import erasure
from storage.personal import queries as personal_queries
from storage.personal.records import Actor, ErasureRow, Extent, StoredData, Subject
from storage.records import utc_now


class Personal:
    """Safe to use from any thread. Reading raises StoreError when the database does not answer.

    Erasing is physical: no byte stays in the file, nor in the write-ahead log once nobody reads
    from it any more. Each erasure is recorded with who, when and how much.
    """

    def __init__(
        self,
        erase: Callable[[Callable[[Session], Outcome]], Outcome],
        reading: Callable[[], AbstractContextManager[Session]],
    ) -> None:
        self._erase = erase
        self._reading = reading

    def stored(self, subject: Subject) -> StoredData:
        """All that is kept of a subject, redacted as it is."""
        with self._reading() as session:
            return personal_queries.stored(session, subject)

    def extent(self, subject: Subject) -> Extent:
        """How much is kept of an owner or a conversation."""
        with self._reading() as session:
            return erasure.extent(session, erasure.scope_of(subject))

    def extent_before(self, cutoff: datetime) -> Extent:
        """How much `erase_before` would erase."""
        with self._reading() as session:
            return erasure.extent(session, erasure.scope_before(cutoff))

    def erase(self, subject: Subject, actor: Actor) -> Extent:
        """Erase an owner or a conversation, and say how much it was.

        Raises:
            StoreError: the database is busy (the erasure stays queued) or refused it.
        """
        work = partial(erasure.erase, subject=subject, actor=actor, now=utc_now())
        return self._erase(work).erased

    def erase_before(self, cutoff: datetime, actor: Actor) -> Extent:
        """Erase what is older: conversations last used before `cutoff`, and turns, races and
        opinions of before it in those that are still used. Raises as `erase`."""
        work = partial(erasure.erase_before, cutoff=cutoff, actor=actor, now=utc_now())
        return self._erase(work).erased

    def erasures(self, limit: int = 50) -> list[ErasureRow]:
        """What was erased, newest first."""
        with self._reading() as session:
            return erasure.erasures(session, limit)
