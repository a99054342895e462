"""What one answer of a server cost: measured here, and told by the server."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from specchat.engine.request import TurnStats
from specchat.remote.server import Counted


@dataclass(slots=True)
class Figures:
    """Taken down while an answer comes in. Times are this machine's, with the way there and back;
    what the server does not tell is 0, and `TurnStats.verification` says whose numbers they are."""

    prompt_tokens: int
    started: float = field(default_factory=time.perf_counter)
    first: float | None = None
    last: float | None = None
    text: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    def restart(self) -> None:
        """The request is sent now."""
        self.started = time.perf_counter()

    @property
    def now_ms(self) -> float:
        """Since the request was sent."""
        return 1000 * (time.perf_counter() - self.started)

    @property
    def tells(self) -> bool:
        """True where the server tells of this request alone what speculation did."""
        return "speculative_decoding" in self.metrics

    def heard(self, text: str) -> None:
        """New text of the answer."""
        self.last = time.perf_counter()
        self.first = self.first or self.last
        self.text += text

    def told(self, event: dict[str, Any]) -> None:
        """Take what an event says beside its text."""
        for name, kept in (("usage", self.usage), ("metrics", self.metrics)):
            if isinstance(event.get(name), dict):
                kept.update(event[name])

    def stats(self, counted: Counted | None, tokens_in: Callable[[str], int]) -> TurnStats:
        """The finished request. `counted` is what the whole server did meanwhile; `tokens_in`
        counts a text where the server does not say how long the answer was."""
        spec = self.metrics.get("speculative_decoding") or {}
        steps = [] if not spec else _steps_by_length(spec.get("acceptance_histogram"))
        offered, reached = _by_depth(steps, spec)
        if self.tells:
            drafting, undrafted = _count(spec, "num_spec_steps"), self._undrafted(spec)
            counted = Counted(
                drafting + undrafted,
                _count(spec, "num_draft_tokens"),
                _count(spec, "num_accepted_draft_tokens"),
            )
            if steps or not drafting:
                steps = [undrafted + sum(steps[:1]), *steps[1:]]
        details = self.usage.get("prompt_tokens_details") or {}
        end = self.last or time.perf_counter()
        return TurnStats(
            prompt_tokens=self.prompt_tokens,
            cached_tokens=_count(details, "cached_tokens"),
            completion_tokens=_count(self.usage, "completion_tokens") or tokens_in(self.text),
            queue_ms=_number(self.metrics.get("queue_time_ms")),
            ttft_ms=math.nan if self.first is None else 1000 * (self.first - self.started),
            e2e_ms=1000 * (end - self.started),
            steps=counted.steps if counted else 0,
            drafted=counted.drafted if counted else 0,
            accepted=counted.accepted if counted else 0,
            drafted_by_depth=offered,
            accepted_by_depth=reached,
            drafted_by_source={},
            accepted_by_source={},
            accepted_lengths=tuple(
                length for length, count in enumerate(steps) for _ in range(count)
            ),
            draft_ms=0.0,
            verify_ms=0.0,
            peak_pages=0,
            preemptions=0,
            verification="server" if self.tells else "server-wide" if counted else "untold",
        )

    def _undrafted(self, spec: dict[str, Any]) -> int:
        """Passes without a draft, which vLLM leaves out of its steps: each gave one token, as the
        first pass did, and one that verified a draft gave one more than it accepted."""
        drafting, accepted = (
            _count(spec, name) for name in ("num_spec_steps", "num_accepted_draft_tokens")
        )
        return max(0, _count(self.usage, "completion_tokens") - 1 - accepted - drafting)


def _steps_by_length(histogram: object) -> list[int]:
    """vLLM's histogram: at each index the steps that accepted so many draft tokens."""
    if not isinstance(histogram, list) or not all(isinstance(each, int) for each in histogram):
        return []
    return [max(0, each) for each in histogram]


def _by_depth(steps: list[int], spec: dict[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Steps that offered each depth and steps that reached it. It is known only where every step
    drafted a chain of the same length."""
    offered, depth = _count(spec, "num_spec_steps"), _count(spec, "num_spec_tokens")
    known = len(steps) == depth + 1 and _count(spec, "num_draft_tokens") == offered * depth
    if not steps or not known:
        return (), ()
    return (offered,) * depth, tuple(accumulate(reversed(steps[1:])))[::-1]


def _count(values: dict[str, Any], name: str) -> int:
    found = values.get(name)
    return found if isinstance(found, int) and found > 0 else 0


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and value >= 0 else 0.0
