"""Keeping data no longer than promised: what is too old goes at the start and once a day.

Erasures by others (`specchat data delete` beside a running app) are noticed within a minute.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from storage import Store, StoreError
from storage.records import utc_now

log = logging.getLogger(__name__)

LOOK_S = 60.0
DAY_S = 24 * 3600.0


class Retention:
    """One thread of an app that looks after the age of what is stored until the store closes."""

    def __init__(
        self, store: Store, days: int, on_erased: Callable[[], None], *, look_s: float = LOOK_S
    ) -> None:
        """With `days` 0 nothing is too old. `on_erased` is called after each erasure, whoever
        made it; it may raise StoreError."""
        self._store = store
        self._days = days
        self._on_erased = on_erased
        self._look_s = look_s
        self._due = 0.0
        self._heard = utc_now()
        threading.Thread(target=self._run, name="specchat-retention", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self._purge()
                self._listen()
            except StoreError as error:  # tried again with the next look
                if self._store.closed:
                    return
                log.warning("old data was not looked after: %s", error)
            except Exception:
                log.exception("old data was not looked after")
            time.sleep(self._look_s)

    def _purge(self) -> None:
        if not self._days or time.monotonic() < self._due:
            return
        cutoff = utc_now() - timedelta(days=self._days)
        if self._store.personal.extent_before(cutoff):
            erased = self._store.personal.erase_before(cutoff, "retention")
            log.info("erased what is older than %d days: %s", self._days, erased)
        self._due = time.monotonic() + DAY_S

    def _listen(self) -> None:
        newest = self._store.personal.erasures(limit=1)
        if newest and newest[0].created_at > self._heard:
            self._on_erased()
            self._heard = newest[0].created_at
