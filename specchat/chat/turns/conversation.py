"""Conversations that are going on: what was really said, kept in memory and nowhere else."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from specchat.chat.slots.filler import SlotValues
from specchat.chat.slots.message import Message, Parts
from specchat.chat.types import ChatError, ChatTurn
from specchat.chat.wording import STILL_ANSWERING

MAX_STORED = 256  # conversations in memory that the store has too; others are read back
MAX_UNSTORED = 2_048  # that are in memory alone; others are gone
MAX_TURNS = 64  # of one conversation in memory; more do not fit a context


@dataclass(frozen=True, slots=True)
class LiveTurn:
    """One turn with what the model saw and wrote."""

    shown: ChatTurn
    question: Parts
    answer: Parts  # slots as the model wrote them
    values: SlotValues  # known before this turn
    position: int  # of the question in the conversation
    attempt: int  # 0, then 1 more for every retry

    @property
    def messages(self) -> list[Message]:
        """The turn as part of a prompt: nothing when it failed or no model answered it."""
        if self.shown.by_person or self.shown.status == "failed" or not self.answer:
            return []
        return [Message("user", self.question), Message("assistant", self.answer)]


@dataclass(slots=True)
class LiveConversation:
    """One conversation. `answering` is held while a question of it is answered."""

    id: str
    owner: str
    values: SlotValues
    turns: list[LiveTurn] = field(default_factory=list)
    asked: int = 0  # position of the next question, which the derived seed depends on
    kept: bool = True  # the customer agreed that it is kept
    saved: bool = True  # the store knows it, if it is kept
    removed: set[str] = field(default_factory=set)  # turn ids taken out since it was loaded
    opinions: dict[str, int] = field(default_factory=dict)  # turn id -> 1 liked, -1 disliked
    trouble: int = 0  # answers in a row that did not help
    stop: Callable[[], None] | None = None  # stops the answer that is under way
    passing: bool = False  # somebody else's, of whom this is asked once: they see to what follows
    erased: bool = False  # nothing of it may be kept or learned any more
    ending: threading.RLock = field(default_factory=threading.RLock)
    """Held where `turns`, `kept` and `erased` change."""
    answering: threading.Lock = field(default_factory=threading.Lock)

    @property
    def stored(self) -> bool:
        """True when it can be read back from the store."""
        return self.kept and self.saved

    @property
    def messages(self) -> list[Message]:
        """All turns as they go into the next prompt."""
        return [message for turn in self.turns for message in turn.messages]

    @property
    def last_answer(self) -> str:
        """What the customer read last, or ""."""
        return self.turns[-1].shown.answer if self.turns else ""

    def append(self, turn: LiveTurn) -> None:
        """Add a turn at the end; the oldest leaves memory when there are too many."""
        with self.ending:
            self.turns = [*self.turns, turn][-MAX_TURNS:]

    def position_of(self, turn_id: str) -> int | None:
        """The place of a turn in `turns`, or None when it is not in memory."""
        ids = [turn.shown.turn_id for turn in self.turns]
        return ids.index(turn_id) if turn_id in ids else None

    def remove(self, turn_id: str) -> None:
        """Take a turn out."""
        with self.ending:  # what is added meanwhile stays
            self.turns = [turn for turn in self.turns if turn.shown.turn_id != turn_id]
            self.removed.add(turn_id)

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Hold the conversation. Raises ChatError when a question of it is being answered."""
        if not self.answering.acquire(blocking=False):
            raise ChatError(STILL_ANSWERING)
        try:
            yield
        finally:
            self.answering.release()


class LiveConversations:
    """The conversations in memory, the least recently used leaving first. Thread-safe.

    Those that can be read back make no room for, and take none from, those that cannot.
    """

    def __init__(self, stored: int = MAX_STORED, unstored: int = MAX_UNSTORED) -> None:
        self._limits = {True: stored, False: unstored}
        self._lock = threading.Lock()
        self._by_id: OrderedDict[str, LiveConversation] = OrderedDict()

    def get(self, conversation_id: str) -> LiveConversation | None:
        """The conversation if it is in memory."""
        with self._lock:
            found = self._by_id.get(conversation_id)
            if found is not None:
                self._by_id.move_to_end(conversation_id)
            return found

    def add(self, conversation: LiveConversation) -> LiveConversation:
        """Keep it and return it; one of the same id that is there already wins."""
        with self._lock:
            kept = self._by_id.setdefault(conversation.id, conversation)
            self._by_id.move_to_end(conversation.id)
            for stored, limit in self._limits.items():
                self._let_go(stored, limit, conversation.id)
            return kept

    def _let_go(self, stored: bool, limit: int, newest: str) -> None:
        """Let those beyond the limit leave, but for the newest and those being answered."""
        held = [one for one in self._by_id.values() if one.stored == stored]
        excess = max(0, len(held) - limit)
        idle = [one for one in held if one.id != newest and not one.answering.locked()]
        idle.sort(key=lambda one: bool(one.turns))  # an empty one is no loss
        for one in idle[:excess]:
            del self._by_id[one.id]

    def of(self, owner: str) -> list[LiveConversation]:
        """Every conversation of one owner."""
        with self._lock:
            return [one for one in self._by_id.values() if one.owner == owner]

    def all(self) -> list[LiveConversation]:
        """Every conversation in memory."""
        with self._lock:
            return list(self._by_id.values())

    def discard(self, conversation_id: str) -> None:
        """Forget it."""
        with self._lock:
            self._by_id.pop(conversation_id, None)
