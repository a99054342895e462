"""The report of `specchat bench load`: one point for each arm and traffic, and what follows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from specchat.bench.environment import Environment
from specchat.bench.load.plan import LoadCell, LoadPlan
from specchat.bench.load.points import (
    cpu_ms_per_token,
    interval_of,
    point_of,
    rate_of,
    requests_of,
    rounded,
    tokens_per_s,
    users_of,
)
from specchat.bench.load.traffic import ClosedTraffic
from specchat.bench.report import Report
from specchat.evidence.load import (
    Level,
    Objective,
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
    points = [point_of(group, objective) for group in groups]
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
        key = (cell.arm.name, users_of(cell) or 0, rate_of(cell) or 0)
        groups.setdefault(key, []).append(cell)
    return [groups[key] for key in sorted(groups, key=lambda k: (k[2], arms.index(k[0]), k[1]))]


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
    ratio = throughput_ratio((tokens_per_s(one), tokens_per_s(other)) for one, other in pairs)
    cpu = [cpu_ms_per_token(other) / cpu_ms_per_token(one) for one, other in pairs]
    return {
        "arm": arm,
        "over": base,
        "users": users,
        "median": rounded(ratio.median),
        "ci95": interval_of(ratio.ci95),
        "range": [rounded(ratio.low), rounded(ratio.high)],
        "pairs": ratio.pairs,
        "cpu_per_token": rounded(statistics.median(cpu)),
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
            Level(point["users"], latencies(requests_of(group)), point["refused"])
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
