"""What the rounds say, as a report and as text."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from specchat.bench.http.rounds import HttpPlan, Round
from specchat.evidence.interval import bootstrap_median
from specchat.evidence.load import throughput_ratio

Report = dict[str, Any]


def http_report(rounds: Sequence[Round], plan: HttpPlan, environment: dict[str, Any]) -> Report:
    """Throughput as a ratio, the first token as a difference; pairs are rounds."""
    ratio = throughput_ratio(
        (each.engine.tokens_per_second, each.http.tokens_per_second) for each in rounds
    )
    added = np.array([each.http.first_ms - each.engine.first_ms for each in rounds])
    spread = bootstrap_median(added)
    return {
        "summary": {
            "streams": plan.streams,
            "rounds": len(rounds),
            "engine_tokens_per_second": _median(each.engine.tokens_per_second for each in rounds),
            "http_tokens_per_second": _median(each.http.tokens_per_second for each in rounds),
            "throughput_ratio": ratio.median,
            "throughput_ratio_ci95": [ratio.ci95.low, ratio.ci95.high],
            "added_first_ms": float(np.median(added)),
            "added_first_ms_ci95": [spread.low, spread.high],
        },
        "rounds": [asdict(each) for each in rounds],
        "environment": environment,
    }


def http_text(report: Report) -> str:
    """Two lines for a person."""
    found = report["summary"]
    low, high = found["throughput_ratio_ci95"]
    least, most = found["added_first_ms_ci95"]
    return (
        f"{found['streams']} at once, {found['rounds']} rounds: "
        f"{found['engine_tokens_per_second']:.0f} tokens/s from the engine, "
        f"{found['http_tokens_per_second']:.0f} through HTTP: "
        f"{found['throughput_ratio']:.3f} of it ({low:.3f} to {high:.3f})\n"
        f"first token {found['added_first_ms']:+.1f} ms through HTTP ({least:+.1f} to {most:+.1f})"
    )


def _median(values: Any) -> float:
    return float(statistics.median(values))
