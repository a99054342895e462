"""The dashboard's section on speculators: what each earns and costs, here and in recorded runs."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import plotly.graph_objects as go  # type: ignore[import-untyped]

from specchat.bench.load.recorded_runs import RECORDED
from specchat.bench.report import Report
from specchat.evidence.drafters import Drafter, Drafting, drafting
from specchat.ui.shared.charts import UPPER_LEFT, _figure
from specchat.ui.shared.format import count, figure, known, percent
from specchat.ui.shared.sampling_controls import EngineQueue
from specchat.ui.shared.theme import BLUE, GREEN, ORANGE
from storage import Store, StoreError, TurnFilter

log = logging.getLogger(__name__)

NOTHING = (
    '<div class="sc-empty" role="status"><h3>No drafts yet</h3><p>Answers with speculation leave '
    "here what each speculator earned and cost.</p></div>"
)
_LIVE = ("Speculator", "Asked", "Verified", "Accepted", "Rate (95 %)", "ms per draft",
         "ms per accepted token", "Worth it?")  # fmt: skip
_RECORDED = ("Arm", "Tokens per step", "Nodes per step", "Draft ms", "Verify ms", "TPOT ms",
             "Speedup over plain (95 %)")  # fmt: skip


@dataclass(frozen=True)
class SpeculatorsSection:
    """The components that events read or change."""

    fold: gr.Accordion
    words: gr.HTML


def build_speculators_section(directory: Path = RECORDED) -> SpeculatorsSection:
    """Lay the section out, closed, with the recorded runs that there are in `directory`; what was
    stored here is read when it is opened (`bind_speculators`)."""
    with gr.Accordion("Speculators", open=False, elem_id="sc-speculators") as fold:
        words = gr.HTML("", elem_id="sc-speculators-words")
        for report in recorded_runs(directory):
            gr.HTML(recorded_html(report))
            figure = growth_figure(report)
            if figure is not None:
                gr.Plot(figure, show_label=False, buttons=[])
    return SpeculatorsSection(fold, words)


def bind_speculators(section: SpeculatorsSection, store: Store, queue: EngineQueue) -> None:
    """Read the stored turns when the section is opened."""
    quick = {**queue.quick(), "show_progress": "hidden"}
    section.fold.expand(lambda: stored_html(store), None, section.words, **quick)


def stored_html(store: Store) -> str:
    """What the turns of this database say. Escaped."""
    try:
        rows = [row for row in store.metrics(TurnFilter()) if row.status == "completed"]
    except StoreError as error:
        return f'<div class="sc-alert" role="alert">{escape(str(error))}</div>'
    found = drafting(rows)
    if not found.drafters:
        return NOTHING
    plain = percent(found.plain_steps, found.steps)
    base = (
        f"a token takes {found.plain_ms:.2f} ms in the plain answers here (median)"
        if known(found.plain_ms)
        else "no plain answer here to compare with"
    )
    words = (
        f"{count(found.steps, 'step')} of answers with speculation; {plain} ran plain because "
        f"drafts were not paying; {base}. A draft is worth it where its time for one accepted "
        "token is less than a plain one's; verifying it takes time too, which the policy measures."
    )
    rows_html = [_live_row(each, found) for each in found.drafters]
    return f"<p>{escape(words)}</p>{_table(_LIVE, rows_html)}"


def _live_row(drafter: Drafter, found: Drafting) -> list[str]:
    rate = "–"
    if known(drafter.rate):
        low, high = drafter.ci95.low, drafter.ci95.high
        rate = f"{percent(drafter.rate, 1)} ({percent(low, 1)} to {percent(high, 1)})"
    return [
        drafter.name,
        f"{drafter.asked:,}",
        f"{drafter.drafted:,}",
        f"{drafter.accepted:,}",
        rate,
        _ms(drafter.ms_per_draft),
        _ms(drafter.ms_per_token),
        _verdict(drafter.ms_per_token, found.plain_ms),
    ]


def _verdict(ms_per_token: float, plain_ms: float) -> str:
    if math.isnan(ms_per_token) or math.isnan(plain_ms):
        return "not known"
    return "yes" if ms_per_token < plain_ms else "no: slower than plain"


def recorded_runs(directory: Path) -> list[Report]:
    """Reports of `specchat bench speculators`, the comparison of speculators before the growth;
    files that are none are left out with a warning."""
    found = []
    for file in sorted(directory.glob("speculators*.json")):
        try:
            report = json.loads(file.read_text(encoding="utf-8"))
            if report["kind"] != "speculators":
                raise ValueError(f"its kind is {report['kind']!r}")
            recorded_html(report)
            growth_figure(report)
            found.append(report)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s is no report on speculators: %s", file, error)
    return sorted(found, key=_sizes)


def recorded_html(report: Report) -> str:
    """The table of a recorded run, and where it was measured. Escaped."""
    rows = [_recorded_row(arm) for arm in report["arms"]]
    return (
        f"{_table(_RECORDED, rows)}"
        f'<p class="sc-provenance">{escape("Recorded: " + _provenance(report))}</p>'
    )


def _recorded_row(arm: Report) -> list[str]:
    speedup = "1"
    if arm["drafts"]:
        low, high = arm["speedup"]["ci95"]
        speedup = f"{arm['speedup']['median']:.2f}x"
        speedup += "" if low is None else f" ({low:.2f} to {high:.2f})"
    return [
        str(arm["name"]),
        f"{arm['mean_acceptance_length']:.2f}",
        f"{arm['nodes_per_step']:.1f}",
        _ms(arm["draft_ms_per_step"]),
        _ms(arm["verify_ms_per_step"]),
        _ms(arm["tpot_ms"]),
        speedup,
    ]


def growth_figure(report: Report) -> go.Figure | None:
    """Tokens per step against the answers in the history; None where sizes were not compared."""
    if not _sizes(report):
        return None
    settings = report["settings"]
    figure = _figure(
        f"Growth with the history (n = {settings['count']} prompts)",
        "earlier answers that are drafted from",
        "recorded: " + _provenance(report),
    )
    lines: dict[str, list[Report]] = {}
    for arm in report["arms"]:
        if arm["history"] is not None:
            lines.setdefault(arm["name"].partition(" ")[2], []).append(arm)
    looks = ((BLUE, "solid", "circle"), (GREEN, "dash", "square"), (ORANGE, "dot", "diamond"))
    for (name, arms), (colour, dash, symbol) in zip(sorted(lines.items()), looks, strict=False):
        figure.add_scatter(
            x=[f"{arm['history']:,}" for arm in arms],
            y=[arm["mean_acceptance_length"] for arm in arms],
            text=[f"{arm['speedup']['median']:.2f}x faster than plain" for arm in arms],
            name="the store " + name,
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 2.5},
            marker={"symbol": symbol, "size": 10},
            hovertemplate="%{x} answers: %{y:.2f} tokens per step, %{text}<extra></extra>",
        )
    categories = [f"{size:,}" for size in sorted(_sizes(report))]
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=categories)
    figure.update_yaxes(title="tokens per step", rangemode="tozero")
    figure.update_layout(legend=UPPER_LEFT)
    return figure


def _sizes(report: Report) -> list[int]:
    return sorted({arm["history"] for arm in report["arms"] if arm["history"] is not None})


def _provenance(report: Report) -> str:
    where, settings = report["environment"], report["settings"]
    return (
        f"{where['hardware']}, {where['model']} in {where['dtype']}, {where['backend']}, "
        f"{settings['count']} prompts x {settings['repeats']}, temperature "
        f"{settings['temperature']:g}, {str(where['started_at'])[:10]}, "
        f"commit {where['commit']}"
    )


def _ms(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "–"
    return "none accepted" if math.isinf(value) else f"{value:.3g}"


def _table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    body = "".join(
        f"<tr>{''.join(f'<td>{figure(str(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return (
        '<div class="sc-scroll" tabindex="0" role="region" aria-label="Speculators">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
