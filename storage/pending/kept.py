"""Jobs whose changes are in the journal: what somebody may still wait for."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import islice

from sqlalchemy.orm import Session

from storage.errors import StoreError
from storage.pending.jobs import Job, Outcome, Work
from storage.pending.journal import Entry, Journal

_log = logging.getLogger(__name__)


class KeptJobs:
    """The jobs of a journal in its order. The writer's thread changes them, anybody looks."""

    def __init__(self, journal: Journal | None) -> None:
        """Without a journal none is ever kept."""
        self._journal = journal
        self._jobs = deque(Job(_nothing) for _ in range(len(journal or ())))
        self._lock = threading.Lock()
        self._trouble = ""

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job: Job) -> bool:
        with self._lock:
            return any(each.done is job.done for each in self._jobs)

    @property
    def last(self) -> list[Future[Outcome]]:
        """What is done when all are; nothing where there are none."""
        with self._lock:
            return [job.done for job in islice(reversed(self._jobs), 1)]

    def take(self, jobs: Sequence[Job]) -> list[Job]:
        """Keep what the journal takes of these, in order; an erasure goes in by itself. Returns
        those that are kept now: fewer where there is no room for more."""
        if self._journal is None:
            return []
        kept: list[Job] = []
        for run in _runs([job for job in jobs if self._journal.takes(job.work)]):
            try:
                self._journal.append([job.work for job in run])
            except OSError as error:  # they wait in memory then
                self._note(error)
                break
            with self._lock:  # without their content, which the journal has
                self._jobs.extend(Job(_nothing, job.record, job.erases, job.done) for job in run)
            kept += run
        return kept

    def head(self, count: int) -> list[Work]:
        """The oldest changes. Raises OSError."""
        assert self._journal is not None
        return [_work(entry) for entry in self._journal.head(count)] or [_damaged]

    def first(self, count: int) -> list[Job]:
        """The jobs of the oldest changes."""
        with self._lock:
            return list(islice(self._jobs, count))

    def done(self, count: int) -> None:
        """The oldest need not be kept any more."""
        assert self._journal is not None
        self._journal.done(count)
        with self._lock:
            for _ in range(count):
                self._jobs.popleft()

    def leave(self) -> None:
        """Leave all that is kept to the next process, and tell whoever waits."""
        later = Outcome(error=StoreError("the program ends: it is done at the next start"))
        with self._lock:
            for job in self._jobs:
                job.done.set_result(later)
        if self._journal is not None:
            self._journal.close()

    def _note(self, error: OSError) -> None:
        message = error.strerror or str(error)
        if message != self._trouble:
            _log.warning("the journal cannot be written: %s", message)
        self._trouble = message


def _runs(jobs: Sequence[Job]) -> list[list[Job]]:
    """The jobs in order, each erasure by itself."""
    runs: list[list[Job]] = [[]]
    for job in jobs:
        if job.erases:
            runs += [[job], []]
        else:
            runs[-1].append(job)
    return [run for run in runs if run]


def _work(entry: Entry) -> Work:
    if entry.damaged:
        return _damaged
    return entry.work or _erased


def _damaged(session: Session) -> Outcome:
    return Outcome(error=StoreError("a line of the journal is damaged"))


def _erased(session: Session) -> Outcome:
    return Outcome(discarded=1)


def _nothing(session: Session) -> Outcome:
    """Stands for a change whose content is in the journal."""
    return Outcome()
