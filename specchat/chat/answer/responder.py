"""Answers to questions of a conversation, by the model or by a colleague; each becomes a turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from specchat.chat import wording as say
from specchat.chat.answer.floor import replied, settled
from specchat.chat.answer.preparation import Preparation
from specchat.chat.answer.streaming import StreamedAnswer
from specchat.chat.answer.task import Task
from specchat.chat.handoff import Handoffs
from specchat.chat.redaction.redact import Redaction
from specchat.chat.turns.conversation import LiveConversation, LiveTurn
from specchat.chat.turns.doubts import doubts
from specchat.chat.turns.repository import ConversationRepository
from specchat.chat.turns.turn_metrics import metrics_from
from specchat.chat.types import AnswerOptions, AnswerUpdate, ChatError, ChatTurn
from specchat.engine.errors import EngineError
from storage import HandoffRow, TurnGrounds, TurnMetrics

if TYPE_CHECKING:
    from specchat.engine.interface import AnyEngine


_LOOK_S = 0.02  # between two looks for answers that have not ended


@dataclass(eq=False)
class Ending:
    """The end of an answer. It comes once, whoever brings it about: who reads the answer to its
    end or leaves, or the chat that closes."""

    answering: StreamedAnswer
    finish: Callable[[], AnswerUpdate]
    lock: threading.Lock = field(default_factory=threading.Lock)
    update: AnswerUpdate | None = None

    def bring(self) -> AnswerUpdate:
        """Settle the answer and keep its turn; the same update again when that is done."""
        with self.lock:
            if self.update is None:
                self.answering.settle()
                self.update = self.finish()
            return self.update


class Responder:
    """Answers one question of a conversation that the caller holds."""

    def __init__(
        self,
        engine: AnyEngine,
        preparation: Preparation,
        repository: ConversationRepository,
        handoffs: Handoffs,
    ) -> None:
        self._engine = engine
        self._preparation = preparation
        self._repository = repository
        self._handoffs = handoffs
        self._endings: set[Ending] = set()
        self._closed = False

    def drain(self, patience_s: float) -> bool:
        """Take no further question and wait for the answers under way; False where some are left
        after `patience_s`."""
        self._closed = True
        deadline = time.monotonic() + patience_s
        while self._endings and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        return not self._endings

    def close(self, patience_s: float) -> None:
        """Stop every answer and take no further question; returns when the turn of each is stored,
        also of those that nobody reads on, which get `patience_s` to end by themselves."""
        self._closed = True
        deadline = time.monotonic() + patience_s
        while self._endings and time.monotonic() < deadline:
            for ending in list(self._endings):
                ending.answering.stop()
            time.sleep(_LOOK_S)
        for ending in list(self._endings):
            ending.bring()

    def to(
        self, live: LiveConversation, text: str, options: AnswerOptions
    ) -> Generator[AnswerUpdate, None, None]:
        """Answer a new question, or pass it on to the colleague who has taken over."""
        handoff = self._handoffs.current(live)
        if handoff is not None and handoff.status == "active":
            question = self._repository.storable(text, live)
            turn = self._handoffs.pass_on(live, text, question)
            yield _passed_on(turn, handoff, (*_unsaved(live), *_hidden(question)))
            return
        yield from self.by_model(live, text, options)

    def by_model(
        self,
        live: LiveConversation,
        text: str,
        options: AnswerOptions,
        replaces: tuple[LiveTurn, ...] = (),
    ) -> Generator[AnswerUpdate, None, None]:
        """Let the model answer; the new turn takes the place of `replaces`."""
        if self._closed:
            raise ChatError(say.CLOSING)
        task = self._preparation.task(live, text, replaces)
        answering = self._preparation.answering(live, task, options, _unsaved(live))
        ending = Ending(answering, lambda: self._finish(live, answering, task))
        self._endings.add(ending)
        finished: list[AnswerUpdate] = []
        live.stop = answering.stop
        if live.erased:  # before whoever erased it could see how to stop this
            answering.stop()
        try:
            yield answering.update()
            yield from answering.updates(self._engine)
        except (GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException:
            answering.fail(say.FAILED)
            raise
        finally:
            live.stop = None
            try:
                finished.append(ending.bring())
            finally:
                self._endings.discard(ending)
        yield finished[0]

    def _finish(
        self, live: LiveConversation, answering: StreamedAnswer, task: Task
    ) -> AnswerUpdate:
        """Keep the turn in memory and store it, whatever became of it."""
        grounds = _settle(answering, task)
        shown = ChatTurn(
            turn_id=answering.turn_id,
            question=task.text,
            answer=answering.text,
            status=answering.ended_as,
            mode=answering.mode,
            footer_stats=self._metrics(answering),
            created_at=answering.created_at,
            segments=tuple(answering.segments),
            sources=answering.sources,
            in_context=answering.in_context,
            lookups=answering.lookups,
            grounds=grounds,
        )
        update = replace(answering.update(), doubts=doubts(shown), grounds=grounds)
        turn = LiveTurn(
            shown, task.question, answering.parts, task.before, task.position, task.attempt
        )
        stays = bool(task.replaces) and shown.status == "failed" and not answering.raw
        if not stays:
            live.values = task.values
        with live.ending:  # consent that comes now is for the next turn, not for half of this one
            question = self._repository.storable(task.text, live)
            if stays:
                answer = self._repository.storable(shown.answer, live)
                self._repository.store(live, shown, question, answer)  # what it cost
                self._repository.remove(live, [shown.turn_id])
            else:
                self._repository.remove(live, [old.shown.turn_id for old in task.replaces])
                self._repository.add(live, turn, question)
        notes = (*_hidden(question), *update.notes)
        return replace(update, notes=notes, handoff=self._handoffs.after(live, shown))

    def _metrics(self, answering: StreamedAnswer) -> TurnMetrics | None:
        if answering.stats is None:
            return None
        backend = ""
        with suppress(EngineError):  # it may have been closed meanwhile
            backend = self._engine.snapshot().backend
        return metrics_from(
            answering.stats,
            answering.request.params,
            self._engine.info,
            answering.mode,
            backend=backend,
        )


def _unsaved(live: LiveConversation) -> tuple[str, ...]:
    return () if live.saved or not live.kept else (say.NOT_SAVED,)


def _hidden(question: Redaction) -> tuple[str, ...]:
    return (say.hidden(question.counts),) if question.found else ()


def _settle(answering: StreamedAnswer, task: Task) -> TurnGrounds | None:
    """Check a whole answer and put the page, the records or the truth in its place where it fails;
    what it stands on, if anything was looked for."""
    if task.grounds is None or answering.ended_as != "completed":
        return None
    if answering.reply:
        found = replied(answering.reply, task.grounds)
    else:
        found = settled(answering.body, task.grounds)
    if found.replaced_by:
        answering.show(found.text, found.replaced_by)
    answering.sources = found.sources
    return found.grounds


def _passed_on(turn: ChatTurn, handoff: HandoffRow, notes: tuple[str, ...]) -> AnswerUpdate:
    """The question has gone to a colleague."""
    return AnswerUpdate(
        turn_id=turn.turn_id,
        text="",
        segments=(),
        elapsed_ms=0.0,
        done=True,
        status="completed",
        notes=notes,
        handoff=handoff,
    )
