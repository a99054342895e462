"""What happens around the answers: opinions of them, a person instead, consent to keep them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from specchat.chat.service import ChatService
from specchat.ui.chat import cards
from specchat.ui.chat import labels as text
from specchat.ui.chat.view import ChatView, is_open, turn_at
from specchat.ui.chat.view_state import ChatViewState
from specchat.ui.shared import alerts as say
from specchat.ui.shared.identity import identity_of
from storage.care.records import HandoffReason

_OPINIONS = {text.LIKE: 1, text.DISLIKE: -1, True: 1, False: -1}


class CareEvents:
    """Ratings, hand-offs and consent, free of components."""

    def __init__(self, service: ChatService, view: ChatView) -> None:
        self._service = service
        self._view = view

    # -- opinions ------------------------------------------------------------------------------

    def rate_answer(self, index: Any, liked: Any, stored: Any) -> ChatViewState:
        """A thumb up, a thumb down, or one taken back. The second one down may hand over."""
        who = identity_of(stored)
        turn_id = turn_at(self._view.turns(who), index)
        score = _OPINIONS.get(liked, 0)
        self._service.rate_answer(who.conversation, turn_id, score, owner=who.owner)
        handoff = self._view.handoff(who)
        return ChatViewState(
            opinions=self._view.transcript(self._view.turns(who)).opinions,
            offer=cards.offer(("disliked",)) if score == -1 and not is_open(handoff) else "",
            panel=cards.handoff_panel(handoff),
            waits=is_open(handoff),
        )

    def end(self, stored: Any) -> ChatViewState:
        """The customer is done: ask how satisfied they are."""
        who = identity_of(stored)
        if not self._view.turns(who):
            return ChatViewState(alert=say.alert(text.NOTHING_TO_END))
        return ChatViewState(alert="", offer="", rating=True)

    def rate_conversation(self, score: Any, comment: str | None, stored: Any) -> ChatViewState:
        """The customer's satisfaction, 1 to 5, and words where they may be kept; a new conversation
        begins."""
        who = identity_of(stored)
        if score in (None, ""):
            return ChatViewState(alert=say.alert(text.CSAT_MISSING))
        said = "" if self._view.overkeeps(who) else comment or ""
        self._service.rate_conversation(who.conversation, int(score), said, owner=who.owner)
        shown = self._view.show(who.opened(""))
        return replace(shown, notes=say.notes([text.CSAT_THANKS]))

    def skip_rating(self, stored: Any) -> ChatViewState:
        """No answer is one too."""
        return ChatViewState(rating=False, alert="")

    # -- a person ------------------------------------------------------------------------------

    def person(self, stored: Any) -> ChatViewState:
        """The customer wants a person."""
        return self._handed_over(stored, "asked")

    def accept(self, stored: Any) -> ChatViewState:
        """The customer takes the offer of a person."""
        return self._handed_over(stored, "unsure")

    def _handed_over(self, stored: Any, reason: HandoffReason) -> ChatViewState:
        opened = self._view.opened(identity_of(stored))
        who = opened.who
        handoff = self._service.request_person(who.conversation, owner=who.owner, reason=reason)
        return ChatViewState(
            identity=who,
            alert="",
            notes=say.notes([opened.note]) if opened.note else None,
            offer="",
            panel=cards.handoff_panel(handoff),
            waits=True,
            conversations=self._view.titles(who),
            current=who.conversation,
        )

    def back(self, stored: Any) -> ChatViewState:
        """The customer goes back to the assistant."""
        who = identity_of(stored)
        self._service.cancel_person(who.conversation, owner=who.owner)
        return ChatViewState(panel="", waits=False)

    def tick(self, stored: Any, seen: str) -> tuple[ChatViewState, str]:
        """How the hand-off stands and what the colleague wrote, when it is not what was `seen`."""
        who = identity_of(stored)
        if not who.conversation:
            return ChatViewState(waits=False), ""
        handoff = self._view.handoff(who)
        if self._service.is_answering(who.conversation, owner=who.owner):
            return ChatViewState(), seen
        turns = self._view.turns(who)
        state = f"{handoff and (handoff.status, handoff.position)} {len(turns)}"
        if state == seen:
            return ChatViewState(), seen
        shown = self._view.transcript(turns)
        helped = "active" in seen  # a colleague talked; who only went back is asked nothing
        settled = helped and handoff is not None and handoff.status == "closed"
        return (
            ChatViewState(
                messages=shown.messages,
                opinions=shown.opinions,
                panel=cards.handoff_panel(handoff),
                waits=is_open(handoff),
                rating=True if settled else None,
            ),
            state,
        )

    # -- consent -------------------------------------------------------------------------------

    def consent(self, keeps: bool, stored: Any) -> ChatViewState:
        """The customer agrees that conversations are kept, or does not.

        What is said from then on is kept, or else a conversation begins that is not.
        """
        asked = identity_of(stored)
        if keeps and asked.forgetful:
            return ChatViewState(keeps=False, alert=say.alert(text.BROWSER_KEEPS_NOTHING))
        who = asked.consenting(bool(keeps))
        kept = {key for _, key in self._view.titles(who)}
        if keeps and who.conversation:
            with suppress(LookupError):
                self._service.keep(who.conversation, owner=who.owner)
        elif who.conversation in kept:
            shown = self._view.show(who.opened(""))
            return replace(shown, notes=say.notes([text.NO_LONGER_KEPT]))
        return ChatViewState(keeps=bool(who.keeps), asks_consent=False)
