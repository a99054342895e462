"""The figures of a soak and their page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

MIB = 2**20
_FILLING = 0.2  # of each run: caches fill, which is no leak
_WIDE, _HIGH = 720, 160  # of the drawing, pixels


def figures(
    samples: Sequence[dict[str, float]], answers: Sequence[tuple[float, float]]
) -> dict[str, Any]:
    """Memory over time and how long answers took. A sample has `at_s`, `rss` in bytes and the
    `run` of the process; an answer is when it ended and how long it took, in seconds."""
    rss = [sample["rss"] / MIB for sample in samples]
    return {
        "rss_mib": {
            "first": round(rss[0], 1) if rss else None,
            "last": round(rss[-1], 1) if rss else None,
            "most": round(max(rss), 1) if rss else None,
            "slope_per_hour": _slope_per_hour(samples),
        },
        "answers": len(answers),
        "p95_s_by_quarter": _p95_by_quarter(answers),
    }


def page(report: dict[str, Any], samples: Sequence[dict[str, float]]) -> str:
    """The report as a page: what is wrong first, then memory drawn, then all figures."""
    faults = report["faults"]
    said = f"{len(faults)} faults" if faults else "nothing was lost or left"
    listed = "".join(f"<li>{escape(str(fault))}</li>" for fault in faults)
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in report.items()
        if name != "faults"
    )
    return (
        '<!doctype html><meta charset="utf-8"><title>Soak</title>'
        "<style>body{font:16px sans-serif;margin:2em;max-width:60em}"
        "th{text-align:left;padding-right:2em}polyline{fill:none;stroke:#06c}</style>"
        f"<h1>{escape(str(report.get('minutes', '')))} minutes: {said}</h1><ul>{listed}</ul>"
        f"<h2>Memory of the process</h2>{_drawing(samples)}<table>{rows}</table>\n"
    )


def _slope_per_hour(samples: Sequence[dict[str, float]]) -> float | None:
    """MiB per hour by least squares, each run about its own mean and without its first fifth."""
    across = square = 0.0
    for run in {sample["run"] for sample in samples}:
        mine = [sample for sample in samples if sample["run"] == run]
        first, last = mine[0]["at_s"], mine[-1]["at_s"]
        mine = [each for each in mine if each["at_s"] >= first + _FILLING * (last - first)]
        at = sum(each["at_s"] for each in mine) / len(mine)
        rss = sum(each["rss"] for each in mine) / len(mine)
        across += sum((each["at_s"] - at) * (each["rss"] - rss) for each in mine)
        square += sum((each["at_s"] - at) ** 2 for each in mine)
    return round(across / square * 3600 / MIB, 2) if square else None


def _p95_by_quarter(answers: Sequence[tuple[float, float]]) -> list[float | None]:
    quarters: list[list[float]] = [[], [], [], []]
    if answers:
        first, last = min(at for at, _ in answers), max(at for at, _ in answers)
        for at, seconds in answers:
            quarters[min(3, int(4 * (at - first) / ((last - first) or 1.0)))].append(seconds)
    return [_p95(quarter) for quarter in quarters]


def _p95(values: list[float]) -> float | None:
    ranked = sorted(values)
    return round(ranked[math.ceil(0.95 * len(ranked)) - 1], 3) if ranked else None


def _drawing(samples: Sequence[dict[str, float]]) -> str:
    if not samples:
        return ""
    long = max(sample["at_s"] for sample in samples) or 1.0
    most = max(sample["rss"] for sample in samples) or 1.0
    points = " ".join(
        f"{_WIDE * each['at_s'] / long:.1f},{_HIGH * (1 - each['rss'] / most):.1f}"
        for each in samples
    )
    return (
        f'<svg width="{_WIDE}" height="{_HIGH}" role="img" aria-label="Memory over time">'
        f'<polyline points="{points}"/></svg><p>0 to {most / MIB:,.0f} MiB, {long / 60:.1f} min</p>'
    )
