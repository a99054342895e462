"""Answers that are under way, so that a server that is to end lets them end first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from specchat.api.errors import unavailable


class Traffic:
    """Counts answers. Safe to use from any thread."""

    def __init__(self) -> None:
        self._state = threading.Condition()
        self._open = 0
        self._draining = False

    @property
    def open(self) -> int:
        """Answers that are under way."""
        return self._open

    @property
    def draining(self) -> bool:
        """True once no new answer is begun."""
        return self._draining

    @contextmanager
    def answer(self) -> Iterator[None]:
        """Count an answer while it is under way.

        Raises:
            ApiError: 503, no new answer is begun any more.
        """
        with self._state:
            if self._draining:
                raise unavailable("the server is being closed", "closing")
            self._open += 1
        try:
            yield
        finally:
            with self._state:
                self._open -= 1
                self._state.notify_all()

    def drain(self, patience_s: float) -> bool:
        """Begin no new answer and wait for those under way; False where some are left after
        `patience_s`."""
        deadline = time.monotonic() + patience_s
        with self._state:
            self._draining = True
            while self._open and (left := deadline - time.monotonic()) > 0:
                self._state.wait(min(left, 0.5))  # short, so that Ctrl-C is heard
            return not self._open
