"""Requests that wait, and whose turn it is.

Tenants take turns, each with its oldest request. A tenant that had nothing waiting joins behind
those that have, so whoever floods the queue delays every other tenant by one request only, and
nobody waits longer than one turn of each tenant ahead of it, per request of its own. Requests that
were preempted go first. Interactive requests go before batch work, of which one request is made
urgent after every `BATCH_EVERY` interactive ones that went before it.
"""

from __future__ import annotations

import bisect
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator

from specchat.engine.errors import QueueFullError
from specchat.engine.sequence import Sequence

BATCH_EVERY = 8
"""Interactive requests that may start while batch work waits, before one of it starts."""

KEPT_SHARE = 4
"""One place in so many is kept for tenants that have nothing waiting yet."""


class Waiting:
    """The queue of one engine, bounded by `limit` requests that have not started."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._urgent, self._batch = _Turns(), _Turns()
        self._overtaken = 0  # interactive requests that went before batch work that waits
        self._places: Counter[str] = Counter()  # by salt, of requests that have not started

    def __len__(self) -> int:
        return len(self._urgent) + len(self._batch)

    def __iter__(self) -> Iterator[Sequence]:
        yield from self._urgent
        yield from self._batch

    def add(self, sequence: Sequence) -> None:
        """Queue a new request.

        Raises:
            QueueFullError: `limit` requests wait already, or only the places are left that are
                kept for tenants without any.
        """
        salt, taken = sequence.request.salt, self._places.total()
        if taken >= self.limit:
            raise QueueFullError(
                f"{taken} requests are waiting already, at most {self.limit} may; "
                "try again in a moment"
            )
        kept = self.limit // KEPT_SHARE
        if self._places[salt] and taken >= self.limit - kept:
            raise QueueFullError(
                f"{self._places[salt]} requests of yours are waiting already and the last {kept} "
                f"of {self.limit} places are kept for others; try again in a moment"
            )
        self._places[salt] += 1
        self._turns(sequence).join(sequence)

    def give_back(self, sequence: Sequence) -> None:
        """A request that was preempted waits again, before all that have not started."""
        self._turns(sequence).resume(sequence)

    def head(self) -> Sequence | None:
        """Whose turn it is."""
        return self._urgent.head() or self._batch.head()

    def start(self, sequence: Sequence) -> None:
        """The head starts; its tenant goes to the back."""
        turns = self._turns(sequence)
        assert sequence is turns.head()
        self._leave(sequence)
        turns.rotate(sequence.request.salt)
        if not (self._batch and sequence.request.interactive):
            self._overtaken = 0
            return
        self._overtaken += 1
        if self._overtaken >= BATCH_EVERY:
            self._promote()

    def remove(self, sequence: Sequence) -> None:
        """A request ended while it waited."""
        self._leave(sequence)

    def _promote(self) -> None:
        self._overtaken = 0
        aged = self._batch.head()
        assert aged is not None
        started = self._batch.leave(aged)
        self._batch.rotate(aged.request.salt)
        aged.urgent = True
        if started:
            self._urgent.resume(aged)
        else:
            self._urgent.join(aged, first=True)

    def _leave(self, sequence: Sequence) -> None:
        if self._turns(sequence).leave(sequence):
            return
        salt = sequence.request.salt
        self._places[salt] -= 1
        if not self._places[salt]:
            del self._places[salt]

    def _turns(self, sequence: Sequence) -> _Turns:
        return self._urgent if sequence.urgent else self._batch


class _Turns:
    """Requests of one class: the preempted ones, and the tenants in the order of their turns."""

    def __init__(self) -> None:
        self._preempted: list[Sequence] = []  # oldest first
        self._tenants: OrderedDict[str, deque[Sequence]] = OrderedDict()
        self._count = 0  # may be read by any thread

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Sequence]:
        yield from self._preempted
        for own in self._tenants.values():
            yield from own

    def head(self) -> Sequence | None:
        if self._preempted:
            return self._preempted[0]
        return next(iter(self._tenants.values()))[0] if self._tenants else None

    def join(self, sequence: Sequence, *, first: bool = False) -> None:
        self._count += 1
        own = self._tenants.setdefault(sequence.request.salt, deque())
        if first:
            own.appendleft(sequence)
            self._tenants.move_to_end(sequence.request.salt, last=False)
        else:
            own.append(sequence)

    def resume(self, sequence: Sequence) -> None:
        self._count += 1
        bisect.insort(self._preempted, sequence, key=lambda s: s.order)

    def leave(self, sequence: Sequence) -> bool:
        """Take a request out; True when it was a preempted one."""
        self._count -= 1
        if sequence in self._preempted:
            self._preempted.remove(sequence)
            return True
        salt = sequence.request.salt
        own = self._tenants[salt]
        own.remove(sequence)
        if not own:
            del self._tenants[salt]
        return False

    def rotate(self, salt: str) -> None:
        """A tenant had its turn."""
        if salt in self._tenants:
            self._tenants.move_to_end(salt)
