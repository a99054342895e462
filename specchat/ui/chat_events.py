"""What happens in the chat when somebody acts: each event yields the screens that follow."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from specchat.chat.service import ChatService
from specchat.chat.types import AnswerOptions, AnswerUpdate, ChatError, ChatTurn
from specchat.ui import messages as say
from specchat.ui.identity import Identity, identity_of
from specchat.ui.transcript import Message, assistant_message, transcript, user_message

TITLE_LENGTH = 48
WRITING = "…"
"""Stands for an answer whose first word is still to come."""


@dataclass(frozen=True)
class Screen:
    """What changes on the page. None leaves a part as it is."""

    messages: list[Message] | None = None
    box: str | None = None  # the text in the question box
    identity: Identity | None = None
    alert: str | None = None  # HTML
    notes: str | None = None  # HTML
    conversations: list[tuple[str, str]] | None = None  # (title, id), last used first
    current: str = ""  # which of `conversations` is open
    answering: bool | None = None


class ChatEvents:
    """The events of the chat, free of components, so that they can be tested without a page."""

    def __init__(self, service: ChatService) -> None:
        self._service = service

    def load(self, stored: Any) -> Screen:
        """The page was opened or reloaded: show what was open.

        Changes as little as possible, because a quick customer may have asked something already.
        """
        if not stored:
            return Screen()
        who = identity_of(stored)
        shown = self._show(who)
        return Screen(
            messages=shown.messages or None,
            identity=None if shown.identity == who else shown.identity,
            conversations=shown.conversations,
            current=who.conversation,
        )

    def open(self, conversation: str | None, stored: Any) -> Screen:
        """A past conversation was chosen."""
        return self._show(identity_of(stored).opened(conversation or ""))

    def new(self, stored: Any) -> Screen:
        """Start over; the conversation is created with its first question."""
        return self._show(identity_of(stored).opened(""))

    def ask(
        self, question: str | None, stored: Any, options: AnswerOptions
    ) -> Generator[Screen, None, None]:
        """Answer a question. The typed text comes back when it could not be answered."""
        who, text = identity_of(stored), question or ""
        if not text.strip():
            yield Screen(identity=who, alert=say.alert("Please type a question first."))
            return
        try:
            who = self._opened(who)
            earlier = transcript(self._turns(who))
        except say.EXPECTED as error:
            yield Screen(identity=who, box=text, alert=say.problem(error))
            return
        yield from self._stream(
            who,
            text,
            earlier,
            True,
            lambda: self._service.answer(who.conversation, text, owner=who.owner, options=options),
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
            yield Screen(alert=say.alert("There is no answer to try again yet."))
            return
        yield from self._stream(
            who,
            turns[-1].question,
            transcript(turns[:-1]),
            False,
            lambda: self._service.retry(who.conversation, owner=who.owner, options=options),
        )

    def undo(self, stored: Any) -> Screen:
        """Take the last question and answer back; the question returns to the box."""
        who = identity_of(stored)
        try:
            turns = self._turns(who)
            if not turns:
                return Screen(alert=say.alert("There is nothing to undo."))
            self._service.undo(who.conversation, owner=who.owner)
            return Screen(
                messages=transcript(self._turns(who)), box=turns[-1].question, alert="", notes=""
            )
        except say.EXPECTED as error:
            return Screen(alert=say.problem(error))

    def stop(self, stored: Any) -> Screen:
        """Stop the running answer; what was said so far stays."""
        who = identity_of(stored)
        if who.conversation:
            self._service.stop(who.conversation, owner=who.owner)
        return Screen()

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
                        yield Screen(box="", identity=who, alert="", notes="", answering=True)
                    last = update
                    yield Screen(messages=[*asked, assistant_message(last.text or WRITING)])
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
            failure = say.alert(notes.pop() if notes else "The answer broke off.")
            if last.text:
                question = ""
            else:
                with suppress(*say.EXPECTED):
                    self._service.undo(who.conversation, owner=who.owner)
        shown = self._show(who)
        return Screen(
            messages=shown.messages,
            box=question if failure and question else None,
            identity=shown.identity,
            alert=failure,
            notes=say.notes(notes),
            conversations=shown.conversations,
            current=who.conversation,
            answering=False,
        )

    def _opened(self, who: Identity) -> Identity:
        """The identity with a conversation that exists and is the owner's."""
        if who.conversation:
            try:
                self._service.history(who.conversation, who.owner)
                return who
            except LookupError:
                pass
        return who.opened(self._service.new_conversation(who.owner))

    def _show(self, who: Identity) -> Screen:
        try:
            turns = self._turns(who)
        except LookupError:
            who, turns = who.opened(""), []
        return Screen(
            messages=transcript(turns),
            identity=who,
            alert="",
            notes="",
            conversations=self._titles(who),
            current=who.conversation,
            answering=False,
        )

    def _turns(self, who: Identity) -> list[ChatTurn]:
        if not who.conversation:
            return []
        return list(self._service.history(who.conversation, who.owner))

    def _titles(self, who: Identity) -> list[tuple[str, str]]:
        rows = self._service.conversations(who.owner)
        return [(_shortened(row.title), row.id) for row in rows]


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
        raise ChatError("Temperature, longest answer and seed must be numbers.") from error


def _shortened(title: str) -> str:
    line = " ".join(title.split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"


def _close(answers: Iterator[AnswerUpdate]) -> None:
    close = getattr(answers, "close", None)
    if close is not None:
        close()
