"""The store: one writer thread behind a bounded queue, readers with sessions of their own."""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from storage import queries, schema, writes
from storage.care.care import Care
from storage.database import Database, connect, driver_message
from storage.dialogues import Dialogue, dialogues
from storage.errors import StoreError
from storage.knowledge import KnowledgeRows
from storage.pending.changes import open_journal
from storage.pending.jobs import Job, Outcome
from storage.pending.journal import Journal
from storage.personal.personal import Personal
from storage.personal.records import Actor, Subject
from storage.records import (
    AuditRecord,
    ConversationRow,
    Facets,
    MetricRow,
    RaceRecord,
    RaceRow,
    StoreHealth,
    TurnFilter,
    TurnGrounds,
    TurnRecord,
    TurnRow,
    new_id,
    utc_now,
)
from storage.writer import Writer
from storage.written_answers import WrittenAnswer, written_answers

_ALL = TurnFilter()
_VISIBLE_S = 2.0  # how long a small change may keep its caller before it goes on in the background
_ERASED_S = 20.0  # how long an erasure may take before its caller is told that it is still queued
_CAUGHT_UP_S = 20.0  # how long opening waits for what an earlier process left in the journal
_LATER = "the database is busy; the data will be erased when it is free"
_PERHAPS_LATER = (
    "the database is busy; the data will be erased when it is free, unless this program ends before"
)

_log = logging.getLogger(__name__)


def open_store(url: str | None = None) -> Store:
    """Open (and create or migrate) the database at `url`.

    Without a URL it is an SQLite file in the user's data directory. `sqlite:///relative.db`,
    `sqlite:////absolute.db` and `postgresql://...` are understood. SQLite runs in WAL mode, or in
    DELETE mode where SPECCHAT_SQLITE_JOURNAL=delete or the file is on a Space's /data bucket.

    Raises:
        StoreError: the URL is not understood, or the database cannot be opened or written.
    """
    database = connect(url)
    try:
        schema.upgrade(database)
        journal = open_journal(database)
    except BaseException:
        database.dispose()
        raise
    store = Store(database, journal)
    if not store.flush(_CAUGHT_UP_S):
        _log.warning("%d changes of before wait still", store.health().journaled)
    return store


class Store:
    """Conversations, turns, races and audits; feedback, hand-offs and orders as `care`; the
    passages that answers are taken from as `knowledge`; what is kept of people, to be exported and
    erased, as `personal`.

    Safe to use from any thread.

    `record_*` return at once: the writer thread stores the record, keeps it in a journal beside the
    database while that is busy, full or away, and counts what it had to give up (`health().lost`).
    Reading raises StoreError when the database does not answer.
    """

    def __init__(self, database: Database, journal: Journal | None = None) -> None:
        self._database = database
        self._writer = Writer(database, journal=journal)
        self._closed = False
        self.care = Care(self._change, self._reading)
        self.knowledge = KnowledgeRows(self._change, self._reading)
        self.personal = Personal(self._erase, self._reading)
        atexit.register(self.close)

    def create_conversation(
        self, owner: str, title: str = "", *, conversation_id: str | None = None
    ) -> str:
        """Start a conversation of `owner` and return its id, visible to readers from now on.

        While the database is locked the id comes after 2 s and readers see it later.
        """
        conversation_id = conversation_id or new_id()
        work = partial(
            writes.add_conversation,
            conversation_id=conversation_id,
            owner=owner,
            title=title,
            now=utc_now(),
        )
        self._change(work)
        return conversation_id

    def rename_conversation(self, conversation_id: str, owner: str, title: str) -> None:
        """Give the conversation a title. Raises LookupError when it is not the owner's."""
        self.conversation(conversation_id, owner)
        self._change(
            partial(writes.rename_conversation, conversation_id=conversation_id, title=title)
        )

    def remove_turn(self, turn_id: str) -> None:
        """Take a turn out of its conversation: its text is erased, its metrics stay."""
        self._change(partial(writes.remove_turn, turn_id=turn_id), erases=True)

    def delete_conversation(
        self, conversation_id: str, owner: str, actor: Actor = "customer"
    ) -> None:
        """Erase the conversation, its turns and their metrics, physically.

        Raises:
            LookupError: there is no such conversation of this owner.
            StoreError: the database is busy (the erasure stays queued) or refused it.
        """
        self.conversation(conversation_id, owner)
        self.personal.erase(Subject(conversation_id=conversation_id), actor)

    def delete_owner(self, owner: str, actor: Actor = "customer") -> None:
        """Erase every conversation and race of `owner`, physically. Raises as above."""
        self.personal.erase(Subject(owner=owner), actor)

    def record_turn(self, record: TurnRecord) -> None:
        """Queue one turn; a `turn_id` that is stored already is left as it is."""
        self._writer.submit(Job(partial(writes.add_turn, record=record)))

    def record_race(self, record: RaceRecord) -> None:
        """Queue one race: both turns and their pairing, in one transaction."""
        self._writer.submit(Job(partial(writes.add_race, record=record)))

    def record_audit(self, record: AuditRecord) -> None:
        """Queue the outcome of one audit."""
        self._writer.submit(Job(partial(writes.add_audit, record=record)))

    def conversations(
        self, owner: str, limit: int = 50, *, search: str = ""
    ) -> list[ConversationRow]:
        """The owner's conversations, last used first.

        With `search` only those in whose title or texts each of its words occurs.
        """
        with self._reading() as session:
            return queries.conversations(session, owner, limit, search)

    def conversation(self, conversation_id: str, owner: str) -> ConversationRow:
        """One conversation. Raises LookupError when it is not the owner's."""
        with self._reading() as session:
            found = queries.conversation(session, conversation_id, owner)
        if found is None:
            raise LookupError("no such conversation")
        return found

    def owner_of(self, conversation_id: str) -> str:
        """Whose conversation it is; for the support desk. Raises LookupError."""
        with self._reading() as session:
            found = queries.owner_of(session, conversation_id)
        if found is None:
            raise LookupError("no such conversation")
        return found

    def turns(self, conversation_id: str) -> list[TurnRow]:
        """The turns of a conversation in order, removed ones left out.

        Whoever asks must have been checked with `conversation(id, owner)`.
        """
        with self._reading() as session:
            return queries.turns(session, conversation_id)

    def dialogues(self, limit: int | None = None) -> list[Dialogue]:
        """What was said in every owner's conversations, redacted, the latest `limit` first: for
        training on one's own text."""
        with self._reading() as session:
            return dialogues(session, limit)

    def written_answers(self, model: str, limit: int) -> list[WrittenAnswer]:
        """The newest answers of a model as it wrote them, redacted, of every owner; oldest first.
        For drafting from them."""
        with self._reading() as session:
            return written_answers(session, model, limit)

    def metrics(self, which: TurnFilter = _ALL) -> list[MetricRow]:
        """Metrics of the turns that match, newest first."""
        with self._reading() as session:
            return queries.metrics(session, which)

    def grounds(self, which: TurnFilter = _ALL) -> list[TurnGrounds]:
        """What the answers that match stand on, newest first, where it was looked for."""
        with self._reading() as session:
            return queries.grounds(session, which)

    def races(self, which: TurnFilter = _ALL) -> list[RaceRow]:
        """Races that match, newest first."""
        with self._reading() as session:
            return queries.races(session, which)

    def audits(self, limit: int = 50) -> list[AuditRecord]:
        """Audits, newest first."""
        with self._reading() as session:
            return queries.audits(session, limit)

    def facets(self) -> Facets:
        """The models, modes and kinds that occur, for filter menus."""
        with self._reading() as session:
            return queries.facets(session)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything queued so far is settled; False after `timeout` seconds."""
        return self._writer.flush(timeout)

    def wait_for_clean_log(self, timeout: float = 10.0) -> bool:
        """Wait until no erased text is left in the write-ahead log, where another reader may hold
        it for a moment; False after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not self._writer.state().log_clean:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        return True

    @property
    def closed(self) -> bool:
        """True once it was closed."""
        return self._closed

    def health(self) -> StoreHealth:
        """The state of the writer."""
        state = self._writer.state()
        return StoreHealth(
            written=state.written,
            lost=state.lost,
            discarded=state.discarded,
            queued=state.queued,
            journaled=state.journaled,
            capacity=self._writer.capacity,
            database=self._database.version,
            last_error=state.last_error,
        )

    def close(self, timeout: float = 10.0) -> None:
        """Store what is queued, within `timeout` seconds, and close; what is left stays in the
        journal for the next start. Closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        self._writer.close(timeout)
        self._database.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _change(self, work: Callable[[Session], Outcome], *, erases: bool = False) -> None:
        """Queue a command and wait a little for it, so that the caller reads its own change."""
        job = Job(work, record=False, erases=erases)
        self._writer.submit(job)
        try:
            outcome = job.done.result(_VISIBLE_S)
        except TimeoutError:
            return
        if outcome.error is not None:
            raise StoreError(f"the change was refused: {driver_message(outcome.error)}")

    def _erase(self, work: Callable[[Session], Outcome]) -> Outcome:
        job = Job(work, record=False, erases=True)
        self._writer.submit(job)
        try:
            outcome = job.done.result(_ERASED_S)
        except TimeoutError:
            raise StoreError(_LATER if self._writer.is_kept(job) else _PERHAPS_LATER) from None
        if outcome.error is not None:
            raise StoreError(f"the data was not erased: {driver_message(outcome.error)}")
        return outcome

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        if self._closed:
            raise StoreError("the store is closed")
        try:
            with Session(self._database.readers) as session:
                yield session
        except DBAPIError as error:
            raise StoreError(f"the database cannot be read: {driver_message(error)}") from error
