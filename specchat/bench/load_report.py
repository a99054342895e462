"""The report of `specchat bench load`: one point for each arm and traffic, and what follows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from specchat.bench.environment import Environment
from specchat.bench.load import LoadCell, LoadPlan
from specchat.bench.report import Report
from specchat.bench.traffic import ClosedTraffic, RequestRecord
from specchat.engine.request import TurnStats
from specchat.evidence import Interval, Percentiles, draft_acceptance_rate, mean_acceptance_length
from specchat.evidence.load import (
    Level,
    Objective,
    ServedRequest,
    goodput,
    latencies,
    saturation,
    sustained,
    sustained_normalized,
    throughput_ratio,
)

FULL_SHARE = 0.95
COMPARED = (
    ("speculative", "plain"),
    ("plain again", "plain"),
    ("contiguous", "sequential"),
    ("paged", "contiguous"),
    ("plain", "paged"),
    ("speculative", "sequential"),
)
"""(an arm, the arm it is compared with)"""


@dataclass(frozen=True, slots=True)
class KvCapacity:
    """The KV cache that every arm has."""

    bytes: int | None  # as asked for; None: the loader's choice
    tokens: int
    pages: int
    page_size: int
    context_length: int  # tokens
    reserved_tokens: int  # that a request of the contiguous arms holds


@dataclass(frozen=True, slots=True)
class LoadSource:
    """The prompts of a load test."""

    name: str
    prompts: int
    left_out: int  # prompts that do not fit the context


def load_report(
    environment: Environment,
    plan: LoadPlan,
    objective: Objective,
    capacity: KvCapacity,
    source: LoadSource,
    cells: Sequence[LoadCell],
) -> Report:
    """The whole report. Times in milliseconds, throughput in tokens per second."""
    groups = _grouped(cells, [arm.name for arm in plan.arms])
    points = [_point(group, objective) for group in groups]
    comparisons = _comparisons(cells)
    return {
        "kind": "load",
        "environment": asdict(environment),
        "settings": {
            "prompts": source.name,
            "prompts_used": source.prompts,
            "prompts_left_out": source.left_out,
            "max_tokens": plan.params.max_tokens,
            "temperature": plan.params.temperature,
            "seed": plan.seed,
            "seconds": plan.seconds,
            "repeats": plan.repeats,
            "arms": [asdict(arm) for arm in plan.arms],
            "kv": asdict(capacity),
            "objective": asdict(objective),
        },
        "points": points,
        "comparisons": comparisons,
        "summary": {
            "arms": _arms(plan, points, groups, objective, capacity),
            "worst_ratio": _worst(comparisons),
        },
    }


def _grouped(cells: Sequence[LoadCell], arms: Sequence[str]) -> list[list[LoadCell]]:
    """The repeats of each arm and traffic; closed loop first, by arm, by load."""
    groups: dict[tuple[str, float, float], list[LoadCell]] = {}
    for cell in cells:
        users, rate = _load(cell)
        groups.setdefault((cell.arm.name, users or 0, rate or 0), []).append(cell)
    return [groups[key] for key in sorted(groups, key=lambda k: (k[2], arms.index(k[0]), k[1]))]


def _load(cell: LoadCell) -> tuple[int | None, float | None]:
    if isinstance(cell.traffic, ClosedTraffic):
        return cell.traffic.users, None
    return None, cell.traffic.rate


def _point(group: Sequence[LoadCell], objective: Objective) -> Report:
    users, rate = _load(group[0])
    requests = [served(record) for cell in group for record in cell.result.played.records]
    stats = [each for cell in group for each in _stats(cell)]
    rates = [_tokens_per_s(cell) for cell in group]
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
        "tokens_per_s": _rounded(statistics.median(rates)),
        "tokens_per_s_each": [_rounded(each) for each in rates],
        "requests_per_s": _rounded(
            statistics.median(_completed(cell) / cell.result.played.window_s for cell in group)
        ),
        "goodput_per_s": _rounded(statistics.median(_goodput(cell, objective) for cell in group)),
        "ttft_ms": _percentiles(found.ttft) | {"p95_ci95": _interval(found.ttft_p95_ci95)},
        "tpot_ms": _percentiles(found.tpot) | {"p95_ci95": _interval(found.tpot_p95_ci95)},
        "normalized_ms": _percentiles(found.normalized),
        "longest_gap_ms": _percentiles(found.longest_gap),
        "pages_peak": max(each.pages_peak for each in held),
        "pages_mean": _rounded(statistics.fmean(each.pages_mean for each in held)),
        "running_peak": max(each.running_peak for each in held),
        "waiting_peak": max(each.waiting_peak for each in held),
        "preemptions": sum(each.preemptions for each in held),
        "prefix_hit_rate": _hit_rate(stats),
        "mean_acceptance_length": _rounded(mean_acceptance_length(stats).token_weighted),
        "draft_acceptance_rate": _rounded(draft_acceptance_rate(stats).rate),
        "cpu_ms_per_token": _rounded(statistics.median(map(_cpu_ms_per_token, group))),
        "sender_cpu_share": _rounded(max(cell.result.played.cpu_share for cell in group)),
        "warm": all(cell.result.played.warm for cell in group),
        "miscounted": sum(map(_miscounted, group)),
    }


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


def _tokens_per_s(cell: LoadCell) -> float:
    return cell.result.played.window_tokens / cell.result.played.window_s


def _cpu_ms_per_token(cell: LoadCell) -> float:
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
    return _rounded(sum(each.cached_tokens for each in stats) / asked) if asked else math.nan


def _comparisons(cells: Sequence[LoadCell]) -> list[Report]:
    """Throughput ratios of the pairs of arms that ran next to each other."""
    by_arm: dict[tuple[str, int, int], LoadCell] = {
        (cell.arm.name, cell.traffic.users, cell.repeat): cell
        for cell in cells
        if isinstance(cell.traffic, ClosedTraffic)
    }
    levels = sorted({users for _, users, _ in by_arm})
    repeats = sorted({repeat for _, _, repeat in by_arm})
    found = []
    for arm, base in COMPARED:
        for users in levels:
            keys = [((base, users, r), (arm, users, r)) for r in repeats]
            pairs = [(by_arm[a], by_arm[b]) for a, b in keys if a in by_arm and b in by_arm]
            if pairs:
                found.append(_comparison(arm, base, users, pairs))
    return found


def _comparison(
    arm: str, base: str, users: int, pairs: Sequence[tuple[LoadCell, LoadCell]]
) -> Report:
    ratio = throughput_ratio((_tokens_per_s(one), _tokens_per_s(other)) for one, other in pairs)
    cpu = [_cpu_ms_per_token(other) / _cpu_ms_per_token(one) for one, other in pairs]
    return {
        "arm": arm,
        "over": base,
        "users": users,
        "median": _rounded(ratio.median),
        "ci95": _interval(ratio.ci95),
        "range": [_rounded(ratio.low), _rounded(ratio.high)],
        "pairs": ratio.pairs,
        "cpu_per_token": _rounded(statistics.median(cpu)),
    }


def _arms(
    plan: LoadPlan,
    points: Sequence[Report],
    groups: Sequence[Sequence[LoadCell]],
    objective: Objective,
    capacity: KvCapacity,
) -> Report:
    closed = [(p, g) for p, g in zip(points, groups, strict=True) if p["users"] is not None]
    arms = {}
    for arm in plan.arms:
        mine = [(point, group) for point, group in closed if point["arm"] == arm.name]
        if not mine:
            continue
        levels = [
            Level(point["users"], latencies(_requests(group)), point["refused"])
            for point, group in mine
        ]
        held = sustained(levels, objective)
        with_wait = sustained_normalized(levels, objective.tpot_ms)
        full = saturation((point["users"], point["tokens_per_s"]) for point, _ in mine)
        arms[arm.name] = {
            "users_sustained": held.users,
            "fails_at": held.fails_at,
            "unknown_at": held.unknown_at,
            "users_sustained_normalized": with_wait.users,
            "normalized_fails_at": with_wait.fails_at,
            "ran_together": max(point["running_peak"] for point, _ in mine),
            "highest_tokens_per_s": max(point["tokens_per_s"] for point, _ in mine),
            "saturates_at": full,
            "bound_by": _bound(arm.slots, full, [point for point, _ in mine], capacity),
        }
    return arms


def _worst(comparisons: Sequence[Report]) -> Report:
    """For each arm that ran beside plain: where it gave the fewest of plain's tokens a second."""
    worst: Report = {}
    for each in comparisons:
        known = each["over"] == "plain" and math.isfinite(each["median"])
        if known and each["median"] < worst.get(each["arm"], {"ratio": math.inf})["ratio"]:
            worst[each["arm"]] = {"ratio": each["median"], "users": each["users"]}
    return worst


def _bound(
    slots: int | None, full: int | None, points: Iterable[Report], capacity: KvCapacity
) -> str | None:
    """What keeps more users from getting more tokens: looked at one level above the knee."""
    above = [point for point in points if full is not None and point["users"] > full]
    if not above:
        return None
    point = min(above, key=lambda each: each["users"])
    if slots is not None and point["users"] > slots:
        return "reservations" if slots > 1 else "one at a time"
    if point["preemptions"] or point["pages_peak"] >= FULL_SHARE * capacity.pages:
        return "pages"
    return "compute"


def _requests(group: Sequence[LoadCell]) -> list[ServedRequest]:
    return [served(record) for cell in group for record in cell.result.played.records]


def _percentiles(found: Percentiles) -> Report:
    return {key: _rounded(value) for key, value in asdict(found).items()}


def _interval(interval: Interval) -> list[float]:
    return [_rounded(interval.low), _rounded(interval.high)]


def _rounded(value: Any) -> Any:
    """Four significant digits: more than a load test resolves."""
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    return float(f"{value:.4g}")
