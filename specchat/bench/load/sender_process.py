"""The engine's end of the link to the sender's process."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from types import TracebackType

from specchat.bench.load.sender import send_traffic
from specchat.bench.load.traffic import Begin, Event, Played, Send, Traffic

CLOSE_TIMEOUT_S = 5.0


class SenderError(Exception):
    """The load test's sender ended before its work was done."""


class Sender:
    """A sender in a process of its own; a context manager that ends it, whatever happens.

    `begin` and `receive` belong to one thread; `answer` may be called from any.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would copy the engine's threads
        self._link, theirs = context.Pipe()
        self._process = context.Process(
            target=send_traffic, args=(theirs,), name="specchat-sender", daemon=True
        )
        with _interrupts_ignored():  # until it ignores them itself
            self._process.start()
        theirs.close()
        self._outbox: queue.SimpleQueue[Event | Begin | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="specchat-sender-link")
        self._writer.daemon = True
        self._writer.start()

    @property
    def pid(self) -> int:
        """The sender's process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True while its process runs."""
        return self._process.is_alive()

    def begin(self, cell: int, traffic: Traffic) -> None:
        """Have it play `traffic`; read its requests with `receive`."""
        self._outbox.put(Begin(cell, traffic))

    def answer(self, event: Event) -> None:
        """Pass tokens of a request on. Returns at once; events are sent in bundles."""
        self._outbox.put(event)

    def receive(self, timeout_s: float) -> Send | Played | None:
        """The next message, or None when there is none in time.

        Raises:
            SenderError: the process has ended.
        """
        ready = wait([self._link, self._process.sentinel], timeout_s)
        if self._link in ready:
            try:
                message: Send | Played = self._link.recv()
                return message
            except (EOFError, OSError):
                pass
        elif not ready:
            return None
        self._process.join(CLOSE_TIMEOUT_S)
        raise SenderError(
            f"the process that sends the load ended early (exit code {self._process.exitcode}); "
            "nothing was measured to the end"
        )

    def close(self) -> None:
        """End the process; it notices that the link is closed."""
        self._outbox.put(None)
        self._writer.join(CLOSE_TIMEOUT_S)
        self._link.close()
        self._process.join(CLOSE_TIMEOUT_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def __enter__(self) -> Sender:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self) -> None:
        try:
            while True:
                for message in _bundled(_drained(self._outbox)):
                    if message is None:
                        return
                    self._link.send(message)
        except OSError:  # `receive` finds out and says so
            return


def _drained(outbox: queue.SimpleQueue[Event | Begin | None]) -> list[Event | Begin | None]:
    """Waits for one message and takes all that are there."""
    found = [outbox.get()]
    while True:
        try:
            found.append(outbox.get_nowait())
        except queue.Empty:
            return found


def _bundled(
    messages: Sequence[Event | Begin | None],
) -> Iterator[list[Event] | Begin | None]:
    """Neighbouring events as one message."""
    events: list[Event] = []
    for message in messages:
        if isinstance(message, Event):
            events.append(message)
            continue
        if events:
            yield events
            events = []
        yield message
    if events:
        yield events


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """A process started now ignores Ctrl-C from its first moment (it inherits that)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
