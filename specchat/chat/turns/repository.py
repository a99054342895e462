"""Where conversations live: what was really said in memory, what may be kept in the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from specchat.chat.answer.preparation import Preparation
from specchat.chat.answer.task import said_elsewhere, shown_from, title
from specchat.chat.company.profile import Company
from specchat.chat.knowledge import Exchange
from specchat.chat.redaction.redact import WITHHELD, Redaction, redact
from specchat.chat.slots.message import joined, with_slots
from specchat.chat.turns.conversation import LiveConversation, LiveConversations, LiveTurn
from specchat.chat.turns.learning import Learning
from specchat.chat.types import ChatTurn, ConversationSummary
from storage import (
    FeedbackRecord,
    Store,
    StoreError,
    TurnGrounds,
    TurnRecord,
    WrittenAnswer,
)
from storage.records import new_id

_FLUSH_S = 0.5  # to wait for turns on their way into the store, before reading from it
_PERSONAL = {
    "customer_name": "name",
    "person_name": "name",
    "customer_email": "email",
    "customer_phone": "phone",
    "postal_code": "address",
}
"""Slots whose values are personal data, and the kind of it."""


class ConversationRepository:
    """Conversations by owner; to everybody else they do not exist. Safe to use from any thread.

    Of a conversation that is not to be kept the store gets measurements and no word.
    """

    def __init__(
        self,
        store: Store,
        company: Company,
        preparation: Preparation,
        learning: Learning | None = None,
    ) -> None:
        self._store = store
        self._company = company
        self._preparation = preparation
        self._learning = learning
        self._live = LiveConversations()

    def new(self, owner: str, *, keep: bool) -> LiveConversation:
        """Start a conversation. It goes on in memory when the store fails."""
        live = LiveConversation(new_id(), owner, self._preparation.values, kept=False)
        self._live.add(live)  # first, so that who erases this owner meanwhile finds it
        if keep:
            self.keep(live)
        return live

    def passing(self, owner: str, earlier: Sequence[Exchange]) -> LiveConversation:
        """A conversation that was had elsewhere, for one more question: it is neither stored nor
        remembered, and nobody else can open it."""
        values = self._preparation.values
        live = LiveConversation(new_id(), owner, values, kept=False, passing=True)
        for position, turn in enumerate(earlier):
            self._append(live, said_elsewhere(turn), position)
        return live

    def keep(self, live: LiveConversation) -> None:
        """From now on the store keeps what is said, redacted."""
        with live.ending:
            if live.kept or live.erased:
                return
            live.kept, live.saved = True, False
            with suppress(StoreError):
                self._store.create_conversation(live.owner, conversation_id=live.id)
                live.saved = True

    def open(self, conversation_id: str, owner: str) -> LiveConversation:
        """The conversation, read back from the store when it has to be.

        Raises:
            LookupError: there is no such conversation of this owner.
        """
        live = self._live.get(conversation_id)
        if live is None:
            live = self._live.add(self._read_back(conversation_id, owner))
            if live.stored and self._is_gone(live):  # erased while it was read
                raise LookupError(f"no conversation {conversation_id!r} of this owner")
        if live.owner != owner:
            raise LookupError(f"no conversation {conversation_id!r} of this owner")
        return live

    def in_memory(self, conversation_id: str) -> LiveConversation | None:
        """The conversation if it is in memory, whoever owns it."""
        return self._live.get(conversation_id)

    def read_for_desk(self, conversation_id: str) -> LiveConversation:
        """A stored conversation for a colleague to write into. Raises LookupError."""
        owner = self._store.owner_of(conversation_id)
        return self.open(conversation_id, owner)

    def summaries(self, owner: str, limit: int, search: str) -> list[ConversationSummary]:
        """The owner's stored conversations, last used first, without empty ones."""
        self._store.flush(_FLUSH_S)  # a turn that has just ended belongs in the list
        rows = self._store.conversations(owner, limit, search=search)
        return [
            ConversationSummary(row.id, row.title, row.updated_at, row.turns)
            for row in rows
            if row.turns
        ]

    def history(self, live: LiveConversation) -> list[ChatTurn]:
        """The turns in order: as they were said while in memory, redacted after that."""
        shown = [turn.shown for turn in live.turns]
        skip = {turn.turn_id for turn in shown} | live.removed
        try:
            stored = self._store.turns(live.id) if live.kept else []
        except StoreError:
            stored = []
        earlier = [shown_from(row) for row in stored if row.turn_id not in skip]
        return [
            replace(turn, opinion=live.opinions.get(turn.turn_id, 0)) for turn in (*earlier, *shown)
        ]

    def storable(self, text: str, live: LiveConversation) -> Redaction:
        """What is said in a conversation as the store may have it: redacted, once for all that is
        kept of it, or no word where the conversation is not kept."""
        return self.redacted(text, live) if live.kept else Redaction("")

    def add(self, live: LiveConversation, turn: LiveTurn, question: Redaction) -> None:
        """Append a turn and store it; nothing is kept or learned of a conversation that was erased
        meanwhile."""
        with live.ending:  # a colleague may write at the same moment: one order, here and stored
            live.asked = max(live.asked, turn.position + 1)
            live.append(turn)
            answer = self.storable(turn.shown.answer, live)
            written = self._written(live, turn, answer)
            if live.erased and live.kept:
                return
            self.store(live, turn.shown, question, answer, written)
            self._learn(live, turn.shown, question, written)

    def store(
        self,
        live: LiveConversation,
        turn: ChatTurn,
        question: Redaction,
        answer: Redaction,
        written: str = "",
    ) -> None:
        """Queue a turn for the store. The chat goes on when it cannot take it."""
        if not live.kept and turn.by_person:
            return
        record = TurnRecord(
            conversation_id=live.id if live.kept else None,
            question=question.text,
            answer=answer.text,
            status=turn.status,
            metrics=turn.footer_stats,
            kind="person" if turn.by_person else "chat",
            turn_id=turn.turn_id,
            created_at=turn.created_at,
            written=written,
            grounds=self._storable(live, turn.grounds),
            title=title(question.text),
        )
        with suppress(StoreError):
            self._store.record_turn(record)

    def _learn(
        self, live: LiveConversation, turn: ChatTurn, question: Redaction, written: str
    ) -> None:
        cost = turn.footer_stats
        if self._learning is None or not written or cost is None:
            return
        whole = cost.completion_tokens < cost.max_tokens
        self._learning.add(
            WrittenAnswer(turn.turn_id, live.id, live.owner, question.text, written, whole)
        )

    def remove(self, live: LiveConversation, turns: Iterable[str]) -> None:
        """Take turns out; their texts are erased, their measurements stay."""
        gone = list(turns)
        if self._learning is not None:
            self._learning.forget(turns=gone)
        self._untitle(live, gone)
        for turn_id in gone:
            live.remove(turn_id)
            with suppress(StoreError):
                self._store.remove_turn(turn_id)

    def rename(self, live: LiveConversation, name: str) -> None:
        """Give it another title, redacted. Raises LookupError when it is not kept."""
        self._store.rename_conversation(live.id, live.owner, title(self.redacted(name, live).text))

    def rate(self, live: LiveConversation, record: FeedbackRecord) -> None:
        """Keep an opinion. Raises StoreError when the store refuses it."""
        if record.turn_id is not None:
            live.opinions[record.turn_id] = record.score
        self._store.care.record_feedback(record)

    def delete(self, live: LiveConversation) -> None:
        """Erase a conversation from memory and store, an answer under way included."""
        self._end(live)
        if self._learning is not None:
            self._learning.forget(conversation_id=live.id)
        if not live.kept:
            return
        try:
            self._store.delete_conversation(live.id, live.owner)
        except LookupError:  # one that was never saved
            return
        finally:
            again = self._live.get(live.id)
            if again is not None:  # read back before it was gone
                self._end(again)

    def forget(self, owner: str) -> None:
        """Erase everything of an owner from memory and store."""
        for live in self._live.of(owner):
            self._end(live)
        if self._learning is not None:
            self._learning.forget(owner=owner)
        try:
            self._store.delete_owner(owner)
        finally:
            with suppress(StoreError):
                for live in self._live.of(owner):
                    if live.stored:  # read back before it was gone, or begun since
                        self._is_gone(live)

    def forget_erased(self) -> set[str]:
        """Let go of conversations that somebody else erased from the store, such as a command
        beside the app, and of what was learned from them; the owners whose they were.

        Raises:
            StoreError: the store does not answer.
        """
        if self._learning is not None:
            self._learning.forget_erased()
        kept = [live for live in self._live.all() if live.kept and live.saved]
        if not kept or not self._store.flush(_FLUSH_S):
            return set()
        return {live.owner for live in kept if self._is_gone(live)}

    def redacted(self, text: str, live: LiveConversation | None = None) -> Redaction:
        """The text as it may be stored; the shop's own contacts stay.

        What the customer of `live` said about themselves goes wherever it is repeated.
        """
        known = live.values.customer if live is not None else {}
        own = {
            known[name]: kind for name, kind in _PERSONAL.items() if len(known.get(name, "")) > 1
        }
        company = self._company
        return redact(text, keep=company.public_contacts, region=company.phone_region, known=own)

    def _written(self, live: LiveConversation, turn: LiveTurn, answer: Redaction) -> str:
        """The answer as the model wrote it, redacted; "" where it is not to be learned from."""
        if not live.kept or turn.shown.by_person or turn.shown.status != "completed":
            return ""
        raw = joined(turn.answer)
        text = answer.text if raw == turn.shown.answer else self.redacted(raw, live).text
        return "" if WITHHELD in text else text

    def _storable(self, live: LiveConversation, grounds: TurnGrounds | None) -> TurnGrounds | None:
        """Redacted; of a conversation that is not kept how much there was, and no word."""
        if grounds is None:
            return None
        if not live.kept:
            return replace(grounds, retrieved={}, unsupported=("",) * len(grounds.unsupported))
        redacted = (self.redacted(each, live).text for each in grounds.unsupported)
        return replace(grounds, unsupported=tuple(redacted))

    def _untitle(self, live: LiveConversation, turns: list[str]) -> None:
        """A title that is the question of one of these turns goes with it."""
        asked = [turn.shown.question for turn in live.turns if turn.shown.turn_id in turns]
        if not live.kept or not asked:
            return
        with suppress(StoreError, LookupError):
            self._store.flush(_FLUSH_S)
            now = self._store.conversation(live.id, live.owner).title
            if now in {title(self.redacted(question, live).text) for question in asked}:
                self._store.rename_conversation(live.id, live.owner, "")

    def _is_gone(self, live: LiveConversation) -> bool:
        """True where the store does not have it any more; then it is forgotten here too."""
        try:
            self._store.conversation(live.id, live.owner)
        except LookupError:
            self._end(live)
            return True
        return False

    def _end(self, live: LiveConversation) -> None:
        with live.ending:
            live.erased = True
        stop = live.stop
        if stop is not None:
            stop()
        self._live.discard(live.id)

    def _read_back(self, conversation_id: str, owner: str) -> LiveConversation:
        """The conversation as the store has it: redacted."""
        self._store.flush(_FLUSH_S)
        self._store.conversation(conversation_id, owner)
        live = LiveConversation(conversation_id, owner, self._preparation.values)
        for opinion in self._store.care.feedback(conversation_id):
            if opinion.turn_id is not None:
                live.opinions[opinion.turn_id] = opinion.score
        for turn in self._store.turns(conversation_id):
            self._append(live, shown_from(turn), turn.position)
        return live

    def _append(self, live: LiveConversation, shown: ChatTurn, position: int) -> None:
        """Add a turn that is only known as it was shown."""
        before = live.values
        rewrite = self._preparation.rewritten(shown.question, live.last_answer)
        live.values = before.with_customer(rewrite.values)
        answer = with_slots(shown.answer, self._preparation.slot_texts(live.values))
        live.append(LiveTurn(shown, rewrite.parts, answer, before, position, 0))
        live.asked = position + 1
