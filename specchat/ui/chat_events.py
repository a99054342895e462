"""What happens in the chat when somebody acts: each event yields the screens that follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from html import unescape
from typing import Any

from specchat.chat.service import ChatService
from specchat.chat.types import AnswerOptions, AnswerUpdate, ChatError, ChatTurn
from specchat.ui import cards
from specchat.ui import chat_text as text
from specchat.ui import messages as say
from specchat.ui.identity import Identity, identity_of
from specchat.ui.screen import Screen
from specchat.ui.transcript import Message, answer_messages, transcript, user_message
from storage import HandoffRow

TITLE_LENGTH = 48
SETTLE_S = 5.0
"""How long a reloaded page waits for the answer it broke off."""

_OPINIONS = {text.LIKE: 1, text.DISLIKE: -1, True: 1, False: -1}


class ChatEvents:
    """The events of the chat, free of components, so that they can be tested without a page."""

    def __init__(self, service: ChatService) -> None:
        self._service = service

    # -- opening -------------------------------------------------------------------------------

    def load(self, stored: Any) -> Screen:
        """The page was opened or reloaded: show what was open.

        Changes as little as possible, because a quick customer may have asked something already.
        """
        if not stored:
            return Screen()
        who = identity_of(stored)
        self._settle(who)
        shown = self.show(who)
        return Screen(
            messages=shown.messages or None,
            opinions=shown.opinions if shown.messages else None,
            identity=None if shown.identity == who else shown.identity,
            conversations=shown.conversations,
            current=who.conversation,
            listed=shown.listed,
            title=shown.title,
            panel=shown.panel,
            waits=shown.waits,
            asks_consent=shown.asks_consent,
        )

    def open(self, conversation: str | None, stored: Any) -> Screen:
        """A past conversation was chosen."""
        return self.show(identity_of(stored).opened(conversation or ""))

    def new(self, stored: Any) -> Screen:
        """Start over; the conversation is created with its first question."""
        return self.show(identity_of(stored).opened(""))

    # -- asking --------------------------------------------------------------------------------

    def ask(
        self, question: str | None, stored: Any, options: AnswerOptions
    ) -> Generator[Screen, None, None]:
        """Answer a question. The typed text comes back when it could not be answered."""
        who, said = identity_of(stored), question or ""
        if not said.strip():
            yield Screen(identity=who, alert=say.alert(text.NO_QUESTION))
            return
        try:
            who = self._opened(who)
            earlier = transcript(self._turns(who)).messages
        except say.EXPECTED as error:
            yield Screen(identity=who, box=said, alert=say.problem(error))
            return
        yield from self._stream(
            who,
            said,
            earlier,
            True,
            lambda: self._service.answer(who.conversation, said, owner=who.owner, options=options),
        )

    def retry(self, stored: Any, options: AnswerOptions) -> Generator[Screen, None, None]:
        """Answer the last question again."""
        who = identity_of(stored)
        try:
            turns = self._turns(who)
        except say.EXPECTED as error:
            yield Screen(alert=say.problem(error))
            return
        if not turns:
            yield Screen(alert=say.alert(text.NOTHING_TO_RETRY))
            return
        yield from self._stream(
            who,
            turns[-1].question,
            transcript(turns[:-1]).messages,
            False,
            lambda: self._service.retry(who.conversation, owner=who.owner, options=options),
        )

    def edit(
        self, index: Any, changed: str, stored: Any, options: AnswerOptions
    ) -> Generator[Screen, None, None]:
        """Ask the question of message `index` differently; what came after it goes."""
        who = identity_of(stored)
        said = unescape(changed)
        try:
            turns = self._turns(who)
            turn_id = _turn_at(turns, index)
        except say.EXPECTED as error:
            yield Screen(alert=say.problem(error))
            return
        place = [turn.turn_id for turn in turns].index(turn_id)
        yield from self._stream(
            who,
            said,
            transcript(turns[:place]).messages,
            True,
            lambda: self._service.edit(
                who.conversation, turn_id, said, owner=who.owner, options=options
            ),
        )

    def undo(self, stored: Any) -> Screen:
        """Take the last question and answer back; the question returns to the box."""
        who = identity_of(stored)
        try:
            turns = self._turns(who)
            if not turns:
                return Screen(alert=say.alert(text.NOTHING_TO_UNDO))
            self._service.undo(who.conversation, owner=who.owner)
            left = transcript(self._turns(who))
            return Screen(
                messages=left.messages,
                opinions=left.opinions,
                box=turns[-1].question,
                alert="",
                notes="",
                offer="",
            )
        except say.EXPECTED as error:
            return Screen(alert=say.problem(error))

    def stop(self, stored: Any) -> Screen:
        """Stop the running answer; what was said so far stays."""
        who = identity_of(stored)
        if who.conversation:
            self._service.stop(who.conversation, owner=who.owner)
        return Screen()

    # -- opinions ------------------------------------------------------------------------------

    def rate_answer(self, index: Any, liked: Any, stored: Any) -> Screen:
        """A thumb up, a thumb down, or one taken back. The second one down hands over."""
        who = identity_of(stored)
        turn_id = _turn_at(self._turns(who), index)
        score = _OPINIONS.get(liked, 0)
        self._service.rate_answer(who.conversation, turn_id, score, owner=who.owner)
        handoff = self._handoff(who)
        return Screen(
            opinions=transcript(self._turns(who)).opinions,
            offer=cards.offer(("disliked",)) if score == -1 and not _open(handoff) else "",
            panel=cards.handoff_panel(handoff),
            waits=_open(handoff),
        )

    def end(self, stored: Any) -> Screen:
        """The customer is done: ask how satisfied they are."""
        who = identity_of(stored)
        if not self._turns(who):
            return Screen(alert=say.alert(text.NOTHING_TO_END))
        return Screen(alert="", offer="", rating=True)

    def rate_conversation(self, score: Any, comment: str | None, stored: Any) -> Screen:
        """The customer's satisfaction, 1 to 5; a new conversation begins."""
        who = identity_of(stored)
        if score in (None, ""):
            return Screen(alert=say.alert(text.CSAT_MISSING))
        self._service.rate_conversation(
            who.conversation, int(score), comment or "", owner=who.owner
        )
        shown = self.show(who.opened(""))
        return replace(shown, notes=say.notes([text.CSAT_THANKS]))

    def skip_rating(self, stored: Any) -> Screen:
        """No answer is one too."""
        return Screen(rating=False, alert="")

    # -- a person ------------------------------------------------------------------------------

    def person(self, offered: str | None, stored: Any) -> Screen:
        """The customer wants a person; `offered` is the offer on the page, if there is one."""
        who = self._opened(identity_of(stored))
        handoff = self._service.request_person(
            who.conversation, owner=who.owner, reason="unsure" if offered else "asked"
        )
        return Screen(
            identity=who,
            alert="",
            offer="",
            panel=cards.handoff_panel(handoff),
            waits=True,
            conversations=self.titles(who),
            current=who.conversation,
        )

    def back(self, stored: Any) -> Screen:
        """The customer goes back to the assistant."""
        who = identity_of(stored)
        self._service.cancel_person(who.conversation, owner=who.owner)
        return Screen(panel="", waits=False)

    def tick(self, stored: Any, seen: str) -> tuple[Screen, str]:
        """How the hand-off stands and what the colleague wrote, when it is not what was `seen`."""
        who = identity_of(stored)
        if not who.conversation:
            return Screen(waits=False), ""
        handoff = self._handoff(who)
        if self._service.is_answering(who.conversation, owner=who.owner):
            return Screen(), seen
        turns = self._turns(who)
        state = f"{handoff and (handoff.status, handoff.position)} {len(turns)}"
        if state == seen:
            return Screen(), seen
        shown = transcript(turns)
        settled = handoff is not None and handoff.status == "closed"
        return (
            Screen(
                messages=shown.messages,
                opinions=shown.opinions,
                panel=cards.handoff_panel(handoff),
                waits=_open(handoff),
                rating=True if settled else None,
            ),
            state,
        )

    # -- consent -------------------------------------------------------------------------------

    def consent(self, keeps: bool, stored: Any) -> Screen:
        """The customer agrees that conversations are kept, or does not.

        What is said from then on is kept, or else a conversation begins that is not.
        """
        who = identity_of(stored).consenting(bool(keeps))
        kept = {key for _, key in self.titles(who)}
        if keeps and who.conversation:
            with suppress(LookupError):
                self._service.keep(who.conversation, owner=who.owner)
        elif who.conversation in kept:
            shown = self.show(who.opened(""))
            return replace(shown, notes=say.notes([text.NO_LONGER_KEPT]))
        return Screen(identity=who, asks_consent=False)

    # -- parts ---------------------------------------------------------------------------------

    def show(self, who: Identity) -> Screen:
        """Everything of a conversation; an empty one when it is not there."""
        try:
            turns = self._turns(who)
        except LookupError:
            who, turns = who.opened(""), []
        shown = transcript(turns)
        handoff = self._handoff(who)
        titles = self.titles(who)
        return Screen(
            messages=shown.messages,
            opinions=shown.opinions,
            identity=who,
            alert="",
            notes="",
            conversations=titles,
            current=who.conversation,
            listed="" if titles else say.hint(text.NONE_KEPT),
            title=next((name for name, key in titles if key == who.conversation), ""),
            answering=False,
            panel=cards.handoff_panel(handoff) if _open(handoff) else "",
            waits=_open(handoff),
            offer="",
            rating=False,
            asks_consent=who.keeps is None,
        )

    def titles(self, who: Identity, search: str = "") -> list[tuple[str, str]]:
        """(title, id) of the stored conversations, last used first."""
        rows = self._service.conversations(who.owner, search=search)
        return [(_shortened(row.title), row.id) for row in rows]

    def _stream(
        self,
        who: Identity,
        question: str,
        earlier: list[Message],
        gives_back: bool,
        begin: Callable[[], Iterator[AnswerUpdate]],
    ) -> Generator[Screen, None, None]:
        asked = [*earlier, user_message(question)]
        last: AnswerUpdate | None = None
        failure = ""
        try:
            answers = begin()
            try:
                for update in answers:
                    if last is None:  # accepted: only now does the box let go of the question
                        yield Screen(
                            box="", identity=who, alert="", notes="", offer="", rating=False,
                            answering=True,
                        )  # fmt: skip
                    last = update
                    said = answer_messages(last.text or text.WRITING, last.lookups)
                    yield Screen(messages=[*asked, *said])
            finally:
                _close(answers)
        except say.EXPECTED as error:
            failure = say.problem(error)
        yield self._after(who, question if gives_back else "", last, failure)

    def _after(
        self, who: Identity, question: str, last: AnswerUpdate | None, failure: str
    ) -> Screen:
        """The end of an answer. One that failed before its first word is taken back."""
        notes = list(last.notes) if last is not None else []
        if not failure and last is not None and last.status == "failed":
            failure = say.alert(notes.pop() if notes else text.BROKE_OFF)
            if last.text:
                question = ""
            else:
                with suppress(*say.EXPECTED):
                    self._service.undo(who.conversation, owner=who.owner)
        shown = self.show(who)
        doubts = last.doubts if last is not None and not _open(last.handoff) else ()
        return replace(
            shown,
            box=question if failure and question else None,
            alert=failure,
            notes=say.notes(notes),
            offer=cards.offer(doubts),
            rating=None,
        )

    def _opened(self, who: Identity) -> Identity:
        """The identity with a conversation that exists and is the owner's."""
        if who.conversation:
            try:
                self._service.history(who.conversation, who.owner)
                return who
            except LookupError:
                pass
        return who.opened(self._service.new_conversation(who.owner, keep=bool(who.keeps)))

    def _settle(self, who: Identity) -> None:
        """Wait for an answer that the page broke off by reloading, so that it is shown."""
        deadline = time.monotonic() + SETTLE_S
        with suppress(LookupError):
            while who.conversation and time.monotonic() < deadline:
                if not self._service.is_answering(who.conversation, owner=who.owner):
                    return
                time.sleep(0.05)

    def _turns(self, who: Identity) -> list[ChatTurn]:
        if not who.conversation:
            return []
        return list(self._service.history(who.conversation, who.owner))

    def _handoff(self, who: Identity) -> HandoffRow | None:
        if not who.conversation:
            return None
        try:
            return self._service.handoff(who.conversation, owner=who.owner)
        except say.EXPECTED:
            return None


def answer_options(speculate: Any, temperature: Any, max_tokens: Any, seed: Any) -> AnswerOptions:
    """Options from what the page sent.

    Raises:
        ChatError: a value is no number.
    """
    try:
        return AnswerOptions(
            mode="speculative" if speculate else "plain",
            temperature=float(temperature),
            max_tokens=int(max_tokens),
            seed=None if seed in (None, "") else int(seed),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise ChatError(text.NOT_NUMBERS) from error


def _turn_at(turns: list[ChatTurn], index: Any) -> str:
    """The turn that the message at `index` belongs to. Raises LookupError."""
    ids = transcript(turns).turn_ids
    place = index[0] if isinstance(index, (list, tuple)) else index
    if not isinstance(place, int) or not 0 <= place < len(ids):
        raise LookupError("no such message")
    return ids[place]


def _open(handoff: HandoffRow | None) -> bool:
    return handoff is not None and handoff.status != "closed"


def _shortened(title: str) -> str:
    line = " ".join(title.split()) or text.UNTITLED
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"


def _close(answers: Iterator[AnswerUpdate]) -> None:
    close = getattr(answers, "close", None)
    if close is not None:
        close()
