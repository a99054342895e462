"""The file of a journal: lines in order, only its owner reads it, and nothing of it stays behind.

Each process has a file of its own, locked while the process lives: what is found unlocked was left
by one that has ended.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":  # where no file can be locked so, the files of others are left alone
    import fcntl


class JournalFile:
    """Lines behind each other; made with the first, gone with the last. One thread at a time."""

    def __init__(self, base: Path, most_bytes: int) -> None:
        """`base` is what the file is beside of: its name begins with it."""
        self._base = base
        self._most_bytes = most_bytes
        self._handle: int | None = None
        self._path: Path | None = None

    @property
    def path(self) -> Path | None:
        """Where it is; None while there is nothing in it."""
        return self._path

    def append(self, lines: list[bytes]) -> None:
        """Add lines, all or none; they are on the disk when this returns.

        Raises:
            OSError: there is no room, or no file can be made.
        """
        handle = self._opened()
        size = os.fstat(handle).st_size
        content = b"".join(lines)
        if size + len(content) > self._most_bytes:
            raise OSError(f"the journal holds {size:,} of {self._most_bytes:,} bytes")
        try:
            _write(handle, content, size)
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise

    def lines(self, start: int = 0) -> Iterator[bytes]:
        """Every line from byte `start` on; the last may lack its end."""
        if self._handle is not None:
            with os.fdopen(os.dup(self._handle), "rb") as content:
                content.seek(start)
                yield from content

    def replace(self, changed: Callable[[bytes], bytes]) -> None:
        """Put another line, which may not be longer, in the place of each: over its bytes, so that
        nothing of it stays and no room is needed, filled with spaces.

        Raises:
            OSError: the file cannot be written.
        """
        at = 0
        for line in self.lines():
            after = changed(line)
            if after != line:
                assert self._handle is not None
                assert len(after) <= len(line)
                spaces = b" " * (len(line) - len(after))
                _write(self._handle, after.removesuffix(b"\n") + spaces + b"\n", at)
            at += len(line)
        if self._handle is not None:
            os.fsync(self._handle)

    def remove(self) -> None:
        """Overwrite everything and take the file away. Raises OSError."""
        if self._handle is None or self._path is None:
            return
        _wipe(self._handle, self._path)
        self._handle = self._path = None

    def close(self) -> None:
        """Leave the file as it is for the next process."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = self._path = None

    def adopt(self) -> None:
        """Take over, behind one's own lines, what processes that have ended left; a last line that
        lacks its end gets one. Raises OSError."""
        for path in _beside(self._base):
            handle = None if path == self._path else _locked(path)
            if handle is None:
                continue
            lines = path.read_bytes().splitlines(keepends=True)
            if lines:
                self.append([line if line.endswith(b"\n") else line + b"\n" for line in lines])
            _wipe(handle, path)

    def _opened(self) -> int:
        if self._handle is None:
            path = self._base.with_name(f"{self._base.name}.spill-{secrets.token_hex(4)}")
            self._handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            self._path = path
            _lock(self._handle)
        return self._handle


def lines_beside(base: Path) -> int:
    """How many lines wait in the files beside `base`, whichever process they are of. Of those that
    one is working through, those it is done with count too. Raises OSError."""
    found = 0
    for path in _beside(base):
        with suppress(FileNotFoundError):  # it is done
            found += sum(1 for line in path.read_bytes().split(b"\n") if line.strip(b" \x00"))
    return found


def _beside(base: Path) -> list[Path]:
    return sorted(base.parent.glob(f"{base.name}.spill-*"))


def _write(handle: int, content: bytes, at: int) -> None:
    while content:
        written = os.pwrite(handle, content, at)
        content, at = content[written:], at + written


def _wipe(handle: int, path: Path) -> None:
    _write(handle, bytes(os.fstat(handle).st_size), 0)
    os.fsync(handle)
    path.unlink(missing_ok=True)
    os.close(handle)


def _locked(path: Path) -> int | None:
    """The file, if nobody who lives has it."""
    if sys.platform == "win32":
        return None
    handle = os.open(path, os.O_RDWR)
    if _lock(handle) and path.exists():
        return handle
    os.close(handle)
    return None


def _lock(handle: int) -> bool:
    """Keep the file until the process ends; False when another one has it."""
    if sys.platform != "win32":
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # some network disks cannot
            return True
    return True
