"""The one thread that writes: a bounded queue of jobs, retried until the database takes them."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count, islice

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from storage.database import BUSY_TIMEOUT_MS, Database, driver_message
from storage.errors import StoreBusyError, StoreError
from storage.personal.records import Extent

CAPACITY = 4_096
"""Records that may wait. At about 4 kB each the queue stays under 20 MB."""

_BATCH = 64  # jobs in one transaction
_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 2.0
_CONFLICT_ATTEMPTS = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one job did."""

    written: int = 0  # records stored now
    discarded: int = 0  # records whose conversation is gone
    erased: Extent = field(default_factory=Extent)
    error: Exception | None = None  # why the job was refused although the database works


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One change. `work` runs in a transaction, perhaps several times, so it keeps no state."""

    work: Callable[[Session], Outcome]
    record: bool = True  # given up, a record counts as lost; a command's caller is told
    erases: bool = False  # leave no copy of the old content in the write-ahead log
    done: Future[Outcome] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class WriterState:
    """Counters since the writer started."""

    written: int
    lost: int
    discarded: int
    queued: int
    last_error: str
    log_clean: bool  # no erased text is left in the write-ahead log


class Writer:
    """Owns the writing connection. Jobs are done in the order they were submitted.

    While the database is locked, full or away, the head of the queue is tried again and again
    (0.05 to 2 s apart) and new records wait behind it. Only a record that finds the queue full, or
    one that the database refuses for itself, is given up; each is counted and logged.
    """

    def __init__(self, database: Database, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self._database = database
        self._queue: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._abandon = threading.Event()  # stop retrying: the time to close is over
        self._written = self._lost = self._discarded = 0
        self._last_error = ""
        self._log_unclean = False  # erased text may still be in it
        self._thread = threading.Thread(target=self._run, name="storage-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job and return at once.

        A record that finds the queue full or closed is lost: counted and logged, never raised.
        Commands (creating, renaming, erasing) have as much room again.

        Raises:
            StoreError: a command finds the writer closed or no room.
        """
        with self._changed:
            if self._closing:
                self._refuse(job, "the store is closed")
            elif len(self._queue) >= (self.capacity if job.record else 2 * self.capacity):
                self._refuse(job, f"the queue is full: {len(self._queue)} changes wait")
            else:
                self._queue.append(job)
                self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until every job submitted so far is settled; False after `timeout` seconds."""
        with self._changed:
            if not self._queue:
                return True
            last = self._queue[-1]
        try:
            last.done.exception(timeout)
        except TimeoutError:
            return False
        return True

    def state(self) -> WriterState:
        """The counters now."""
        with self._changed:
            return WriterState(
                self._written,
                self._lost,
                self._discarded,
                len(self._queue),
                self._last_error,
                not self._log_unclean,
            )

    def close(self, timeout: float) -> None:
        """Finish the queue within `timeout` seconds; what is left then is counted as lost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        self._abandon.set()
        self._thread.join(2 * BUSY_TIMEOUT_MS / 1000)  # one statement may still wait for a lock

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if batch:
                self._settle_batch(batch)
            elif self._closing:
                return
            elif self._log_unclean:
                self._empty_log()

    def _next_batch(self) -> list[Job]:
        """Wait for jobs; they stay in the queue until they are settled.

        Returns [] when closing, or now and then while erased text is still in the log.
        """
        with self._changed:
            if not self._queue and not self._closing:
                self._changed.wait(_LONGEST_WAIT_S if self._log_unclean else None)
            return list(islice(self._queue, _BATCH))

    def _settle_batch(self, batch: list[Job]) -> None:
        """One transaction for all; when one job spoils it, each has a transaction of its own."""
        if len(batch) > 1 and not self._abandon.is_set():
            try:
                outcomes = self._commit(batch)
            except Exception as error:  # the single attempts below tell which job it was
                self._note(error)
            else:
                self._settle(batch, outcomes)
                return
        for job in batch:
            self._settle([job], [self._persist(job)])

    def _persist(self, job: Job) -> Outcome:
        """Try one job until it is stored, refused for itself, or the time to close is over."""
        wait_s = _FIRST_WAIT_S
        for attempt in count(1):
            if self._abandon.is_set():
                break
            try:
                return self._commit([job])[0]
            except Exception as error:
                self._note(error)
                if not _passing(error, attempt):
                    return Outcome(error=error)
            self._abandon.wait(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        return Outcome(error=StoreError(f"closed before it was written: {self._last_error}"))

    def _commit(self, jobs: list[Job]) -> list[Outcome]:
        with self._database.alone(), Session(self._database.writer) as session, session.begin():
            return [job.work(session) for job in jobs]

    def _settle(self, jobs: list[Job], outcomes: list[Outcome]) -> None:
        """Count the outcomes, take the jobs off the queue and tell whoever waits."""
        if any(job.erases for job in jobs):
            self._empty_log()
        with self._changed:
            for job, outcome in zip(jobs, outcomes, strict=True):
                taken = self._queue.popleft()
                assert taken is job, "only the writer takes jobs, in order"
                self._count(job, outcome)
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.done.set_result(outcome)

    def _count(self, job: Job, outcome: Outcome) -> None:
        self._written += outcome.written
        self._discarded += outcome.discarded
        if outcome.error is None:
            self._last_error = ""
        elif job.record:
            self._lost += 1
            _log.error("a record was lost: %s", driver_message(outcome.error))

    def _refuse(self, job: Job, message: str) -> None:
        if not job.record:
            raise StoreError(message)
        self._lost += 1
        self._last_error = message
        _log.error("a record was lost: %s", message)
        job.done.set_result(Outcome(error=StoreError(message)))

    def _note(self, error: Exception) -> None:
        message = driver_message(error)
        with self._changed:
            repeated = message == self._last_error
            self._last_error = message
        if not repeated:
            _log.warning("writing failed: %s", message)

    def _empty_log(self) -> None:
        """Leave no erased text in the write-ahead log; again later when a reader holds it."""
        try:
            self._log_unclean = not self._database.empty_log()
        except sqlite3.Error as error:
            self._log_unclean = True
            self._note(error)


def _passing(error: Exception, attempt: int) -> bool:
    """True for trouble of the database (locked, full, away) rather than of the record.

    A conflict with another process's row is gone when the job looks again.
    """
    if isinstance(error, IntegrityError):
        return attempt < _CONFLICT_ATTEMPTS
    return isinstance(error, OperationalError | StoreBusyError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )
