"""One arm of a comparison: the same request with speculation on or off, and what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from specchat.engine.errors import EngineError
from specchat.engine.request import (
    UNTOLD,
    FinishReason,
    Request,
    SamplingParams,
    Token,
    TokenDelta,
    TurnStats,
)

if TYPE_CHECKING:
    from specchat.engine.engine import Engine

Arm = Literal["plain", "speculative"]
ARMS: tuple[Arm, Arm] = ("plain", "speculative")


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One finished answer."""

    tokens: tuple[Token, ...]
    times_ms: tuple[float, ...]  # arrival of each token since submit
    stats: TurnStats

    @property
    def token_ids(self) -> tuple[int, ...]:
        """The answer as ids, what "identical" compares; its characters' where a server told no
        ids."""
        if any(token.token_id == UNTOLD for token in self.tokens):
            return tuple(ord(each) for token in self.tokens for each in token.text)
        return tuple(token.token_id for token in self.tokens)


@dataclass(slots=True)
class ArmRecorder:
    """Gathers the deltas of one stream into an `ArmResult`."""

    tokens: list[Token] = field(default_factory=list)
    times_ms: list[float] = field(default_factory=list)
    last: TokenDelta | None = None

    def add(self, delta: TokenDelta) -> None:
        """Takes the next delta of the stream."""
        self.tokens.extend(delta.tokens)
        self.times_ms.extend([delta.at_ms] * len(delta.tokens))
        self.last = delta

    def result(self) -> ArmResult:
        """The finished answer.

        Raises:
            EngineError: the stream ended any other way than by a stop or the length limit.
        """
        finish = self.last.finish if self.last else None
        stats = self.last.stats if self.last else None
        if finish not in (FinishReason.STOP, FinishReason.LENGTH) or stats is None:
            raise EngineError(f"the answer ended early ({finish or 'no end'}); nothing to compare")
        return ArmResult(tuple(self.tokens), tuple(self.times_ms), stats)


def arm_request(
    prompt_ids: Sequence[int],
    params: SamplingParams,
    *,
    speculate: bool,
    salt: str,
    traced: bool = False,
) -> Request:
    """The request of one arm. Its salt is used once, so no arm finds another's prefix pages."""
    return Request(
        prompt_ids=tuple(prompt_ids),
        params=replace(params, speculate=speculate),
        salt=f"{salt}/{uuid.uuid4().hex}",
        traced=traced,
    )


def run_together(engine: Engine, requests: Sequence[Request]) -> list[ArmResult]:
    """Submits all requests at once and returns their results in the same order.

    Each is submitted by a thread of its own: submitting waits for the step under way. Times are the
    engine's own, so reading one stream after the other changes nothing.

    Raises:
        EngineError: a request was refused or ended early; the others are cancelled.
    """
    with ThreadPoolExecutor(max(1, len(requests))) as threads:
        submitted = [threads.submit(engine.submit, request) for request in requests]
    streams = [each.result() for each in submitted if each.exception() is None]
    try:
        for each in submitted:
            each.result()  # raises what was refused
        results = []
        for stream in streams:
            recorder = ArmRecorder()
            for delta in stream:
                recorder.add(delta)
            results.append(recorder.result())
        return results
    finally:
        for stream in streams:
            stream.close()
