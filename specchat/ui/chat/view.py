"""What is open: a conversation as the screen that shows it, read for its owner alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from specchat.chat.service import ChatService
from specchat.chat.types import ChatTurn
from specchat.ui.chat import cards
from specchat.ui.chat import labels as text
from specchat.ui.chat.transcript import Transcript, transcript
from specchat.ui.chat.view_state import ChatViewState
from specchat.ui.shared import alerts as say
from specchat.ui.shared.identity import Identity, identity_of
from storage import HandoffRow

TITLE_LENGTH = 48
MOST_LISTED = 50  # past conversations at a time; a search finds the others
SETTLE_S = 5.0
"""How long a reloaded page waits for the answer it broke off."""


@dataclass(frozen=True)
class Opened:
    """A conversation to write into."""

    who: Identity
    note: str = ""  # why it is not the one that was open before


@dataclass(frozen=True)
class Listing:
    """Past conversations in the list."""

    titles: list[tuple[str, str]]  # (title, id), last used first
    said: str  # HTML: why there is none, or that there are more


class ChatView:
    """Conversations as they are shown, and the events that open one."""

    def __init__(self, service: ChatService, *, evidence: bool = True) -> None:
        """With `evidence` each answer shows what it cost."""
        self._service = service
        self._evidence = evidence

    def transcript(self, turns: Sequence[ChatTurn]) -> Transcript:
        """Finished turns as this view shows them."""
        return transcript(turns, evidence=self._evidence)

    def load(self, stored: Any) -> ChatViewState:
        """The page was opened or reloaded: show what was open.

        Changes as little as possible, because a quick customer may have asked or agreed to
        something already: consent is asked for until answered, and not again by a late answer.
        """
        if not stored:
            return ChatViewState()
        who = identity_of(stored)
        self._settle(who)
        shown = self.show(who)
        return ChatViewState(
            messages=shown.messages or None,
            opinions=shown.opinions if shown.messages else None,
            identity=None if shown.identity == who else shown.identity,
            keeps=who.keeps,
            conversations=shown.conversations,
            current=who.conversation,
            listed=shown.listed,
            title=shown.title or None,
            notes=shown.notes or None,
            panel=shown.panel or None,
            waits=shown.waits or None,
            asks_consent=None if who.keeps is None else False,
        )

    def open(self, conversation: str | None, stored: Any) -> ChatViewState:
        """A past conversation was chosen."""
        return self.show(identity_of(stored).opened(conversation or ""))

    def new(self, stored: Any) -> ChatViewState:
        """Start over; the conversation is created with its first question."""
        return self.show(identity_of(stored).opened(""))

    def show(self, who: Identity) -> ChatViewState:
        """Everything of a conversation; an empty one, which is said, when it is not there."""
        note = ""
        try:
            turns = self.turns(who)
        except LookupError:
            who, turns, note = who.opened(""), [], say.notes([text.BEGUN_ANEW])
        shown = self.transcript(turns)
        handoff = self.handoff(who)
        listing = self.listing(who)
        titles = listing.titles
        return ChatViewState(
            messages=shown.messages,
            opinions=shown.opinions,
            identity=who,
            alert="",
            notes=note,
            conversations=titles,
            current=who.conversation,
            listed=listing.said,
            title=next((name for name, key in titles if key == who.conversation), ""),
            answering=False,
            panel=cards.handoff_panel(handoff) if is_open(handoff) else "",
            waits=is_open(handoff),
            offer="",
            rating=False,
            asks_consent=_still_asks(who),
        )

    def titles(self, who: Identity, search: str = "") -> list[tuple[str, str]]:
        """(title, id) of the stored conversations, last used first."""
        return self.listing(who, search).titles

    def listing(self, who: Identity, search: str = "") -> Listing:
        """The stored conversations that are shown, and what is to be said of the list."""
        rows = self._service.conversations(who.owner, MOST_LISTED + 1, search=search)
        titles = [(_shortened(row.title), row.id) for row in rows[:MOST_LISTED]]
        if len(rows) > MOST_LISTED:
            said = text.MORE_FOUND if search.strip() else text.MORE_KEPT
        else:
            said = "" if titles else text.NONE_FOUND if search.strip() else text.NONE_KEPT
        return Listing(titles, say.hint(said))

    def opened(self, who: Identity) -> Opened:
        """A conversation that exists and is the owner's: the one that is open, or a new one."""
        if not who.conversation:
            return self._begun(who)
        try:
            self._service.is_kept(who.conversation, owner=who.owner)
        except LookupError:
            return self._begun(who, text.BEGUN_ANEW)
        return Opened(who)

    def for_question(self, who: Identity) -> Opened:
        """As `opened`; a new one too where the open one would keep what its customer does not
        agree to. Raises StoreError."""
        opened = self.opened(who)
        return self._begun(who, text.BEGUN_UNKEPT) if self.overkeeps(opened.who) else opened

    def overkeeps(self, who: Identity) -> bool:
        """True where the open conversation keeps what is said although its customer does not
        agree, and no person reads it. Raises LookupError where it is not the owner's, StoreError.
        """
        if who.keeps or not who.conversation:
            return False
        return self._service.is_kept(who.conversation, owner=who.owner) and not is_open(
            self._service.handoff(who.conversation, owner=who.owner)
        )

    def _begun(self, who: Identity, note: str = "") -> Opened:
        begun = self._service.new_conversation(who.owner, keep=bool(who.keeps))
        return Opened(who.opened(begun), note)

    def turns(self, who: Identity) -> list[ChatTurn]:
        """The turns of the open conversation. Raises LookupError where it is not the owner's."""
        if not who.conversation:
            return []
        return list(self._service.history(who.conversation, who.owner))

    def handoff(self, who: Identity) -> HandoffRow | None:
        """How the open conversation stands with a person; None without one, or where unknown."""
        if not who.conversation:
            return None
        try:
            return self._service.handoff(who.conversation, owner=who.owner)
        except say.EXPECTED:
            return None

    def _settle(self, who: Identity) -> None:
        """Wait for an answer that the page broke off by reloading, so that it is shown."""
        deadline = time.monotonic() + SETTLE_S
        with suppress(LookupError):
            while who.conversation and time.monotonic() < deadline:
                if not self._service.is_answering(who.conversation, owner=who.owner):
                    return
                time.sleep(0.05)


def turn_at(turns: list[ChatTurn], index: Any) -> str:
    """The turn that the message at `index` belongs to. Raises LookupError."""
    ids = transcript(turns).turn_ids
    place = index[0] if isinstance(index, (list, tuple)) else index
    if not isinstance(place, int) or not 0 <= place < len(ids):
        raise LookupError("no such message")
    return ids[place]


def _still_asks(who: Identity) -> bool | None:
    """False where the customer has answered the question for consent. Never True: it is asked when
    the page opens, and may have been answered after this event was sent."""
    return None if who.keeps is None else False


def is_open(handoff: HandoffRow | None) -> bool:
    """True while a person is asked for or talks."""
    return handoff is not None and handoff.status != "closed"


def _shortened(title: str) -> str:
    line = " ".join(title.split()) or text.UNTITLED
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"
