"""What one arm gave under one traffic, over all its repeats."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from specchat.bench.load.plan import LoadCell
from specchat.bench.load.traffic import ClosedTraffic, RequestRecord
from specchat.bench.report import Report
from specchat.engine.request import TurnStats
from specchat.evidence import Interval, Percentiles, draft_acceptance_rate, mean_acceptance_length
from specchat.evidence.load import Objective, ServedRequest, goodput, latencies


def point_of(group: Sequence[LoadCell], objective: Objective) -> Report:
    """One point of the report: the repeats of one arm under one traffic."""
    users, rate = users_of(group[0]), rate_of(group[0])
    requests = requests_of(group)
    stats = [each for cell in group for each in _stats(cell)]
    rates = [tokens_per_s(cell) for cell in group]
    found = latencies(requests)
    held = [cell.result.occupancy for cell in group]
    return {
        "arm": group[0].arm.name,
        "users": users,
        "rate": rate,
        "requests": len(requests),
        "completed": sum(request.completed for request in requests),
        "refused": _outcomes(group, "refused"),
        "unfinished": _outcomes(group, "unfinished"),
        "tokens_per_s": rounded(statistics.median(rates)),
        "tokens_per_s_each": [rounded(each) for each in rates],
        "requests_per_s": rounded(
            statistics.median(_completed(cell) / cell.result.played.window_s for cell in group)
        ),
        "goodput_per_s": rounded(statistics.median(_goodput(cell, objective) for cell in group)),
        "ttft_ms": _percentiles(found.ttft) | {"p95_ci95": interval_of(found.ttft_p95_ci95)},
        "tpot_ms": _percentiles(found.tpot) | {"p95_ci95": interval_of(found.tpot_p95_ci95)},
        "normalized_ms": _percentiles(found.normalized),
        "longest_gap_ms": _percentiles(found.longest_gap),
        "pages_peak": max(each.pages_peak for each in held),
        "pages_mean": rounded(statistics.fmean(each.pages_mean for each in held)),
        "running_peak": max(each.running_peak for each in held),
        "waiting_peak": max(each.waiting_peak for each in held),
        "preemptions": sum(each.preemptions for each in held),
        "prefix_hit_rate": _hit_rate(stats),
        "mean_acceptance_length": rounded(mean_acceptance_length(stats).token_weighted),
        "draft_acceptance_rate": rounded(draft_acceptance_rate(stats).rate),
        "cpu_ms_per_token": rounded(statistics.median(map(cpu_ms_per_token, group))),
        "sender_cpu_share": rounded(max(cell.result.played.cpu_share for cell in group)),
        "warm": all(cell.result.played.warm for cell in group),
        "miscounted": sum(map(_miscounted, group)),
    }


def users_of(cell: LoadCell) -> int | None:
    """Users of a closed loop; None in an open one."""
    return cell.traffic.users if isinstance(cell.traffic, ClosedTraffic) else None


def rate_of(cell: LoadCell) -> float | None:
    """Arrivals per second of an open loop; None in a closed one."""
    return None if isinstance(cell.traffic, ClosedTraffic) else cell.traffic.rate


def requests_of(group: Sequence[LoadCell]) -> list[ServedRequest]:
    """Every request that counts, of all these cells."""
    return [served(record) for cell in group for record in cell.result.played.records]


def served(record: RequestRecord) -> ServedRequest:
    """A sender's record as the statistics take it."""
    return ServedRequest(
        completed=record.outcome == "completed",
        tokens=record.tokens,
        ttft_ms=record.ttft_ms,
        tpot_ms=record.tpot_ms,
        e2e_ms=record.e2e_ms,
        longest_gap_ms=record.longest_gap_ms,
    )


def _stats(cell: LoadCell) -> list[TurnStats]:
    """The engine's statistics of the requests that count."""
    stats = cell.result.stats
    return [stats[r.index] for r in cell.result.played.records if r.index in stats]


def tokens_per_s(cell: LoadCell) -> float:
    """Tokens that reached the users in the window, per second."""
    return cell.result.played.window_tokens / cell.result.played.window_s


def cpu_ms_per_token(cell: LoadCell) -> float:
    """CPU time of the engine's process for each token: what a machine with other work shows too."""
    held = cell.result.occupancy
    return 1000 * held.cpu_s / held.tokens if held.tokens else math.nan


def _completed(cell: LoadCell) -> int:
    return sum(record.outcome == "completed" for record in cell.result.played.records)


def _goodput(cell: LoadCell, objective: Objective) -> float:
    played = cell.result.played
    return goodput(map(served, played.records), objective, played.window_s)


def _outcomes(group: Sequence[LoadCell], outcome: str) -> int:
    return sum(r.outcome == outcome for cell in group for r in cell.result.played.records)


def _miscounted(cell: LoadCell) -> int:
    """Answers of which the sender got another number of tokens than the engine gave."""
    stats = cell.result.stats
    return sum(
        record.outcome == "completed" and record.tokens != stats[record.index].completion_tokens
        for record in cell.result.played.records
    )


def _hit_rate(stats: Sequence[TurnStats]) -> float:
    asked = sum(each.prompt_tokens for each in stats)
    return rounded(sum(each.cached_tokens for each in stats) / asked) if asked else math.nan


def _percentiles(found: Percentiles) -> Report:
    return {key: rounded(value) for key, value in asdict(found).items()}


def interval_of(interval: Interval) -> list[float]:
    """Both ends, as a report has them."""
    return [rounded(interval.low), rounded(interval.high)]


def rounded(value: Any) -> Any:
    """Four significant digits: more than a load test resolves."""
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    return float(f"{value:.4g}")
