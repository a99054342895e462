"""From the engine's statistics of a request to the metrics that are stored."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Protocol

from specchat.answer_cost import AnswerCost
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
    measured = {each.name: getattr(stats, each.name) for each in fields(AnswerCost)}
    return TurnMetrics(
        **measured,
        mode=mode,
        model=info.name,
        speculators=_drafters(params, info) if mode == "speculative" else (),
        temperature=params.temperature,
        seed=params.seed,
        max_tokens=params.max_tokens,
        ttft_ms=_number(stats.ttft_ms) if stats.completion_tokens else None,
        tpot_ms=_number(stats.tpot_ms),
        hardware=info.hardware,
        device=info.device,
        dtype=info.dtype,
        backend=backend,
        code_version=code_version(),
        verification=stats.verification,
    )


def _drafters(params: SamplingParams, info: DescribesModel) -> tuple[str, ...]:
    allowed = params.speculators
    return tuple(name for name in info.speculators if allowed is None or name in allowed)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
