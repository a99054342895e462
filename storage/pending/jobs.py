"""One change on its way into the database, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from storage.personal.records import Extent


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one job did."""

    written: int = 0  # records stored now
    discarded: int = 0  # records whose conversation is gone
    erased: Extent = field(default_factory=Extent)
    error: Exception | None = None  # why the job was refused although the database works


Work = Callable[[Session], Outcome]
"""A change inside a transaction. It may run several times, so it keeps no state."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One change that somebody wants."""

    work: Work
    record: bool = True  # given up, a record counts as lost; a command's caller is told
    erases: bool = False  # leave no copy of the old content in the write-ahead log
    done: Future[Outcome] = field(default_factory=Future)
