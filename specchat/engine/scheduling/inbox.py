"""What other threads want of the engine thread, and who of them waits for it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from specchat.engine.errors import EngineClosedError

T = TypeVar("T")
Task = Callable[[], None]


class Inbox:
    """Tasks in the order in which they came, until it is closed or the engine has failed.

    `wait` and `work` are for the engine thread, everything else for any.
    """

    def __init__(self) -> None:
        self.failure: str | None = None  # why the engine has stopped for good
        self.closed = False
        self._tasks: deque[Task] = deque()
        self._awaited: set[Future[Any]] = set()
        self._changed = threading.Condition()

    @property
    def over(self) -> bool:
        """True when nothing is taken any more."""
        return self.closed or self.failure is not None

    @property
    def ended(self) -> EngineClosedError:
        """What whoever still waits is told."""
        return EngineClosedError(self.failure or "the engine is closed")

    def close(self) -> bool:
        """Take nothing more; False when somebody else has closed it."""
        with self._changed:
            if self.closed:
                return False
            self.closed = True
            self._changed.notify()
            return True

    def fail(self, failure: str) -> None:
        """The engine has stopped for good: take nothing more, and tell everybody who waits here."""
        with self._changed:
            self.failure = failure
            awaited = list(self._awaited)
        for future in awaited:
            with suppress(InvalidStateError):
                future.set_exception(self.ended)

    def post(self, task: Task) -> None:
        """Have the engine thread run `task`. Raises EngineClosedError when it takes nothing."""
        with self._changed:
            if self.over:
                raise self.ended
            self._tasks.append(task)
            self._changed.notify()

    def ask(self, compute: Callable[[], T]) -> T:
        """What the engine thread computes; raises what it raises, or EngineClosedError."""
        future: Future[T] = Future()
        with self.awaiting(future):
            self.post(lambda: _settle(future, compute))
            return future.result()

    @contextmanager
    def awaiting(self, *futures: Future[Any]) -> Iterator[None]:
        """Whoever waits for these is told when the engine fails."""
        with self._changed:
            self._awaited.update(futures)
        try:
            yield
        finally:
            with self._changed:
                self._awaited.difference_update(futures)

    def wait(self, busy: Callable[[], bool]) -> bool:
        """Until there is a task, or `busy` for another reason; False when it is over."""
        with self._changed:
            while not (self._tasks or busy() or self.over):
                self._changed.wait()
            return not self.over

    def work(self) -> None:
        """Run every task that is there."""
        while self._tasks:
            self._tasks.popleft()()


def _settle(future: Future[T], compute: Callable[[], T]) -> None:
    """Run `compute` and hand its result or its error to whoever waits, unless they were told
    before that the engine has stopped."""
    with suppress(InvalidStateError):
        try:
            result = compute()
        except Exception as error:  # belongs to the caller, not to the step loop
            future.set_exception(error)
        else:
            future.set_result(result)
