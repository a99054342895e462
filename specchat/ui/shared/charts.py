"""Figures. Transparent, with a mid-tone grid; the style sheet colours texts for light and dark."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import plotly.graph_objects as go  # type: ignore[import-untyped]

from specchat.ui.shared.format import duration, known
from specchat.ui.shared.theme import GREY, PLAIN, SPECULATIVE

MODE_COLOURS = {"plain": PLAIN, "speculative": SPECULATIVE}
MODE_DASHES = {"plain": "dot", "speculative": "solid"}
MODE_SYMBOLS = {"plain": "diamond", "speculative": "circle"}
_GRID = "rgba(138,146,158,0.28)"
LOWER_RIGHT = {"x": 1, "xanchor": "right", "y": 0.02, "yanchor": "bottom"}
UPPER_LEFT = {"x": 0.02, "xanchor": "left", "y": 0.98, "yanchor": "top"}
"""Corners that curves and points leave free; outside the axes a legend needs a wide screen."""
_FONT = "Inter, Segoe UI, Roboto, Helvetica Neue, Arial, sans-serif"


@dataclass(frozen=True)
class PairPoint:
    """One race as a point."""

    plain_ms: float
    speculative_ms: float
    label: str


@dataclass(frozen=True)
class Estimate:
    """An estimate with its 95 % interval (nan when unknown) and the observations behind it."""

    name: str
    value: float
    low: float
    high: float
    n: int
    values: tuple[float, ...] = ()  # the observations themselves


@dataclass(frozen=True)
class Curve:
    """An empirical distribution of one mode: sorted values, shares, and marked percentiles."""

    mode: str
    values_ms: tuple[float, ...]
    shares: tuple[float, ...]
    n: int
    p50_ms: float | None
    p95_ms: float | None


TITLE_WIDTH = 44  # characters of a line
MOST_LABELS = 12
"""Below an axis, before they run into each other."""


def paired_scatter(points: Sequence[PairPoint], provenance: str) -> go.Figure:
    """Plain against speculative time of races; below the diagonal speculation won."""
    figure = _figure(
        f"Races with the same answer, end to end (n = {len(points)})", "plain, ms", provenance
    )
    top = max((max(p.plain_ms, p.speculative_ms) for p in points), default=1.0) * 1.08
    figure.add_scatter(
        x=[0, top], y=[0, top], mode="lines", name="same time (y = x)",
        line={"color": GREY, "dash": "dash", "width": 1.5}, hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=[p.plain_ms for p in points],
        y=[p.speculative_ms for p in points],
        mode="markers",
        name="race",
        text=[p.label for p in points],
        marker={"color": SPECULATIVE, "size": 9, "opacity": 0.75,
                "line": {"color": "white", "width": 1}},
        hovertemplate="plain %{x:.0f} ms<br>speculative %{y:.0f} ms<br>%{text}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(range=[0, top])
    figure.update_yaxes(title="speculative, ms", range=[0, top])
    figure.update_layout(legend=UPPER_LEFT)
    return figure


def paired_speedups(
    rows: Sequence[Estimate],
    provenance: str,
    title: str = "Paired speedup",
    *,
    same: bool = True,
) -> go.Figure:
    """Median paired speedup of each row with its interval, over every single race. The rows are of
    the `same` races, or of different ones."""
    n = max((len(row.values) for row in rows), default=0) if same else sum(map(_races, rows))
    figure = _figure(
        f"{title}, median and 95 % interval (n = {n})",
        "plain / speculative time (1 = the same)",
        provenance,
    )
    for row in rows:
        figure.add_scatter(
            x=row.values, y=[row.name] * len(row.values), mode="markers", showlegend=False,
            marker={"color": GREY, "size": 7, "opacity": 0.45, "symbol": "line-ns-open"},
            hovertemplate="%{x:.2f}x<extra>one race</extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=[row.value], y=[row.name], mode="markers+text", showlegend=False,
            text=[f"{row.value:.2f}x"], textposition="top center",
            marker={"color": SPECULATIVE, "size": 12},
            error_x=_error(row), hovertemplate=_interval_text(row, "x"),
        )  # fmt: skip
    figure.add_vline(x=1, line={"color": GREY, "dash": "dash", "width": 1.5})
    figure.update_yaxes(range=[len(rows) - 0.4, -0.75])
    return figure


def _races(row: Estimate) -> int:
    return len(row.values)


def distribution(title: str, curves: Sequence[Curve], provenance: str) -> go.Figure:
    """Empirical distribution functions, one line for each mode, with p50 and p95 marked."""
    counted = ", ".join(f"{curve.mode} n = {curve.n}" for curve in curves)
    figure = _figure(f"{title} ({counted})", "ms", provenance)
    for curve in curves:
        colour = MODE_COLOURS.get(curve.mode, GREY)
        figure.add_scatter(
            x=[*curve.values_ms[:1], *curve.values_ms], y=[0.0, *curve.shares],
            mode="lines", name=_curve_name(curve),
            line={"color": colour, "shape": "hv", "width": 2.5,
                  "dash": MODE_DASHES.get(curve.mode, "solid")},
            hovertemplate="%{y:.0%} within %{x:.0f} ms<extra>" + curve.mode + "</extra>",
        )  # fmt: skip
        for name, share, value in (("p50", 0.5, curve.p50_ms), ("p95", 0.95, curve.p95_ms)):
            if value is not None:
                _add_percentile(figure, name, value, share, curve.mode)
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(title="share of turns", range=[0, 1.04], tickformat=".0%")
    return figure


def _curve_name(curve: Curve) -> str:
    """`plain: p50 788 ms, p95 1.9 s`."""
    marks = (("p50", curve.p50_ms), ("p95", curve.p95_ms))
    known_marks = [f"{name} {duration(value)}" for name, value in marks if value is not None]
    return f"{curve.mode}: {', '.join(known_marks)}" if known_marks else curve.mode


def _add_percentile(figure: go.Figure, name: str, value: float, share: float, mode: str) -> None:
    figure.add_scatter(
        x=[value], y=[share], mode="markers", showlegend=False,
        marker={"color": MODE_COLOURS.get(mode, GREY), "size": 10,
                "symbol": MODE_SYMBOLS.get(mode, "square"),
                "line": {"color": "white", "width": 1}},
        hovertemplate=f"{name}: %{{x:.0f}} ms<extra>{mode}</extra>",
    )  # fmt: skip


def acceptance_by_depth(rows: Sequence[Estimate], provenance: str) -> go.Figure:
    """Share of offered drafts of each depth that were accepted, with Wilson intervals."""
    title = "Acceptance by depth of the draft, 95 % Wilson interval"
    crowded = len(rows) > MOST_LABELS
    if crowded:  # no room for each n below its point: hovering tells
        title += f" (n = {rows[0].n:,} down to {rows[-1].n:,})"
    figure = _figure(title, "draft token", provenance)
    for row in rows:
        label = str(row.name) if crowded else f"{row.name}<br>n = {row.n:,}"
        figure.add_scatter(
            x=[label], y=[row.value], mode="markers", showlegend=False,
            marker={"color": SPECULATIVE, "size": 11},
            error_y=_error(row), hovertemplate=_interval_text(row, "", percent=True),
        )  # fmt: skip
    figure.update_xaxes(type="category", nticks=MOST_LABELS)
    figure.update_yaxes(title="accepted", range=[0, 1.04], tickformat=".0%")
    return figure


def acceptance_lengths(counts: Sequence[int], provenance: str) -> go.Figure:
    """How many draft tokens a target pass accepted: index 0 counts passes that accepted none."""
    total = sum(counts)
    figure = _figure(
        f"Draft tokens accepted per target pass (n = {total:,})",
        "accepted draft tokens",
        provenance,
    )
    figure.add_bar(
        x=[str(length) for length in range(len(counts))],
        y=[value / total if total else 0 for value in counts],
        marker={"color": SPECULATIVE},
        showlegend=False,
        customdata=list(counts),
        hovertemplate="%{x} accepted: %{customdata} passes (%{y:.0%})<extra></extra>",
    )
    figure.update_xaxes(type="category")
    figure.update_yaxes(title="share of passes", tickformat=".0%", rangemode="tozero")
    return figure


def pages_over_time(points: Sequence[tuple[datetime, int]], provenance: str) -> go.Figure:
    """The most KV pages that each turn held, when it was stored."""
    figure = _figure(f"KV pages held by a turn (n = {len(points):,})", "time, UTC", provenance)
    figure.add_scatter(
        x=[moment for moment, _ in points],
        y=[pages for _, pages in points],
        mode="markers",
        showlegend=False,
        marker={"color": SPECULATIVE, "size": 7, "opacity": 0.7},
        hovertemplate="%{y} pages at %{x}<extra></extra>",
    )
    figure.update_xaxes(tickformat="%H:%M\n%Y-%m-%d")  # the same in every language
    figure.update_yaxes(title="pages at the most", rangemode="tozero")
    return figure


def _error(row: Estimate) -> dict[str, Any]:
    if not known(row.low):
        return {"visible": False}
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, row.high - row.value)],
        "arrayminus": [max(0.0, row.value - row.low)],
        "color": SPECULATIVE,
        "thickness": 2,
        "width": 6,
    }


def _interval_text(row: Estimate, unit: str, *, percent: bool = False) -> str:
    shown = "{:.0%}".format if percent else "{:.2f}".format
    if not known(row.low):
        return f"{shown(row.value)}{unit}, too few for an interval (n = {row.n})<extra></extra>"
    return (
        f"{shown(row.value)}{unit}, 95 % interval {shown(row.low)} to {shown(row.high)}{unit}, "
        f"n = {row.n}<extra>{row.name}</extra>"
    )


def _figure(title: str, x_title: str, provenance: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        template="none",
        title={
            "text": _wrapped(title),
            "font": {"size": 14},
            "x": 0.02,
            "y": 0.945,  # Plotly lifts a second line half above
            "yanchor": "top",
        },
        font={"family": _FONT, "size": 12, "color": GREY},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        height=330,
        margin={"l": 58, "r": 16, "t": 64, "b": 48},
        meta={"source": provenance},  # the page says it once; a saved picture says it below
        legend={**LOWER_RIGHT, "font": {"size": 11}, "bgcolor": "rgba(0,0,0,0)"},
        hoverlabel={"bgcolor": "#212b38", "font": {"color": "#ffffff"}},
        dragmode=False,
    )
    figure.update_xaxes(
        title={"text": x_title, "standoff": 8, "font": {"size": 13}},
        gridcolor=_GRID,
        zerolinecolor=_GRID,
        linecolor=_GRID,
        automargin=True,
    )
    figure.update_yaxes(
        title_font_size=13,
        gridcolor=_GRID,
        zerolinecolor=_GRID,
        linecolor=_GRID,
        automargin=True,
    )
    return figure


def _wrapped(text: str) -> str:
    """Lines of at most `TITLE_WIDTH` characters where words allow it, so that a phone shows all."""
    kept_together = text.replace("<", "&lt;").replace("n = ", "n\u00a0=\u00a0")
    return "<br>".join(textwrap.wrap(kept_together, TITLE_WIDTH))
