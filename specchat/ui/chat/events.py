"""What happens when somebody asks: each event yields the screens that follow."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from specchat.chat.service import ChatService
from specchat.chat.types import AnswerOptions, AnswerUpdate, ChatError, ChatTurn
from specchat.ui.chat import cards
from specchat.ui.chat import labels as text
from specchat.ui.chat.said import typed_text
from specchat.ui.chat.transcript import Message, answer_messages, user_message
from specchat.ui.chat.view import ChatView, is_open, turn_at
from specchat.ui.chat.view_state import ChatViewState
from specchat.ui.shared import alerts as say
from specchat.ui.shared.identity import Identity, identity_of


class ChatEvents:
    """Asking, and asking again. Free of components, so that it can be tested without a page."""

    def __init__(self, service: ChatService, view: ChatView) -> None:
        self._service = service
        self._view = view

    def ask(
        self, question: str | None, stored: Any, options: AnswerOptions
    ) -> Generator[ChatViewState, None, None]:
        """Answer a question. The typed text comes back when it could not be answered. With an
        empty box nothing happens, as when the button is pressed twice."""
        who, said = identity_of(stored), question or ""
        if not said:
            yield ChatViewState(identity=who)
            return
        if not said.strip():
            yield ChatViewState(identity=who, alert=say.alert(text.NO_QUESTION))
            return
        try:
            opened = self._view.for_question(who)
            who = opened.who
            earlier = self._view.transcript(self._view.turns(who)).messages
        except say.EXPECTED as error:
            yield ChatViewState(identity=who, box=said, alert=say.problem(error))
            return
        yield from self._stream(
            who,
            said,
            earlier,
            True,
            lambda: self._service.answer(who.conversation, said, owner=who.owner, options=options),
            opened.note,
        )

    def retry(self, stored: Any, options: AnswerOptions) -> Generator[ChatViewState, None, None]:
        """Answer the last question again."""
        who = identity_of(stored)
        try:
            turns = self._turns_to_change(who)
        except say.EXPECTED as error:
            yield ChatViewState(alert=say.problem(error))
            return
        if not turns:
            yield ChatViewState(alert=say.alert(text.NOTHING_TO_RETRY))
            return
        yield from self._stream(
            who,
            turns[-1].question,
            self._view.transcript(turns[:-1]).messages,
            False,
            lambda: self._service.retry(who.conversation, owner=who.owner, options=options),
        )

    def edit(
        self, index: Any, changed: str, stored: Any, options: AnswerOptions
    ) -> Generator[ChatViewState, None, None]:
        """Ask the question of message `index` differently; what came after it goes."""
        who = identity_of(stored)
        said = typed_text(changed)
        try:
            turns = self._turns_to_change(who)
            turn_id = turn_at(turns, index)
        except say.EXPECTED as error:
            yield ChatViewState(alert=say.problem(error))
            return
        place = [turn.turn_id for turn in turns].index(turn_id)
        yield from self._stream(
            who,
            said,
            self._view.transcript(turns[:place]).messages,
            True,
            lambda: self._service.edit(
                who.conversation, turn_id, said, owner=who.owner, options=options
            ),
        )

    def undo(self, stored: Any) -> ChatViewState:
        """Take the last question and answer back; the question returns to the box."""
        who = identity_of(stored)
        try:
            turns = self._view.turns(who)
            if not turns:
                return ChatViewState(alert=say.alert(text.NOTHING_TO_UNDO))
            self._service.undo(who.conversation, owner=who.owner)
            left = self._view.transcript(self._view.turns(who))
            return ChatViewState(
                messages=left.messages,
                opinions=left.opinions,
                box=turns[-1].question,
                alert="",
                notes="",
                offer="",
            )
        except say.EXPECTED as error:
            return ChatViewState(alert=say.problem(error))

    def stop(self, stored: Any) -> ChatViewState:
        """Stop the running answer; what was said so far stays."""
        who = identity_of(stored)
        if who.conversation:
            self._service.stop(who.conversation, owner=who.owner)
        return ChatViewState()

    def _turns_to_change(self, who: Identity) -> list[ChatTurn]:
        """The turns, one of which is to be answered anew. Raises ChatError where the customer does
        not agree that the answer is kept."""
        if self._view.overkeeps(who):
            raise ChatError(text.ALREADY_KEPT)
        return self._view.turns(who)

    def _stream(
        self,
        who: Identity,
        question: str,
        earlier: list[Message],
        gives_back: bool,
        begin: Callable[[], Iterator[AnswerUpdate]],
        note: str = "",
    ) -> Generator[ChatViewState, None, None]:
        asked = [*earlier, user_message(question)]
        noted = [note] if note else []
        last: AnswerUpdate | None = None
        failure = ""
        try:
            answers = begin()
            try:
                for update in answers:
                    if last is None:  # accepted: only now does the box let go of the question
                        yield ChatViewState(
                            box="", identity=who, alert="", notes=say.notes(noted), offer="",
                            rating=False, answering=True,
                        )  # fmt: skip
                    last = update
                    said = answer_messages(last.text or text.WRITING, last.lookups)
                    yield ChatViewState(messages=[*asked, *said])
            finally:
                _close(answers)
        except say.EXPECTED as error:
            failure = say.problem(error)
        yield self._after(who, question if gives_back else "", last, failure, noted)

    def _after(
        self,
        who: Identity,
        question: str,
        last: AnswerUpdate | None,
        failure: str,
        noted: list[str],
    ) -> ChatViewState:
        """The end of an answer. One that failed before its first word is taken back."""
        notes = list(last.notes) if last is not None else []
        if not failure and last is not None and last.status == "failed":
            failure = say.alert(notes.pop() if notes else text.BROKE_OFF)
            if last.text:
                question = ""
            else:
                with suppress(*say.EXPECTED):
                    self._service.undo(who.conversation, owner=who.owner)
        shown = self._view.show(who)
        doubts = last.doubts if last is not None and not is_open(last.handoff) else ()
        return replace(
            shown,
            box=question if failure and question else None,
            alert=failure,
            notes=say.notes([*noted, *notes]),
            offer=cards.offer(doubts),
            rating=None,
        )


def _close(answers: Iterator[AnswerUpdate]) -> None:
    close = getattr(answers, "close", None)
    if close is not None:
        close()
