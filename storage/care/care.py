"""Feedback, hand-offs and orders of a store; reached as `Store.care`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

from sqlalchemy.orm import Session

from storage import queries
from storage.care import queries as care_queries
from storage.care import writes as care_writes
from storage.care.records import (
    Desk,
    FeedbackRecord,
    FeedbackRow,
    HandoffRecord,
    HandoffRow,
    HandoffStatus,
    OrderRow,
)
from storage.pending.jobs import Outcome
from storage.records import utc_now


class _Changes(Protocol):
    def __call__(self, work: Callable[[Session], Outcome]) -> None: ...


class Care:
    """Safe to use from any thread. Changes are visible to readers when a call returns.

    While the database is locked a change returns after 2 s and is made later. Everything raises
    StoreError when the database refuses a change or does not answer.
    """

    def __init__(
        self, change: _Changes, reading: Callable[[], AbstractContextManager[Session]]
    ) -> None:
        self._change = change
        self._reading = reading

    def record_feedback(self, record: FeedbackRecord) -> None:
        """Keep an opinion; it takes the place of the last one on the same thing."""
        self._change(partial(care_writes.add_feedback, record=record))

    def feedback(self, conversation_id: str | None = None, limit: int = 1_000) -> list[FeedbackRow]:
        """Opinions, newest first: of one conversation, or all."""
        with self._reading() as session:
            return care_queries.feedback(session, conversation_id, limit)

    def open_handoff(self, record: HandoffRecord) -> None:
        """Put a customer into the queue for a person."""
        self._change(partial(care_writes.add_handoff, record=record))

    def move_handoff(self, handoff_id: str, status: HandoffStatus) -> None:
        """A person takes the customer ("active"), or the hand-off ends ("closed")."""
        self._change(
            partial(care_writes.move_handoff, handoff_id=handoff_id, status=status, now=utc_now())
        )

    def open_handoffs(self, limit: int = 100) -> list[HandoffRow]:
        """Who waits or talks to a person, the longest first."""
        with self._reading() as session:
            return care_queries.open_handoffs(session, limit)

    def handoff_of(self, conversation_id: str) -> HandoffRow | None:
        """The newest hand-off of a conversation, closed or not."""
        with self._reading() as session:
            return care_queries.handoff_of(session, conversation_id)

    def desk(self, handoff_id: str) -> Desk:
        """A hand-off with everything that was said. Raises LookupError when there is none."""
        with self._reading() as session:
            found = care_queries.handoff(session, handoff_id)
            if found is None:
                raise LookupError("no such hand-off")
            return Desk(handoff=found, turns=tuple(queries.turns(session, found.conversation_id)))

    def put_orders(self, orders: Sequence[OrderRow]) -> None:
        """Write these orders, each over the one of the same number."""
        self._change(partial(care_writes.put_orders, orders=tuple(orders)))

    def order(self, number: str) -> OrderRow | None:
        """The order of that number, or None."""
        with self._reading() as session:
            return care_queries.order(session, number)
