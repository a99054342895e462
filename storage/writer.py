"""The one thread that writes: a bounded queue of jobs, a journal for when the database fails."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from itertools import islice

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.database import BUSY_TIMEOUT_MS, Database, driver_message, in_trouble
from storage.errors import StoreBusyError, StoreError
from storage.pending.jobs import Job, Outcome, Work
from storage.pending.journal import Journal
from storage.pending.kept import KeptJobs

CAPACITY = 4_096
"""Records that may wait. At about 4 kB each the queue stays under 20 MB."""

_BATCH = 64  # jobs in one transaction
_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 2.0
_CONFLICT_ATTEMPTS = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WriterState:
    """Counters since the writer started."""

    written: int
    lost: int
    discarded: int
    queued: int  # journaled ones included
    journaled: int
    last_error: str
    log_clean: bool  # no erased text is left in the write-ahead log


class Writer:
    """Owns the writing connection. Jobs are done in the order they were submitted.

    While the database is locked, full or away, it is tried again and again (0.05 to 2 s apart).
    Meanwhile what the journal takes goes there, and everything that comes behind it, until the
    database has all of it; what is left when the writer closes is for the next one. Other jobs wait
    in the queue. Only a record that finds the queue full, or one that the database refuses for
    itself, is given up; each is counted and logged.
    """

    def __init__(
        self, database: Database, capacity: int = CAPACITY, journal: Journal | None = None
    ) -> None:
        self.capacity = capacity
        self._database = database
        self._inode = database.inode
        self._queue: deque[Job] = deque()
        self._kept = KeptJobs(journal)  # everything in it is older than what the queue holds
        self._changed = threading.Condition()
        self._closing = False
        self._abandon = threading.Event()  # stop retrying: the time to close is over
        self._wait_s = _FIRST_WAIT_S
        self._submitted = self._written = self._lost = self._discarded = 0
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
                self._submitted += 1
                self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until every job submitted so far is settled; False after `timeout` seconds."""
        with self._changed:
            last = [*self._kept.last, *(job.done for job in islice(reversed(self._queue), 1))]
        return not wait(last, timeout).not_done

    def is_kept(self, job: Job) -> bool:
        """True while the job is in the journal: it is done even if this process ends."""
        return job in self._kept

    def state(self) -> WriterState:
        """The counters now."""
        with self._changed:
            return WriterState(
                self._written,
                self._lost,
                self._discarded,
                len(self._kept) + len(self._queue),
                len(self._kept),
                self._last_error,
                not self._log_unclean,
            )

    def close(self, timeout: float) -> None:
        """Finish what waits within `timeout` seconds. What is left then stays in the journal; what
        that does not take is counted as lost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        with self._changed:
            self._abandon.set()
            self._changed.notify_all()
        self._thread.join(2 * BUSY_TIMEOUT_MS / 1000)  # one statement may still wait for a lock

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if self._kept:
                if not self._catch_up() and self._abandon.is_set():
                    break
            elif batch:
                self._settle_batch(batch)
            elif self._closing:
                break
            elif self._log_unclean:
                self._empty_log()
        self._leave()

    def _next_batch(self) -> list[Job]:
        """Wait for jobs; they stay in the queue until they are settled.

        Returns [] when closing, where the journal holds some, or now and then while erased text is
        still in the log.
        """
        with self._changed:
            if not (self._queue or self._kept or self._closing):
                self._changed.wait(_LONGEST_WAIT_S if self._log_unclean else None)
            return list(islice(self._queue, _BATCH))

    def _settle_batch(self, batch: list[Job]) -> None:
        """One transaction for all; when one job spoils it, each has a transaction of its own."""
        if len(batch) > 1 and not self._abandon.is_set():
            try:
                outcomes = self._commit([job.work for job in batch])
            except Exception as error:  # the single attempts below tell which job it was
                self._note(error)
            else:
                self._settle_queued(outcomes)
                return
        for job in batch:
            outcome = self._persist(job)
            if outcome is None:
                return
            self._settle_queued([outcome])

    def _persist(self, job: Job) -> Outcome | None:
        """Try the first job until it is stored, refused for itself, or the time to close is over;
        None when it has gone into the journal, and what comes behind it too."""
        while self._queue and self._queue[0] is job:
            outcome = None if self._abandon.is_set() else self._tried(job.work)
            if outcome is not None:
                return outcome
            self._keep()
            if self._abandon.is_set():
                return self._too_late() if job in self._queue else None
            self._pause()
        return None

    def _tried(self, work: Work) -> Outcome | None:
        """What one change did, or why it was refused; None where the database is in trouble."""
        for _ in range(_CONFLICT_ATTEMPTS):
            try:
                outcome = self._commit([work])[0]
            except IntegrityError as error:  # another process's row: gone when it looks again
                self._note(error)
                outcome = Outcome(error=error)
            except Exception as error:
                self._note(error)
                return None if in_trouble(error) else Outcome(error=error)
            else:
                self._wait_s = _FIRST_WAIT_S
                return outcome
        return outcome

    def _pause(self) -> None:
        """Wait before the next attempt; what comes meanwhile goes into the journal at once."""
        until = time.monotonic() + self._wait_s
        self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)
        while (left := until - time.monotonic()) > 0 and not self._abandon.is_set():
            seen = self._submitted
            self._keep()
            with self._changed:
                if self._submitted == seen and not self._abandon.is_set():
                    self._changed.wait(left)

    def _commit(self, works: Sequence[Work]) -> list[Outcome]:
        if self._database.inode != self._inode:  # SQLite would write on into a file without a name
            raise StoreBusyError("the database file is gone: put it back, or start anew")
        with self._database.alone(), Session(self._database.writer) as session, session.begin():
            return [work(session) for work in works]

    # -- the journal ---------------------------------------------------------------------------

    def _keep(self) -> list[Job]:
        """Move what the journal takes out of the queue; what was moved."""
        with self._changed:
            waiting = list(self._queue)
        kept = self._kept.take(waiting)
        with self._changed:
            moved = set(kept)
            self._queue = deque(job for job in self._queue if job not in moved)
        return kept

    def _catch_up(self) -> bool:
        """Bring what the journal holds into the database, in order; False where some is left."""
        while self._kept:
            self._keep()  # what came meanwhile goes behind it
            outcomes = [] if self._abandon.is_set() else self._replay()
            if not outcomes:
                self._pause()
                return False
            self._settle_kept(outcomes)
        return True

    def _replay(self) -> list[Outcome]:
        """What the oldest changes of the journal did; [] while the database is in trouble."""
        works: list[Work] = []
        try:
            works = self._kept.head(_BATCH)
            return self._commit(works)
        except Exception as error:
            self._note(error)
            if in_trouble(error):
                return []
        outcomes = []  # the single attempts tell which change it was
        for work in works:
            outcome = self._tried(work)
            if outcome is None:
                break
            outcomes.append(outcome)
        return outcomes

    def _leave(self) -> None:
        """What is left is for the next start, or too late."""
        self._keep()
        self._kept.leave()
        self._settle_queued([self._too_late() for _ in self._queue])

    def _too_late(self) -> Outcome:
        return Outcome(error=StoreError(f"closed before it was written: {self._last_error}"))

    # -- what became of a job ------------------------------------------------------------------

    def _settle_queued(self, outcomes: list[Outcome]) -> None:
        """The first jobs of the queue are done."""
        with self._changed:
            jobs = list(islice(self._queue, len(outcomes)))
        if any(job.erases for job in jobs):
            self._empty_log()
        with self._changed:
            self._count(jobs, outcomes)
            for job in jobs:
                taken = self._queue.popleft()
                assert taken is job, "only the writer takes jobs, in order"
        _tell(jobs, outcomes)

    def _settle_kept(self, outcomes: list[Outcome]) -> None:
        """The first jobs of the journal are done."""
        jobs = self._kept.first(len(outcomes))
        with self._changed:
            self._count(jobs, outcomes)
        self._kept.done(len(outcomes))
        if any(job.erases for job in jobs) or not self._kept:
            self._empty_log()
        _tell(jobs, outcomes)

    def _count(self, jobs: list[Job], outcomes: list[Outcome]) -> None:
        for job, outcome in zip(jobs, outcomes, strict=True):
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


def _tell(jobs: list[Job], outcomes: list[Outcome]) -> None:
    for job, outcome in zip(jobs, outcomes, strict=True):
        job.done.set_result(outcome)
