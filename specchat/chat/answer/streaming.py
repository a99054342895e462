"""One answer while it streams: tokens in, filled and coalesced updates out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from specchat.chat import wording as say
from specchat.chat.company.orders import OrderLookup
from specchat.chat.slots.filler import Piece, SlotFiller
from specchat.chat.slots.message import Parts, Slot, joined, merged
from specchat.chat.slots.vocabulary import SLOTS
from specchat.chat.types import (
    AnswerUpdate,
    Mode,
    Segment,
    Source,
    TurnStatus,
    UpdateStatus,
)
from specchat.engine.errors import EngineError, QueueFullError, RefusedRequestError, RequestError
from specchat.engine.output.thoughts import Thinking, Thoughts
from specchat.engine.request import FinishReason, Request, Token, TokenDelta, TurnStats
from storage.records import new_id

COALESCE_MS = 40.0
"""Least time between two updates; the first token goes out at once."""

HEARTBEAT_S = 0.25
"""Longest time between two updates, so that whoever left before the first token is noticed."""

RECORDS = "records"
"""Source of a sentence that was looked up, not written by the model."""

CHAT = "chat"
"""Source of a sentence that the chat itself says."""


class Stream(Protocol):
    """What is needed of the engine's `TokenStream`."""

    def __iter__(self) -> Iterator[TokenDelta]: ...
    def next_within(self, timeout_s: float) -> TokenDelta | None: ...
    def cancel(self) -> None: ...
    def close(self) -> None: ...


class Submits(Protocol):
    """What is needed of the engine."""

    def submit(self, request: Request) -> Stream: ...


@dataclass(slots=True)
class StreamedAnswer:
    """One request on its way. Used by one thread, except for `stop`."""

    request: Request
    filler: SlotFiller
    mode: Mode
    slots: bool  # the model writes slot tokens
    notes: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    in_context: bool = False  # the model has the sources before it; else they are only shown
    lookups: tuple[OrderLookup, ...] = ()
    opening: Parts = ()  # the start of the answer that stands in the prompt already
    preface: str = ""  # stands before the answer and is no part of it: the model never sees it
    reply: str = ""  # the whole answer, where no model is asked
    most_tokens: int | None = None  # of the answer without thoughts, where the request has more
    thoughts: Thoughts = field(default_factory=Thinking().start)
    turn_id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: UpdateStatus = "streaming"
    stats: TurnStats | None = None
    finish: FinishReason | None = None  # why the model ended
    error: EngineError | None = None  # what kept it from ending
    segments: list[Segment] = field(default_factory=list)
    raw: list[Piece] = field(default_factory=list)  # what the model wrote, by token
    _stream: Stream | None = None
    _started: float = field(default_factory=time.perf_counter)
    _stopped: bool = False
    _shown: str | None = None  # what took the place of what the model wrote
    _full: bool = False  # as long as it may be: what comes now is not read

    def __post_init__(self) -> None:
        if self.preface:
            self._append([(self.preface, CHAT)])
        if self.opening:
            self._append([(self.filler.fill(joined(self.opening)), RECORDS)])

    @property
    def text(self) -> str:
        """The answer so far, for people."""
        return "".join(segment.text for segment in self.segments)

    @property
    def body(self) -> str:
        """The answer so far without what stands before it."""
        return self.text.removeprefix(self.preface)

    @property
    def parts(self) -> Parts:
        """The answer so far as the model wrote it, its slot tokens as slots; or what took its
        place."""
        if self._shown is not None:
            return (self._shown,)
        written = (Slot(_slot(text)) if self._is_slot(text) else text for text, _ in self.raw)
        return merged((*self.opening, *written))

    @property
    def ended_as(self) -> TurnStatus:
        """The status to store: a stream nobody finished was cancelled."""
        return "cancelled" if self.status == "streaming" else self.status

    def stop(self) -> None:
        """End the answer soon, as cancelled. Safe from any thread, before the start too."""
        self._stopped = True
        if self._stream is not None:
            self._stream.cancel()

    def show(self, text: str, source: str) -> None:
        """Put `text` in the place of what the model wrote; the statistics stay."""
        self._shown = text
        self.segments = [Segment(self.preface, CHAT)] if self.preface else []
        self._append([(text, source)])

    def updates(self, engine: Submits) -> Iterator[AnswerUpdate]:
        """Run the request and yield its state while it streams.

        Engine errors end it with status "failed" and a note; they are not raised. Closing the
        iterator early leaves status "streaming": call `settle`.
        """
        if self.reply:
            self.show(self.reply, CHAT)
            self.status = "completed"
            return
        if self._is_stopped():  # what is erased meanwhile must not reach the prefix cache
            return
        try:
            self._stream = engine.submit(self.request)
            if self._is_stopped():
                self._stream.cancel()
            yield from self._coalesced(self._stream)
        except EngineError as error:
            self.error = error
            self.fail(_explained(error))

    def _is_stopped(self) -> bool:
        return self._stopped

    def _coalesced(self, stream: Stream) -> Iterator[AnswerUpdate]:
        due = 0.0
        while self.status == "streaming":
            try:
                delta = stream.next_within(HEARTBEAT_S)
            except StopIteration:
                self.fail(say.NO_REASON)
                return
            if delta is not None:
                self._take(delta)
            now = time.perf_counter()
            if self.status == "streaming" and (delta is None or (self.raw and now >= due)):
                due = now + COALESCE_MS / 1000
                yield self.update()

    def _take(self, delta: TokenDelta) -> None:
        self._append(self.filler.feed(self._pieces(delta.tokens)))
        if delta.finish is None:
            return
        self.stats = delta.stats
        self._append(self.filler.feed(self._kept(self.thoughts.flush())))
        self._append(self.filler.flush())
        finish = delta.finish
        if self._full and not self._stopped:
            finish = FinishReason.LENGTH
        self.finish = finish
        if finish is FinishReason.ERROR:
            self.fail(say.MODEL_FAILED)
        else:
            self.status = "cancelled" if finish is FinishReason.CANCELLED else "completed"
            if self.thoughts.open and not self.raw:
                self.notes += (say.ONLY_THOUGHTS,)
            elif finish is FinishReason.LENGTH:
                self.notes += (say.cut(len(self.raw)),)

    def _pieces(self, tokens: tuple[Token, ...]) -> list[Piece]:
        """What the model says with these tokens, without its thoughts."""
        pieces = [] if self._full else self._kept(self.thoughts.feed(tokens))
        if not self._full and len(self.raw) == self.most_tokens and self._stream is not None:
            self._full = True
            self._stream.cancel()
        return pieces

    def _kept(self, pieces: list[Piece]) -> list[Piece]:
        """The pieces that are part of the answer; what was one until now may prove a thought."""
        if self.thoughts.restarted:
            self.thoughts.restarted = False
            self.raw, self.segments = [], []
            self.__post_init__()
        if self.most_tokens is not None:
            pieces = pieces[: self.most_tokens - len(self.raw)]
        self.raw += pieces
        return pieces

    def _append(self, pieces: list[Piece]) -> None:
        for text, source in pieces:
            if self.segments and self.segments[-1].source == source:
                self.segments[-1] = Segment(self.segments[-1].text + text, source)
            else:
                self.segments.append(Segment(text, source))

    def fail(self, note: str) -> None:
        """The answer cannot be finished; what is there stays."""
        self.status = "failed"
        self._append(self.filler.flush())
        self.notes += (note,)

    def settle(self) -> None:
        """Bring an answer that nobody reads on to its end: cancelled, with its statistics.

        Returns when the engine has let go of the request. Does nothing when it ended before.
        """
        if self.status != "streaming":
            if self._stream is not None:
                self._stream.close()
            return
        self.status = "cancelled"
        self._append(self.filler.flush())
        if self._stream is None:
            return
        try:
            self._stream.cancel()
            for delta in self._stream:
                self.stats = delta.stats or self.stats
        except EngineError:
            self.status = "failed"
        finally:
            self._stream.close()

    def update(self) -> AnswerUpdate:
        """The state now."""
        return AnswerUpdate(
            turn_id=self.turn_id,
            text=self.text,
            segments=tuple(self.segments),
            elapsed_ms=(time.perf_counter() - self._started) * 1000,
            done=self.status != "streaming",
            status=self.status,
            stats=self.stats,
            notes=self.notes,
            seed=self.request.params.seed,
            sources=self.sources,
            lookups=self.lookups,
            finish=self.finish,
            error=self.error,
        )

    def _is_slot(self, text: str) -> bool:
        return self.slots and _slot(text) in SLOTS and text.strip().startswith("{{")


def _slot(text: str) -> str:
    return text.strip().removeprefix("{{").removesuffix("}}")


def _explained(error: EngineError) -> str:
    """The error for a customer."""
    if isinstance(error, QueueFullError):
        return say.QUEUE_FULL
    if isinstance(error, RefusedRequestError):
        return say.REFUSED
    if isinstance(error, RequestError):
        return say.bad_request(error)
    return say.ENGINE_STOPPED
