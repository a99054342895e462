"""Turns and races made up for tests."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from specchat.bench.arms import ArmResult
from specchat.bench.race import PairResult
from specchat.engine.request import Token, TurnStats
from storage import RaceArm, RaceRecord, Store, TurnMetrics, TurnRecord


def stats(tokens: int = 148, e2e_ms: float = 731.0, **changes: Any) -> TurnStats:
    """Statistics of a speculative answer: 38 ms to the first token, 43 passes."""
    steps = max(1, round(tokens / 3.4)) if tokens else 0
    values: dict[str, Any] = {
        "prompt_tokens": 40,
        "cached_tokens": 0,
        "completion_tokens": tokens,
        "queue_ms": 0.0,
        "ttft_ms": 38.0,
        "e2e_ms": e2e_ms,
        "steps": steps,
        "drafted": 148,
        "accepted": 105,
        "drafted_by_depth": (44, 40, 30),
        "accepted_by_depth": (40, 35, 30),
        "drafted_by_source": {"mlp": 148},
        "accepted_by_source": {"mlp": 105},
        "accepted_lengths": (2,) * steps,
        "draft_ms": 10.0,
        "verify_ms": 500.0,
        "peak_pages": 12,
        "preemptions": 0,
    }
    return TurnStats(**{**values, **changes})


def plain_stats(tokens: int = 148, e2e_ms: float = 1_900.0) -> TurnStats:
    """Statistics of a plain answer."""
    return stats(
        tokens,
        e2e_ms,
        steps=tokens,
        drafted=0,
        accepted=0,
        drafted_by_depth=(),
        accepted_by_depth=(),
        drafted_by_source={},
        accepted_by_source={},
        accepted_lengths=(0,) * tokens,
    )


def metrics(mode: str = "speculative", **changes: Any) -> TurnMetrics:
    """Stored metrics of one turn."""
    made = plain_stats() if mode == "plain" else stats()
    stored = {field.name for field in fields(TurnMetrics)}
    values = {name: value for name, value in asdict(made).items() if name in stored}
    values["tpot_ms"] = made.tpot_ms
    values |= {
        "mode": mode,
        "model": "care",
        "speculators": ("mlp",) if mode == "speculative" else (),
        "temperature": 0.0,
        "seed": 7,
        "max_tokens": 256,
        "hardware": "2 threads",
        "device": "cpu",
        "dtype": "float32",
        "backend": "eager",
        "code_version": "0",
    }
    return TurnMetrics(**{**values, **changes})


def race(prompt: str = "Where is it?", plain_ms: float = 1_900.0, **changes: Any) -> RaceRecord:
    """A stored race."""
    values: dict[str, Any] = {
        "prompt": prompt,
        "identical": True,
        "first": "plain",
        "plain": RaceArm(answer="a", metrics=metrics("plain", e2e_ms=plain_ms)),
        "speculative": RaceArm(answer="a", metrics=metrics()),
    }
    return RaceRecord(**{**values, **changes})


def fill_charts(store: Store) -> None:
    """Enough for every chart: races that gain and races that lose, and a turn whose drafts are so
    useless that an alarm is raised."""
    for i in range(6):
        store.record_race(race(f"refund {i}", 1_500.0 + 100 * i))
        store.record_race(race(f"parcel {i}", 500.0 + i))
    record_turn(store, drafted=1_000, accepted=1, accepted_by_depth=(1, 0, 0))


def record_turn(store: Store, **changes: Any) -> None:
    """A turn of a chat with words that nobody may see, and changed metrics."""
    store.record_turn(
        TurnRecord(
            conversation_id=store.create_conversation("someone"),
            question="secret question",
            answer="secret answer",
            status="completed",
            metrics=metrics(**changes),
        )
    )


def pair(plain: TurnStats, speculative: TurnStats, *, identical: bool = True) -> PairResult:
    """A finished race with one word for each token."""
    return PairResult(_arm(plain), _arm(speculative), identical, "plain")


def _arm(made: TurnStats) -> ArmResult:
    n = made.completion_tokens
    tokens = tuple(Token(i, f"w{i} ", "target") for i in range(n))
    times = tuple(made.ttft_ms + i for i in range(n))
    return ArmResult(tokens, times, made)
