"""Figures of a load test: throughput, latencies and users sustained, one line for each arm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go  # type: ignore[import-untyped]

from specchat.bench.report import Report
from specchat.ui.shared.charts import UPPER_LEFT, _figure
from specchat.ui.shared.format import known
from specchat.ui.shared.theme import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY


@dataclass(frozen=True)
class ArmLook:
    """How an arm is drawn: told apart without colour too."""

    colour: str
    dash: str
    symbol: str
    label: str


LOOKS = {
    "sequential": ArmLook(GREY, "dot", "x", "one at a time, contiguous"),
    "contiguous": ArmLook(PURPLE, "dashdot", "square", "batched, contiguous"),
    "paged": ArmLook(GREEN, "longdash", "triangle-up", "batched, paged"),
    "plain": ArmLook(ORANGE, "dash", "diamond", "+ prefix cache (plain)"),
    "speculative": ArmLook(BLUE, "solid", "circle", "+ speculation"),
    "plain again": ArmLook(SKY, "dot", "diamond-open", "plain again (null)"),
}
_OTHER = ArmLook(GREY, "solid", "circle-open", "")


@dataclass(frozen=True)
class Mark:
    """A value with its interval (nan when unknown)."""

    x: float
    y: float
    low: float
    high: float
    hover: str


def load_figures(report: Report) -> list[go.Figure]:
    """What a report can show, the most important first: users sustained, throughput against
    users, latencies against users, ratios; for an open loop goodput and TTFT against arrivals.

    Raises:
        KeyError, TypeError, ValueError: this is no report of a load test.
    """
    closed = [point for point in report["points"] if point["users"]]
    opened = [point for point in report["points"] if point["rate"]]
    figures: list[go.Figure] = []
    source = provenance(report)
    objective = report["settings"]["objective"]
    if closed:
        figures += [
            users_sustained(report, source),
            _lines("Throughput", closed, "tokens per second", source, _throughput),
            _lines("TPOT, p95", closed, "ms", source, _p95("tpot_ms"), objective["tpot_ms"]),
            _lines("TTFT, p95", closed, "ms", source, _p95("ttft_ms"), objective["ttft_ms"]),
        ]
    ratios = [each for each in report["comparisons"] if each["over"] == "plain"]
    if ratios:
        figures.append(speculation_ratio(ratios, source))
    if opened:
        title = "Goodput (answers within the objective)"
        figures += [
            _lines(title, opened, "requests per second", source, _goodput, load="rate"),
            _lines(
                "TTFT, p95", opened, "ms", source, _p95("ttft_ms"), objective["ttft_ms"], "rate"
            ),
        ]
    return figures


def users_sustained(report: Report, source: str) -> go.Figure:
    """Users that each arm serves within the objective, with the same KV memory."""
    arms, objective = report["summary"]["arms"], report["settings"]["objective"]
    figure = _figure(
        f"Users with p95 TTFT ≤ {objective['ttft_ms']:g} ms and p95 TPOT ≤ "
        f"{objective['tpot_ms']:g} ms (n = {_requests(report):,} answers)",
        "users sustained",
        source,
    )
    for name, arm in arms.items():
        look = LOOKS.get(name, _OTHER)
        figure.add_bar(
            x=[arm["users_sustained"]],
            y=[look.label or name],
            orientation="h",
            marker={"color": look.colour},
            showlegend=False,
            text=[_sustained_words(arm)],
            textposition="auto",
            hovertemplate=f"%{{y}}: %{{x}} users<extra>bound by {arm['bound_by'] or '–'}</extra>",
        )
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(autorange="reversed")
    return figure


def speculation_ratio(ratios: Sequence[Report], source: str) -> go.Figure:
    """Tokens per second over plain's, at every number of users, the null beside it."""
    pairs = sum(each["pairs"] for each in ratios)
    figure = _figure(
        f"Throughput over plain, median and 95 % interval or range (n = {pairs} pairs)",
        "users",
        source,
    )
    for arm in dict.fromkeys(each["arm"] for each in ratios):
        marks = [_ratio_mark(each) for each in ratios if each["arm"] == arm]
        _add_line(figure, arm, marks)
    figure.add_hline(y=1, line={"color": GREY, "dash": "dash", "width": 1.5})
    figure.update_xaxes(type="category")
    figure.update_yaxes(title="times plain", rangemode="tozero")
    return figure


def provenance(report: Report) -> str:
    """Machine, model, settings, date and commit behind a report."""
    where, settings = report["environment"], report["settings"]
    memory = settings["kv"]["bytes"]
    held = f"{memory / 2**20:.0f} MiB" if memory else f"{settings['kv']['tokens']:,} tokens"
    return " · ".join(
        [
            f"model {where['model'].rpartition('/')[2]}",
            where["dtype"],
            where["backend"],
            where["hardware"],
            f"KV cache {held}",
            f"prompts {settings['prompts']}",
            f"at most {settings['max_tokens']} tokens",
            f"temperature {settings['temperature']:g}",
            f"{settings['repeats']} x {settings['seconds']:g} s at each load",
            where["started_at"][:10],
            f"commit {where['commit'] or '–'}",
        ]
    )


def _lines(
    title: str,
    points: Sequence[Report],
    y_title: str,
    source: str,
    mark: Callable[[Report, Any], Mark],
    limit: float | None = None,
    load: str = "users",
) -> go.Figure:
    """One value against the load, a line for each arm, and the objective's limit."""
    x_title = "users" if load == "users" else "requests per second that arrive"
    n = sum(point["completed"] for point in points)
    target = "" if limit is None else f", objective {limit:g} ms"
    figure = _figure(f"{title}{target} (n = {n:,} answers)", x_title, source)
    for arm in dict.fromkeys(point["arm"] for point in points):
        marks = [mark(point, point[load]) for point in points if point["arm"] == arm]
        _add_line(figure, arm, [each for each in marks if known(each.y)])
    if limit is not None:
        figure.add_hline(y=limit, line={"color": GREY, "dash": "dash", "width": 1.5})
    figure.update_xaxes(type="category")
    figure.update_yaxes(title=y_title, rangemode="tozero")
    if title.startswith("TTFT"):
        figure.update_yaxes(type="log", rangemode="normal")
    figure.update_layout(legend=UPPER_LEFT)
    return figure


def _add_line(figure: go.Figure, arm: str, marks: Sequence[Mark]) -> None:
    look = LOOKS.get(arm, _OTHER)
    figure.add_scatter(
        x=[f"{each.x:g}" for each in marks],
        y=[each.y for each in marks],
        mode="lines+markers",
        name=look.label or arm,
        line={"color": look.colour, "dash": look.dash, "width": 2.5},
        marker={"color": look.colour, "symbol": look.symbol, "size": 9},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [_reach(each.high - each.y) for each in marks],
            "arrayminus": [_reach(each.y - each.low) for each in marks],
            "color": look.colour,
            "thickness": 1.5,
            "width": 4,
        },
        text=[each.hover for each in marks],
        hovertemplate="%{text}<extra>" + (look.label or arm) + "</extra>",
    )


def _throughput(point: Report, x: Any) -> Mark:
    value, each = point["tokens_per_s"], point["tokens_per_s_each"]
    hover = f"{value:.0f} tokens/s, {len(each)} windows from {min(each):.0f} to {max(each):.0f}"
    return Mark(x, value, min(each), max(each), hover)


def _goodput(point: Report, x: Any) -> Mark:
    value = point["goodput_per_s"]
    hover = f"{value:.2f} of {x:g} requests/s in time (n = {point['requests']})"
    return Mark(x, value, value, value, hover)


def _p95(name: str) -> Callable[[Report, Any], Mark]:
    def mark(point: Report, x: Any) -> Mark:
        found = point[name]
        if found["p95"] is None:
            return Mark(x, float("nan"), 0, 0, "")
        low, high = (found["p95"] if end is None else end for end in found["p95_ci95"])
        hover = f"p95 {found['p95']:.1f} ms, p50 {found['p50']:.1f} ms (n = {found['n']})"
        return Mark(x, found["p95"], low, high, hover)

    return mark


def _ratio_mark(ratio: Report) -> Mark:
    low, high = ratio["ci95"]
    if low is None:
        low, high = ratio["range"]
    hover = f"{ratio['median']:.3f}x, {low:.3f} to {high:.3f} ({ratio['pairs']} pairs)"
    return Mark(ratio["users"], ratio["median"], low, high, hover)


def _sustained_words(arm: Report) -> str:
    users = arm["users_sustained"]
    if arm["fails_at"]:
        return f"{users} (not {arm['fails_at']})"
    if arm["unknown_at"]:
        return f"{users} (too few answers at {arm['unknown_at']})"
    return f"{users} or more"


def _requests(report: Report) -> int:
    return sum(point["completed"] for point in report["points"] if point["users"])


def _reach(length: float) -> float:
    return max(0.0, length) if known(length) else 0.0
