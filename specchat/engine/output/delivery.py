"""Giving streams what was decoded, without the engine waiting for their readers to wake."""

from __future__ import annotations

import queue
import threading

from specchat.engine.request import TokenDelta
from specchat.engine.sequence import TokenStream

Item = tuple[TokenStream, TokenDelta | BaseException]


class Delivery:
    """Collects what a step made and hands it over when the next one begins to compute: what readers
    do with it then keeps nothing waiting. Waking a reader takes the system long, so many at once
    are woken by a thread of its own, while the engine's is in the step.

    The engine's thread calls everything; each stream gets its deltas in the order given.
    """

    MANY = 4  # streams; fewer are woken at once

    def __init__(self) -> None:
        self._ready: list[Item] = []
        self._batches: queue.SimpleQueue[list[Item] | None] = queue.SimpleQueue()
        self._sent = 0
        self._delivered = 0  # of the batches sent; the thread counts
        self._thread: threading.Thread | None = None

    def add(self, stream: TokenStream, delta: TokenDelta) -> None:
        """Have something handed over the next time."""
        self._ready.append((stream, delta))

    def hand_over(self) -> None:
        """Give streams what is ready for them."""
        if self._ready:
            ready, self._ready = self._ready, []
            self._send(ready)

    def put(self, stream: TokenStream, last: TokenDelta | BaseException) -> None:
        """Give a stream something at once, behind what was handed over before."""
        self._send([(stream, last)])

    def close(self) -> None:
        """Hand over what is left and wait until it is there."""
        self.hand_over()
        if self._thread is not None:
            self._batches.put(None)
            self._thread.join()
            self._thread = None

    def _send(self, items: list[Item]) -> None:
        if len(items) < self.MANY and self._delivered == self._sent:
            for stream, item in items:
                stream.put(item)
            return
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._deliver, name="specchat-delivery", daemon=True
            )
            self._thread.start()
        self._sent += 1
        self._batches.put(items)

    def _deliver(self) -> None:
        while (items := self._batches.get()) is not None:
            for stream, item in items:
                stream.put(item)
            self._delivered += 1
