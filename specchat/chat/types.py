"""What the chat service gives to a page, a terminal or an API: plain frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from specchat.chat.company.orders import OrderLookup
from specchat.engine.errors import EngineError
from specchat.engine.request import FinishReason, TurnStats
from storage import HandoffRow, TurnGrounds, TurnMetrics

Mode = Literal["speculative", "plain"]
TurnStatus = Literal["completed", "cancelled", "failed"]
UpdateStatus = Literal["streaming", "completed", "cancelled", "failed"]


class ChatError(Exception):
    """Something the customer can put right; the message is meant for them."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of answer text that came from one source."""

    text: str
    source: str  # "target" or the speculator whose draft was accepted


@dataclass(frozen=True, slots=True)
class Source:
    """A help page that an answer was taken from, or that fits its question."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """How one question is to be answered, in the chat or by both arms of a race."""

    mode: Mode = "speculative"
    temperature: float = 0.0
    seed: int | None = None  # None: derived from the conversation, a new one for every retry
    max_tokens: int = 256
    speculators: tuple[str, ...] | None = None  # who may draft; None: all that are loaded
    max_nodes: int | None = None  # drafted a step; None: as many as the engine allows
    adaptive: bool = True  # draft where it pays; else at every step


@dataclass(frozen=True, slots=True)
class AnswerUpdate:
    """The state of an answer while it streams. The last one has `done` set."""

    turn_id: str
    text: str  # the whole answer so far, slots filled; the last may be another than it streamed
    segments: tuple[Segment, ...]  # the same text by source
    elapsed_ms: float  # since the question was accepted
    done: bool
    status: UpdateStatus
    stats: TurnStats | None = None  # with `done`, unless the engine failed
    notes: tuple[str, ...] = ()  # short sentences for the customer
    seed: int = 0  # the seed in use
    sources: tuple[Source, ...] = ()  # with `done`: those that the answer used, in its order
    lookups: tuple[OrderLookup, ...] = ()  # orders the question is about
    doubts: tuple[str, ...] = ()  # with `done`: why it may not help, keys of `wording.DOUBTS`
    handoff: HandoffRow | None = None  # with `done`: the hand-off that is open now
    grounds: TurnGrounds | None = None  # with `done`: what the answer stands on
    finish: FinishReason | None = None  # with `done`: why the model ended, where it was asked
    error: EngineError | None = None  # with status "failed": what the engine said, if it did


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """One question and its answer, as shown in a conversation."""

    turn_id: str
    question: str
    answer: str
    status: TurnStatus
    mode: Mode
    footer_stats: TurnMetrics | None
    created_at: datetime  # UTC
    segments: tuple[Segment, ...] = ()  # empty for turns read back from the store
    sources: tuple[Source, ...] = ()
    in_context: bool = False  # the model read the sources; else they are only shown
    lookups: tuple[OrderLookup, ...] = ()
    by_person: bool = False  # the answer is a colleague's; "" while one is awaited
    opinion: int = 0  # 1 liked, -1 disliked
    grounds: TurnGrounds | None = None  # what the answer stands on; None where it is not known


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """One line of the list of past conversations."""

    id: str
    title: str
    updated_at: datetime  # UTC
    turns: int
