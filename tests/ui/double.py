"""An engine that says a fixed sentence at a fixed pace, so that a browser can watch and stop it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from specchat.engine.errors import EngineClosedError, QueueFullError
from specchat.engine.request import (
    DraftTrace,
    FinishReason,
    KnownText,
    Request,
    Token,
    TokenDelta,
    TurnStats,
)

ANSWER = (
    "I understand that waiting for a refund is frustrating. The money is paid back the way the "
    "order was paid, and it takes a while until it shows on your account. "
    "If it is not there by then, please reply here and tell us which order it was for. "
)
"""Nothing in it that the chat's check would not let pass."""
STEPS_BEFORE_HOLD = 3
"""A held engine says this much of an answer before it waits."""


@dataclass
class ScriptedStream:
    """One answer: `drafts` accepted draft tokens a step when speculating, one token otherwise."""

    engine: ScriptedEngine
    request: Request
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._running = self._run()

    def __iter__(self) -> Iterator[TokenDelta]:
        return (delta for delta in self._running if delta is not None)

    def next_within(self, timeout_s: float) -> TokenDelta | None:
        return next(self._running)

    def _run(self) -> Iterator[TokenDelta | None]:
        """None now and then while the engine holds, as the real stream gives heartbeats."""
        start = time.monotonic()
        words = self.engine.words(self.request.params.max_tokens)
        size = 1 + self.engine.drafts if self.request.params.speculate else 1
        sent = steps = 0
        first_ms = 0.0
        finish = FinishReason.STOP
        while sent < len(words):
            while self._holds(steps) and not self.cancelled.wait(0.02):
                yield None
            if self.cancelled.wait(self.engine.step_s):
                finish = FinishReason.CANCELLED
                break
            if self.engine.broken.is_set():
                raise EngineClosedError("the step loop failed")
            run = words[sent : sent + size]
            sent += len(run)
            steps += 1
            now = 1000 * (time.monotonic() - start)
            first_ms = first_ms or now
            if sent < len(words):
                yield TokenDelta(self.request_id, self._tokens(run), now, draft=self._draft(run))
        now = 1000 * (time.monotonic() - start)
        last = () if finish == FinishReason.CANCELLED else self._tokens(run)
        yield TokenDelta(
            self.request_id,
            last,
            now,
            finish,
            self._stats(sent, steps, first_ms, now),
            self._draft(list(last)),
        )

    def _holds(self, steps: int) -> bool:
        if not self.engine.starting.is_set():
            return True
        return steps >= STEPS_BEFORE_HOLD and not self.engine.flowing.is_set()

    def _tokens(self, run: list[str]) -> tuple[Token, ...]:
        sources = ["mlp"] * (len(run) - 1) + ["target"]
        if len(run) > 2:
            sources[0] = "ngram"
        return tuple(
            Token(hash(word) % 1000, word, source)
            for word, source in zip(run, sources, strict=True)
        )

    def _draft(self, run: Sequence[object]) -> DraftTrace | None:
        """The accepted words as a chain, and beside them one draft that was wrong."""
        if not self.request.traced or not run:
            return None
        taken = len(run) - 1
        if not self.request.params.speculate:
            return DraftTrace((), (), (), (), 20)
        tokens, parents = (30, *range(10, 10 + taken)), (-1, *(-1, *range(1, taken))[:taken])
        sources = ("ngram", *["mlp"] * taken)
        return DraftTrace(tokens, parents, sources, tuple(range(1, 1 + taken)), 20)

    def _stats(self, sent: int, steps: int, first_ms: float, e2e_ms: float) -> TurnStats:
        drafts = self.engine.drafts if self.request.params.speculate else 0
        accepted = max(0, sent - steps)
        return TurnStats(
            prompt_tokens=len(self.request.prompt_ids),
            cached_tokens=0,
            completion_tokens=sent,
            queue_ms=0.1,
            ttft_ms=first_ms,
            e2e_ms=e2e_ms,
            steps=steps,
            drafted=drafts * steps + (steps if drafts else 0),
            accepted=accepted,
            drafted_by_depth=(steps,) * (drafts + 1) if drafts else (),
            accepted_by_depth=(steps,) * drafts if drafts else (),
            drafted_by_source={"mlp": drafts * steps} if drafts else {},
            accepted_by_source={"mlp": accepted} if drafts else {},
            accepted_lengths=(drafts,) * steps,
            draft_ms=0.0,
            verify_ms=e2e_ms,
            peak_pages=3,
            preemptions=0,
        )

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.cancelled.set()

    def __enter__(self) -> ScriptedStream:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@dataclass
class ScriptedEngine:
    """Stands in for the engine where the pace of an answer matters."""

    answer: str = ANSWER
    repeats: int = 1
    step_s: float = 0.01
    drafts: int = 3
    broken: threading.Event = field(default_factory=threading.Event)
    full: threading.Event = field(default_factory=threading.Event)
    flowing: threading.Event = field(default_factory=threading.Event)
    starting: threading.Event = field(default_factory=threading.Event)
    evicted: list[str] = field(default_factory=list)
    options: Any = field(default_factory=lambda: SimpleNamespace(max_nodes=16))
    info: Any = field(
        default_factory=lambda: SimpleNamespace(
            name="scripted",
            vocab_size=320,
            context_length=4096,
            parameters=20_000_000,
            dtype="float32",
            device="cpu",
            hardware="a test double, 2 threads",
            speculators=("mlp", "ngram"),
        )
    )

    def __post_init__(self) -> None:
        self.flowing.set()
        self.starting.set()

    def words(self, most: int) -> list[str]:
        return [f"{word} " for word in (self.answer * self.repeats).split()][:most]

    def log_likelihoods(self, texts: Sequence[KnownText]) -> list[float]:
        return [-1.0] * len(texts)

    def submit(self, request: Request) -> ScriptedStream:
        if self.full.is_set():
            raise QueueFullError("64 requests wait already")
        return ScriptedStream(self, request)

    def snapshot(self) -> SimpleNamespace:
        return SimpleNamespace(
            running=0,
            waiting=0,
            pages_total=256,
            pages_free=200,
            pages_cached=40,
            pages_held=16,
            pages_shared=5,
            page_size=16,
            prefix_hit_tokens=120,
            prefix_query_tokens=300,
            steps=1234,
            backend="compiled 7/7",
            ready=True,
            preemptions=0,
        )

    def evict_salt(self, salt: str) -> int:
        self.evicted.append(salt)
        return 0

    def close(self) -> None:
        self.broken.set()
