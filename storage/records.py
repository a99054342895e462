"""What goes into the store and what comes out: plain frozen dataclasses, no database in sight.

Texts are stored as they are given: redact personal data before building a record.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from specchat.answer_cost import AnswerCost

TurnKind = Literal["chat", "race", "audit", "person"]
"""What a turn is part of; in a "person" turn the answer is a colleague's, and has no metrics."""
TurnStatus = Literal["completed", "cancelled", "failed"]
Mode = Literal["plain", "speculative"]
AnswerState = Literal["grounded", "page", "order", "unknown", "talk"]
"""What an answer stands on: pages, a page in its own words, orders, nothing; "talk" needs none."""


def new_id() -> str:
    """A fresh identifier: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def utc_now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnMetrics(AnswerCost):
    """What one answer cost, under which settings and on which machine. Times in milliseconds."""

    mode: Mode
    model: str
    speculators: tuple[str, ...]
    temperature: float
    seed: int
    max_tokens: int
    ttft_ms: float | None  # submit to first token; None (or nan) when there was none
    tpot_ms: float | None  # (e2e - ttft) / (n - 1); None (or nan) for n < 2
    hardware: str
    device: str
    dtype: str
    backend: str
    code_version: str
    verification: str = ""  # "coupled"; of older turns "rejection" too, or "": it is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnGrounds:
    """What was found for a question, and what became of the answer."""

    state: AnswerState
    retrieved: Mapping[str, float] = field(default_factory=dict)  # page id -> chance that it fits
    unsupported: tuple[str, ...] = ()  # specifics that nothing supports, in what the model wrote


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRecord:
    """One question and its answer, redacted, as its stream ended. Written once per `turn_id`."""

    conversation_id: str | None  # None for turns outside a conversation (audit)
    question: str
    answer: str
    status: TurnStatus
    metrics: TurnMetrics | None  # None when the engine gave no statistics (a failed turn)
    kind: TurnKind = "chat"
    written: str = ""  # the redacted answer as the model wrote it, slots unfilled
    grounds: TurnGrounds | None = None  # None where nothing was looked for
    title: str = ""  # of its conversation, where that has none yet
    turn_id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceArm:
    """One side of a race."""

    answer: str  # redacted; "" without consent
    metrics: TurnMetrics
    status: TurnStatus = "completed"
    turn_id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceRecord:
    """The same question answered plain and speculative. Written once per `race_id`."""

    prompt: str  # redacted; without consent what situation it is about
    identical: bool  # both arms gave the same tokens
    first: Mode  # the arm that ran first
    plain: RaceArm
    speculative: RaceArm
    owner: str = ""  # who raced, so that their data can be erased
    race_id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where plain and speculative decoding of one prompt first differ."""

    prompt_id: str
    position: int  # index of the first differing token in the answer
    plain_token: int
    speculative_token: int
    gap: float  # the target's top-2 logit gap there
    tie: bool  # the gap is within rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """The outcome of one audit: plain against speculative, token for token."""

    model: str
    speculators: tuple[str, ...]
    temperature: float
    seed: int
    max_tokens: int
    hardware: str
    dtype: str
    backend: str
    code_version: str
    prompts: int
    identical: int
    divergences: tuple[Divergence, ...]  # one for each prompt that is not identical
    audit_id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFilter:
    """Which rows the dashboard asks for. None means any."""

    since: datetime | None = None  # inclusive; naive times are taken as UTC
    until: datetime | None = None  # exclusive
    mode: Mode | None = None  # not used for races, which hold both
    model: str | None = None
    kind: TurnKind | None = None  # not used for races
    limit: int = 10_000  # newest first


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow(TurnMetrics):
    """The metrics of one stored turn, flat."""

    turn_id: str
    created_at: datetime  # UTC
    kind: TurnKind
    status: TurnStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRow:
    """One stored turn of a conversation."""

    turn_id: str
    conversation_id: str
    position: int  # order within the conversation; gaps are turns that were removed
    kind: TurnKind
    status: TurnStatus
    question: str
    answer: str
    created_at: datetime  # UTC
    metrics: MetricRow | None
    grounds: TurnGrounds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRow:
    """One stored conversation, without its text."""

    id: str
    title: str
    created_at: datetime  # UTC
    updated_at: datetime  # UTC; the last turn, title or creation
    turns: int  # turns that were not removed


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceRow:
    """One stored race with the metrics of both arms."""

    race_id: str
    created_at: datetime  # UTC
    prompt: str  # redacted excerpt, at most 200 characters
    identical: bool
    first: Mode
    plain: MetricRow
    speculative: MetricRow


@dataclass(frozen=True, slots=True)
class Facets:
    """The values that occur in the stored metrics, sorted, for filter menus."""

    models: tuple[str, ...]
    modes: tuple[Mode, ...]
    kinds: tuple[TurnKind, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """The state of the writer. `lost` above 0 means that evidence is missing."""

    written: int  # records committed since the store was opened
    lost: int  # records given up: the queue was full, or the database refused them
    discarded: int  # turns whose conversation was deleted before they were written
    queued: int  # records waiting
    journaled: int = 0  # of these, in the journal beside the database: they outlive the process
    capacity: int  # records that may wait
    database: str  # e.g. "SQLite 3.45.1"
    last_error: str  # "" when the last write went well; never holds user text

    @property
    def ok(self) -> bool:
        """True when nothing was lost and the last write went well."""
        return self.lost == 0 and not self.last_error
