"""Notices a step that does not end, such as a kernel that waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable

LOOKS = 10  # in a row that see the same step, before it is taken for stuck


class Watchdog:
    """Looks at the step loop from a thread of its own.

    It counts its looks rather than the time that has passed: a process that was stopped for an hour
    is not stuck when it goes on.
    """

    def __init__(
        self, limit_s: float, stuck: Callable[[], None], *, excused: Callable[[], bool]
    ) -> None:
        """`stuck` is called once, by the watchdog's thread, when a step takes `limit_s`; with 0
        never. While `excused` says so, as when a model is compiled, a step may take any time."""
        self._look_s = limit_s / LOOKS
        self._stuck = stuck
        self._excused = excused
        self._moves = 0  # odd while a step runs; the engine's thread alone counts
        self._over = threading.Event()
        if limit_s > 0:
            threading.Thread(target=self._watch, name="specchat-watchdog", daemon=True).start()

    def __enter__(self) -> None:
        self._moves += 1

    def __exit__(self, *error: object) -> None:
        self._moves += 1

    def stop(self) -> None:
        """Look no more."""
        self._over.set()

    def _watch(self) -> None:
        seen = looks = 0
        while not self._over.wait(self._look_s):
            moves = self._moves
            if moves != seen or moves % 2 == 0 or self._excused():
                seen, looks = moves, 0
                continue
            looks += 1
            if looks == LOOKS:
                self._stuck()
                return
