"""Records with sensible values, for tests that care about only some of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from storage import AuditRecord, Divergence, RaceArm, RaceRecord, TurnMetrics, TurnRecord

_METRICS = TurnMetrics(
    mode="speculative",
    model="care",
    speculators=("mlp", "ngram"),
    temperature=0.8,
    seed=2**63 - 1,
    max_tokens=128,
    prompt_tokens=50,
    cached_tokens=16,
    completion_tokens=100,
    queue_ms=0.5,
    ttft_ms=31.25,
    tpot_ms=1.5,
    e2e_ms=179.75,
    steps=30,
    drafted=120,
    accepted=70,
    drafted_by_depth=(30, 30, 30, 30),
    accepted_by_depth=(25, 20, 15, 10),
    drafted_by_source={"mlp": 100, "ngram": 20},
    accepted_by_source={"mlp": 60, "ngram": 10},
    accepted_lengths=(4, 0, 3),
    draft_ms=20.0,
    verify_ms=110.0,
    peak_pages=10,
    preemptions=0,
    hardware="a test machine, 2 threads",
    device="cpu",
    dtype="float32",
    backend="eager",
    code_version="0.1",
    verification="rejection",
)


def metrics(**changes: Any) -> TurnMetrics:
    """The measurements of one turn."""
    return replace(_METRICS, **changes)


def turn(conversation_id: str | None, **changes: Any) -> TurnRecord:
    """A completed turn."""
    values: dict[str, Any] = {
        "question": "Where is my refund?",
        "answer": "It is on its way.",
        "status": "completed",
        "metrics": _METRICS,
    }
    return TurnRecord(conversation_id=conversation_id, **(values | changes))


def race(**changes: Any) -> RaceRecord:
    """A race that both arms finished."""
    values: dict[str, Any] = {
        "prompt": "Where is my refund?",
        "identical": True,
        "first": "speculative",
        "plain": RaceArm(answer="Soon.", metrics=metrics(mode="plain", tpot_ms=3.0)),
        "speculative": RaceArm(answer="Soon.", metrics=metrics(tpot_ms=1.5)),
    }
    return RaceRecord(**(values | changes))


def audit(**changes: Any) -> AuditRecord:
    """An audit with one divergence."""
    values: dict[str, Any] = {
        "model": "care",
        "speculators": ("mlp",),
        "temperature": 0.0,
        "seed": 1,
        "max_tokens": 64,
        "hardware": "a test machine",
        "dtype": "float32",
        "backend": "eager",
        "code_version": "0.1",
        "prompts": 200,
        "identical": 199,
        "divergences": (Divergence("p7", 12, 400, 401, 1e-6, True),),
    }
    return AuditRecord(**(values | changes))
