"""From the engine's statistics of a request to the metrics that are stored."""

from __future__ import annotations

import math
from typing import Protocol

from specchat.engine.request import SamplingParams, TurnStats
from specchat.version import code_version
from storage import TurnMetrics
from storage.records import Mode


class DescribesModel(Protocol):
    """What is needed of the engine's `ModelInfo`."""

    @property
    def name(self) -> str: ...
    @property
    def speculators(self) -> tuple[str, ...]: ...
    @property
    def hardware(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def dtype(self) -> str: ...


def metrics_from(
    stats: TurnStats,
    params: SamplingParams,
    info: DescribesModel,
    mode: Mode,
    *,
    backend: str = "",
) -> TurnMetrics:
    """The stored form of one request's statistics.

    `backend` is the engine's word for how steps run at the time ("eager", "compiled 5/7").
    A plain request names no speculator, another one those that it allowed.
    """
    return TurnMetrics(
        mode=mode,
        model=info.name,
        speculators=_drafters(params, info) if mode == "speculative" else (),
        temperature=params.temperature,
        seed=params.seed,
        max_tokens=params.max_tokens,
        prompt_tokens=stats.prompt_tokens,
        cached_tokens=stats.cached_tokens,
        completion_tokens=stats.completion_tokens,
        queue_ms=stats.queue_ms,
        ttft_ms=_number(stats.ttft_ms) if stats.completion_tokens else None,
        tpot_ms=_number(stats.tpot_ms),
        e2e_ms=stats.e2e_ms,
        steps=stats.steps,
        drafted=stats.drafted,
        accepted=stats.accepted,
        drafted_by_depth=tuple(stats.drafted_by_depth),
        accepted_by_depth=tuple(stats.accepted_by_depth),
        drafted_by_source=dict(stats.drafted_by_source),
        accepted_by_source=dict(stats.accepted_by_source),
        accepted_lengths=tuple(stats.accepted_lengths),
        draft_ms=stats.draft_ms,
        verify_ms=stats.verify_ms,
        peak_pages=stats.peak_pages,
        preemptions=stats.preemptions,
        hardware=info.hardware,
        device=info.device,
        dtype=info.dtype,
        backend=backend,
        code_version=code_version(),
        plain_steps=stats.plain_steps,
        verification=params.verification,
        asked_by_speculator=dict(stats.asked_by_speculator),
        draft_ms_by_speculator=dict(stats.draft_ms_by_speculator),
    )


def _drafters(params: SamplingParams, info: DescribesModel) -> tuple[str, ...]:
    allowed = params.speculators
    return tuple(name for name in info.speculators if allowed is None or name in allowed)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
