"""A load test's report for a person in a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from specchat.bench.report import Report, where

_HEADERS = (
    "arm", "load", "tok/s", "goodput/s", "TTFT p50", "p95", "TPOT p50", "p95", "pages", "preempt",
    "prefix", "tau",
)  # fmt: skip
_ARMS_ALIGNED = 2  # columns aligned to the left


def load_text(report: Report) -> str:
    """Tables of points and of ratios, users sustained, and where it was measured."""
    kv, objective = report["settings"]["kv"], report["settings"]["objective"]
    lines = [
        *_table([_HEADERS, *map(_row, report["points"])]),
        "",
        f"Times in ms. KV cache: {kv['tokens']:,} tokens in {kv['pages']:,} pages"
        + (f", {kv['bytes'] / 2**20:,.0f} MiB" if kv["bytes"] else ""),
        f"Objective: p95 TTFT at most {objective['ttft_ms']:g} ms, "
        f"p95 TPOT at most {objective['tpot_ms']:g} ms",
        *_sustained_by_arm(report["summary"]["arms"]),
        *_ratios(report["comparisons"]),
        *[_worst(arm, each) for arm, each in report["summary"]["worst_ratio"].items()],
        where(report["environment"]),
    ]
    return "\n".join(lines)


def _row(point: Report) -> tuple[str, ...]:
    load = f"{point['users']} users" if point["users"] else f"{point['rate']:g}/s"
    ttft, tpot = point["ttft_ms"], point["tpot_ms"]
    hit = point["prefix_hit_rate"]
    return (
        point["arm"],
        load,
        _number(point["tokens_per_s"], 0),
        _number(point["goodput_per_s"], 2),
        _number(ttft["p50"], 0),
        _number(ttft["p95"], 0),
        _number(tpot["p50"], 1),
        _number(tpot["p95"], 1),
        str(point["pages_peak"]),
        str(point["preemptions"]),
        f"{hit:.0%}" if _known(hit) else "-",
        _number(point["mean_acceptance_length"], 2),
    )


def _sustained_by_arm(arms: Report) -> list[str]:
    lines = []
    base = arms.get("sequential", {"users_sustained": 0})["users_sustained"]
    for name, arm in arms.items():
        times = f", {arm['users_sustained'] / base:.3g} times sequential" if base else ""
        lines.append(_sustained(name, arm, "" if name == "sequential" else times))
    return lines


def _sustained(name: str, arm: Report, times: str) -> str:
    users, fails = arm["users_sustained"], arm["fails_at"]
    held = f"{users} user{'' if users == 1 else 's'}"
    limit = f"not {fails}" if fails else "the most that was tried"
    if arm["unknown_at"]:
        limit = (
            f"too few answers at {arm['unknown_at']} for a p95: longer --seconds, more --repeats"
        )
    text = f"{name}: {held} within the objective ({limit}){times}"
    text += f"; {arm['users_sustained_normalized']} when the wait counts as part of every token"
    text += f"; {arm['ran_together']} ran together"
    if arm["saturates_at"]:
        text += f"; no more tokens/s beyond {arm['saturates_at']} users"
        text += f", bound by {arm['bound_by']}" if arm["bound_by"] else ""
    return text


def _worst(arm: str, worst: Report) -> str:
    return (
        f"{arm} at its worst: {worst['ratio']:.3f} of plain's tokens/s, at {worst['users']} users"
    )


def _ratios(comparisons: Sequence[Report]) -> list[str]:
    return [
        f"{each['arm']} / {each['over']} at {each['users']}: {each['median']:.3f} of the tokens/s, "
        f"{_interval(each)}, {each['pairs']} pair{'' if each['pairs'] == 1 else 's'}; "
        f"{each['cpu_per_token']:.3f} of the CPU time a token"
        for each in comparisons
    ]


def _interval(ratio: Report) -> str:
    low, high = ratio["ci95"]
    if not _known(low):
        low, high = ratio["range"]
        return f"from {low:.3f} to {high:.3f}"
    return f"95 % interval {low:.3f} to {high:.3f}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if at < _ARMS_ALIGNED else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _number(value: float | None, digits: int) -> str:
    return f"{value:.{digits}f}" if value is not None and _known(value) else "-"


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
