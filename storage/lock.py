"""One process at a time writes to an SQLite file: a lock on its folder, held for a transaction.

SQLite locks its file too. But before 3.51.3 it can damage the file when one connection checkpoints
the write-ahead log while another one writes (the WAL-reset bug). In one process a single writer
does both; a command beside a running app, such as `specchat data purge`, is a second one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import StoreBusyError

if sys.platform != "win32":  # which has no such lock: SQLite's own must do
    import fcntl

_PAUSE_S = 0.002


@contextmanager
def alone_in(folder: Path, patience_ms: int) -> Iterator[None]:
    """Hold the lock of `folder`; the system lets go of it when the process ends, however it ends.

    Where the folder cannot be locked (some network disks) this holds nothing.

    Raises:
        StoreBusyError: another one holds it for longer than `patience_ms`.
    """
    handle = _opened(folder)
    if handle is None:
        yield
        return
    try:
        _wait_for(handle, folder, time.monotonic() + patience_ms / 1000)
        yield
    finally:
        os.close(handle)  # which unlocks


def _opened(folder: Path) -> int | None:
    if sys.platform == "win32":
        return None
    try:
        return os.open(folder, os.O_RDONLY)
    except OSError:
        return None


def _wait_for(handle: int, folder: Path, deadline: float) -> None:
    while sys.platform != "win32":
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise StoreBusyError(
                    f"the database in {str(folder)!r} is locked: another process is writing to it"
                ) from None
            time.sleep(_PAUSE_S)
        except OSError:
            return
