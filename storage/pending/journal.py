"""What waits to be written, in a file beside the database that outlives the process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from storage.pending.codec import Change, Codec
from storage.pending.file import JournalFile

MOST_BYTES = 256 * 2**20
"""At about 4 kB a turn more than 60,000 of them."""

_ERASED = b"\n"

Rest = Callable[[partial[Any]], partial[Any] | None]
"""What an erasure leaves of a change."""

Waiting = Callable[[], list[partial[Any] | None]]
"""The changes in the file, for an erasure to look at."""

Erases = Callable[[Change, Waiting], Rest | None]
"""What a change leaves of those that wait before it; None where it is no erasure."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change that waits."""

    work: partial[Any] | None  # None: its content was erased, or is damaged
    damaged: bool = False


class Journal:
    """Changes in order, also those that a process left which has ended. One thread at a time.

    A change may be handed out again after a crash, so each must be one that can be repeated.
    """

    def __init__(
        self, base: Path, codec: Codec, erases: Erases, most_bytes: int = MOST_BYTES
    ) -> None:
        """`base` is the database's file, or a name for a database elsewhere.

        Raises:
            OSError: what was left cannot be read, or there is no room for it here.
        """
        self._codec = codec
        self._erases = erases
        self._file = JournalFile(base, most_bytes)
        self._done = 0  # bytes of the file that are in the database
        self._waiting = 0
        self._file.adopt()
        self._waiting = sum(1 for _ in self._file.lines())

    def __len__(self) -> int:
        return self._waiting

    def takes(self, work: Change) -> bool:
        """True for a change that can be kept."""
        return self._codec.writes(work)

    def append(self, works: Sequence[Change]) -> None:
        """Keep changes behind those that wait, all or none. An erasure comes alone: it takes what
        it erases from all that is in the file, its bytes too.

        Raises:
            OSError: there is no room, or the file cannot be written.
        """
        rest = self._erases(works[0], lambda: [entry.work for entry in self._entries()])
        if rest is not None:
            self._erase(rest)
        self._file.append([self._codec.line(work) for work in works])
        self._waiting += len(works)

    def head(self, count: int) -> list[Entry]:
        """The oldest changes that wait."""
        return [self._entry(line) for line in islice(self._file.lines(self._done), count)]

    def done(self, count: int) -> None:
        """The oldest `count` need not be kept any more."""
        self._done += sum(len(line) for line in islice(self._file.lines(self._done), count))
        self._waiting -= count
        if not self._waiting:
            with suppress(OSError):  # it goes another time: what is in it can be repeated
                self._file.remove()
                self._done = 0

    def close(self) -> None:
        """Leave what waits to the next process."""
        self._file.close()

    def _erase(self, rest: Rest) -> None:
        def changed(line: bytes) -> bytes:
            work = self._entry(line).work
            after = None if work is None else rest(work)
            if after is None:
                return _ERASED
            return line if after is work else self._codec.line(after)

        self._file.replace(changed)

    def _entries(self) -> list[Entry]:
        """All that is in the file, also what the database has taken since it was begun."""
        return [self._entry(line) for line in self._file.lines()]

    def _entry(self, line: bytes) -> Entry:
        if not line.strip(b" \n"):
            return Entry(None)
        try:
            return Entry(self._codec.work(line))
        except ValueError:
            return Entry(None, damaged=True)
