"""Who has opened the desk: a random id for each browser that gave the right key, until it locks."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable

LASTS_S = 12 * 3600.0
MOST = 64
"""Browsers at once; one more takes the place of the one that came first."""


class DeskSessions:
    """The key of the desk and the sessions it has opened, kept in memory alone and as digests. Safe
    to use from any thread."""

    def __init__(self, key: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._key = key.encode()
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[bytes, float] = {}  # oldest first

    def open(self, key: str) -> str | None:
        """A new session's id, or None for a wrong key. Takes as long for every wrong one."""
        if not hmac.compare_digest(key.strip().encode("utf-8", "replace"), self._key):
            return None
        session = secrets.token_urlsafe(32)
        with self._lock:
            self._forget_old()
            while len(self._until) >= MOST:
                del self._until[next(iter(self._until))]
            self._until[_digest(session)] = self._clock() + LASTS_S
        return session

    def holds(self, session: str | None) -> bool:
        """True for the id of a session that has neither ended nor grown old."""
        if session is None:
            return False
        with self._lock:
            self._forget_old()
            return _digest(session) in self._until

    def end(self, session: str | None) -> None:
        """Close a session, whoever still shows its pages; nothing happens to others."""
        if session is not None:
            with self._lock:
                self._until.pop(_digest(session), None)

    def _forget_old(self) -> None:
        now = self._clock()
        for digest in [digest for digest, until in self._until.items() if until <= now]:
            del self._until[digest]


def _digest(session: str) -> bytes:
    return hashlib.sha256(session.encode("utf-8", "replace")).digest()
