"""Handing a customer over to a person: ticket, summary, queue, and what a colleague writes."""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import UTC, datetime

from specchat.chat import wording as say
from specchat.chat.answer.intent import wants_person
from specchat.chat.company.orders import facts
from specchat.chat.redaction.redact import Redaction
from specchat.chat.turns.conversation import LiveConversation, LiveTurn
from specchat.chat.turns.doubts import doubts
from specchat.chat.turns.repository import ConversationRepository
from specchat.chat.types import ChatError, ChatTurn
from storage import Desk, HandoffRecord, HandoffRow, Store, StoreError
from storage.care.records import HandoffReason
from storage.records import new_id

TROUBLES = 2
"""So many answers in a row that did not help, and the customer is handed over.

Not where the conversation is not kept: a colleague could not read it, so its customer is asked.
"""

_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # none that is read as another
_QUOTED = 5  # questions in a summary
_EXCERPT = 160  # characters of each


class Handoffs:
    """Customers on their way to a person. Safe to use from any thread."""

    def __init__(self, store: Store, repository: ConversationRepository) -> None:
        self._store = store
        self._repository = repository

    # -- for the customer ----------------------------------------------------------------------

    def of(self, live: LiveConversation) -> HandoffRow | None:
        """The newest hand-off of a conversation, closed ones included."""
        return self._store.care.handoff_of(live.id) if live.kept else None

    def current(self, live: LiveConversation) -> HandoffRow | None:
        """The hand-off that is open, or None; None too when the store is away."""
        try:
            found = self.of(live)
        except StoreError:
            return None
        return found if found is not None and found.status != "closed" else None

    def request(self, live: LiveConversation, reason: HandoffReason) -> HandoffRow:
        """Queue the customer for a person; the one that is open already counts.

        A colleague has to read the conversation, so it is kept from now on.

        Raises:
            ChatError: the desk cannot be reached.
        """
        found = self.current(live)
        if found is not None:
            return found
        try:
            self._repository.keep(live)
            self._store.care.open_handoff(
                HandoffRecord(
                    conversation_id=live.id,
                    ticket=new_ticket(),
                    reason=reason,
                    summary=self._summary(live, reason),
                )
            )
            found = self.of(live)
        except StoreError as error:
            raise ChatError(say.NO_DESK) from error
        if found is None:
            raise ChatError(say.NO_DESK)
        live.trouble = 0
        return found

    def cancel(self, live: LiveConversation) -> None:
        """The customer goes back to the assistant."""
        found = self.current(live)
        if found is not None:
            self._store.care.move_handoff(found.handoff_id, "closed")

    def after(self, live: LiveConversation, turn: ChatTurn) -> HandoffRow | None:
        """Count an answer that did not help; hand over when asked to or when they add up."""
        if doubts(turn):
            live.trouble += 1
        elif turn.status == "completed":
            live.trouble = 0
        if live.passing:
            return None
        wanted = wants_person(turn.question)
        if not wanted and not _hands_over(live):
            return self.current(live)
        with suppress(ChatError):
            return self.request(live, "asked" if wanted else "failed")
        return None

    def disliked(self, live: LiveConversation) -> HandoffRow | None:
        """An answer was disliked; that counts as one that did not help."""
        live.trouble += 1
        return self.request(live, "failed") if _hands_over(live) else self.current(live)

    def pass_on(self, live: LiveConversation, text: str, redacted: Redaction) -> ChatTurn:
        """The customer writes to the colleague who has taken over."""
        return self._add_person_turn(live, redacted, question=text)

    # -- for the colleague ---------------------------------------------------------------------

    def queue(self) -> list[HandoffRow]:
        """Who waits or is talked to, the longest first."""
        return self._store.care.open_handoffs()

    def read(self, handoff_id: str) -> Desk:
        """A hand-off with everything that was said, redacted. Raises LookupError."""
        return self._store.care.desk(handoff_id)

    def take(self, handoff_id: str) -> None:
        """A colleague takes the customer; the assistant is silent from now on."""
        self._store.care.move_handoff(handoff_id, "active")

    def close(self, handoff_id: str) -> None:
        """The matter is settled; the assistant answers again."""
        self._store.care.move_handoff(handoff_id, "closed")

    def reply(self, handoff_id: str, text: str) -> None:
        """Write to the customer; takes the hand-off when nobody has yet.

        Raises:
            LookupError: there is no such hand-off.
            ChatError: it is closed, or the text is empty.
        """
        handoff = self.read(handoff_id).handoff
        if handoff.status == "closed":
            raise ChatError(say.HANDOFF_CLOSED)
        if not text.strip():
            raise ChatError(say.EMPTY_REPLY)
        if handoff.status == "waiting":
            self.take(handoff_id)
        live = self._repository.in_memory(handoff.conversation_id)
        if live is None:
            live = self._repository.read_for_desk(handoff.conversation_id)
        self._add_person_turn(live, Redaction(""), answer=text.strip())

    # -- parts ---------------------------------------------------------------------------------

    def _add_person_turn(
        self, live: LiveConversation, redacted: Redaction, *, question: str = "", answer: str = ""
    ) -> ChatTurn:
        shown = ChatTurn(
            turn_id=new_id(),
            question=question,
            answer=answer,
            status="completed",
            mode="plain",
            footer_stats=None,
            created_at=datetime.now(UTC),
            by_person=True,
        )
        turn = LiveTurn(shown, (), (), live.values, live.asked, 0)
        self._repository.add(live, turn, redacted)
        self._store.flush(1.0)  # the other side reads the store
        return shown

    def _summary(self, live: LiveConversation, reason: HandoffReason) -> str:
        """What a colleague should know at a glance; redacted, said in the customer's own words."""
        turns = [turn.shown for turn in live.turns if not turn.shown.by_person]
        lines = [say.REASONS[reason]]
        quoted = [turn.question for turn in turns[-_QUOTED:]]
        lines += [f"- {self._excerpt(live, question)}" for question in quoted]
        orders = {lookup.number: lookup for turn in turns for lookup in turn.lookups}
        lines += [facts(lookup) for lookup in orders.values()]
        helped = sum(live.opinions.get(turn.turn_id, 0) == -1 for turn in turns)
        failed = sum(turn.status == "failed" for turn in turns)
        lines.append(say.tally(len(turns), helped, failed))
        if turns and turns[-1].answer:
            lines.append(say.last_said(self._excerpt(live, turns[-1].answer)))
        return "\n".join(lines)

    def _excerpt(self, live: LiveConversation, text: str) -> str:
        line = " ".join(self._repository.redacted(text, live).text.split())
        return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1].rstrip() + "…"


def _hands_over(live: LiveConversation) -> bool:
    return live.kept and live.trouble >= TROUBLES


def new_ticket() -> str:
    """A ticket number that nobody guesses and everybody can read out: `T-7KQ4MX`."""
    return "T-" + "".join(secrets.choice(_LETTERS) for _ in range(6))
