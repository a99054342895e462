"""Which changes a journal keeps, and what an erasure leaves of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from storage import writes
from storage.care import writes as care
from storage.care.records import FeedbackRecord, HandoffRecord
from storage.database import Database
from storage.errors import StoreError
from storage.models import Conversation
from storage.pending.codec import Change, Codec
from storage.pending.journal import Journal, Rest, Waiting
from storage.personal import erasure
from storage.personal.records import Subject
from storage.records import (
    AuditRecord,
    Divergence,
    RaceArm,
    RaceRecord,
    TurnGrounds,
    TurnMetrics,
    TurnRecord,
)

CODEC = Codec(
    functions=(
        writes.add_conversation, writes.rename_conversation, writes.remove_turn, writes.add_turn,
        writes.add_race, writes.add_audit, care.add_feedback, care.add_handoff, care.move_handoff,
        erasure.erase, erasure.erase_before,
    ),
    records=(
        AuditRecord, Divergence, FeedbackRecord, HandoffRecord, RaceArm, RaceRecord, Subject,
        TurnGrounds, TurnMetrics, TurnRecord,
    ),
)  # fmt: skip
"""What customers and colleagues do. Pages and orders are read from the shop's files again."""


@dataclass(frozen=True, slots=True)
class Erasing:
    """What one erasure takes from changes that wait."""

    conversations: frozenset[str] = frozenset()
    owner: str | None = None
    turn: str | None = None  # whose text goes, not its measurements
    before: datetime | None = None

    def rest(self, work: partial[Any]) -> partial[Any] | None:
        """The change as far as it may be kept; None where nothing of it may."""
        said = work.keywords
        record = said.get("record")
        if self._is_gone(said, record):
            return None
        if isinstance(record, TurnRecord) and self.turn and record.turn_id == self.turn:
            return partial(work.func, record=_without_text(record))
        return work

    def _is_gone(self, said: dict[str, Any], record: Any) -> bool:
        conversation = said.get("conversation_id") or getattr(record, "conversation_id", None)
        if conversation in self.conversations:
            return True
        if self.owner is not None and self.owner in (
            said.get("owner"),
            getattr(record, "owner", None),
        ):
            return True
        dated = isinstance(record, TurnRecord | RaceRecord | FeedbackRecord)
        return dated and self.before is not None and record.created_at < self.before


def open_journal(database: Database) -> Journal:
    """The journal of a database, with what earlier processes left in it.

    Raises:
        StoreError: that cannot be read.
    """

    def owned(owner: str) -> set[str]:
        try:
            with Session(database.readers) as session:
                found = select(Conversation.id).where(Conversation.owner == owner)
                return set(session.scalars(found))
        except DBAPIError:  # then it goes when the database is back, with all of the owner's
            return set()

    def erases(work: Change, waiting: Waiting) -> Rest | None:
        found = _erasing(work, waiting, owned)
        return None if found is None else found.rest

    try:
        return Journal(database.beside, CODEC, erases)
    except OSError as error:
        left = f"{database.beside}.spill-*"
        raise StoreError(
            f"what an earlier start left in {left!r} cannot be read: {error.strerror or error}"
        ) from error


def _erasing(work: Change, waiting: Waiting, owned: Callable[[str], set[str]]) -> Erasing | None:
    """What this change erases; None where it is no erasure. `owned` names the conversations of an
    owner that are in the database, `waiting` are the changes that are not."""
    if not isinstance(work, partial):
        return None
    said = work.keywords
    if work.func is writes.remove_turn:
        return Erasing(turn=said["turn_id"])
    if work.func is erasure.erase_before:
        return Erasing(before=said["cutoff"])
    if work.func is not erasure.erase:
        return None
    subject: Subject = said["subject"]
    if subject.conversation_id is not None:
        return Erasing(frozenset({subject.conversation_id}))
    owner = subject.owner or ""
    begun = {
        each.keywords["conversation_id"]
        for each in waiting()
        if isinstance(each, partial) and each.keywords.get("owner") == owner
    }
    return Erasing(frozenset(begun | owned(owner)), owner)


def _without_text(record: TurnRecord) -> TurnRecord:
    """As `remove_turn` leaves it."""
    grounds = record.grounds
    if grounds is not None:
        nothing = ("",) * len(grounds.unsupported)
        grounds = replace(grounds, retrieved={}, unsupported=nothing)
    return replace(record, question="", answer="", written="", title="", grounds=grounds)
