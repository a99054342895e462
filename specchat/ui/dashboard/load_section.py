"""The dashboard's section on load tests: those recorded with this code and the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from specchat.bench.load.recorded_runs import LoadRun, load_runs
from specchat.bench.report import Report
from specchat.ui.dashboard.load_charts import LOOKS, load_figures, provenance
from specchat.ui.shared.sampling_controls import EngineQueue

PLOTS = 8
NOTHING = (
    '<div class="sc-empty" role="status"><h3>No load test yet</h3><p>Run <code>specchat bench load'
    "</code> in a terminal: what it measures on this machine is drawn here.</p></div>"
)


@dataclass(frozen=True)
class LoadSection:
    """The components that events read or change."""

    shown: gr.Tab
    choice: gr.Dropdown
    words: gr.HTML
    plots: tuple[gr.Plot, ...]


def build_load_section(shown: gr.Tab) -> LoadSection:
    """Lay the section out; it is drawn when its tab is shown (`bind_load`)."""
    plots: list[gr.Plot] = []
    with shown, gr.Column(elem_id="sc-load"):
        choice = gr.Dropdown([], label="Load test", filterable=False, visible=False)
        words = gr.HTML("", elem_id="sc-load-words")
        for _ in range(PLOTS // 2):
            with gr.Row():
                plots += [
                    gr.Plot(show_label=False, visible=False, min_width=320, buttons=[])
                    for _ in range(2)
                ]
    return LoadSection(shown, choice, words, tuple(plots))


def bind_load(section: LoadSection, queue: EngineQueue) -> None:
    """Draw the newest run when the section is shown, another one when it is chosen."""
    quick = {**queue.quick(), "show_progress": "hidden"}
    latest = {**queue.latest(), "show_progress": "hidden"}
    outputs = [section.words, *section.plots]
    section.shown.select(_opened, section.choice, [section.choice, *outputs], **quick)
    section.choice.input(_chosen, section.choice, outputs, **latest)


def _opened(name: str | None) -> list[Any]:
    runs = load_runs()
    names = {run.name for run in runs}
    shown = name if name in names else _first(runs)
    menu = gr.update(
        choices=[(_label(run), run.name) for run in runs], value=shown, visible=bool(runs)
    )
    return [menu, *_drawn(runs, shown)]


def _first(runs: Sequence[LoadRun]) -> str | None:
    """One's own newest run; else the recorded one that tells most: many users on every arm."""
    own = [run.name for run in runs if run.own]
    told = [run.name for run in runs if "users" in run.name]
    return next(iter([*own, *told, *(run.name for run in runs)]), None)


def _chosen(name: str | None) -> list[Any]:
    return _drawn(load_runs(), name)


def _drawn(runs: Sequence[LoadRun], name: str | None) -> list[Any]:
    run = next((run for run in runs if run.name == name), None)
    if run is None:
        return [NOTHING, *[gr.update(visible=False)] * PLOTS]
    try:
        words, figures = run_html(run), load_figures(run.report)[:PLOTS]
    except (KeyError, TypeError, ValueError, AttributeError):
        text = f"The load test {escape(run.name)} cannot be drawn: its file is not as expected."
        return [
            f'<div class="sc-alert" role="alert">{text}</div>',
            *[gr.update(visible=False)] * PLOTS,
        ]
    plots = [gr.update(value=figure, visible=True) for figure in figures]
    return [words, *plots, *[gr.update(visible=False)] * (PLOTS - len(plots))]


def run_html(run: LoadRun) -> str:
    """Whose run it is, what the arms did, and where it was measured. Escaped."""
    whose = (
        "Measured by you with <code>specchat bench load</code>"
        if run.own
        else "A recorded run: measured on the machine named below, not on this one"
    )
    lines = [
        _arm_words(name, arm, run.report) for name, arm in run.report["summary"]["arms"].items()
    ]
    listed = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return (
        f'<div class="sc-headline"><p class="sc-sub">{whose}. Users send the next question when '
        f"the last answer is there; every arm has the same KV memory.</p><ul>{listed}</ul>"
        f'<p class="sc-provenance">{escape(provenance(run.report))}</p></div>'
    )


def _arm_words(name: str, arm: Report, report: Report) -> str:
    users = arm["users_sustained"]
    label = LOOKS[name].label if name in LOOKS else name
    text = f"{label}: {users} user{'' if users == 1 else 's'} within the objective"
    base = report["summary"]["arms"].get("sequential")
    if base and name != "sequential" and base["users_sustained"]:
        text += f", {users / base['users_sustained']:.3g} times one at a time"
    text += f"; at most {arm['ran_together']} ran together in the KV memory"
    text += f"; at most {arm['highest_tokens_per_s']:.0f} tokens/s"
    if arm["saturates_at"]:
        text += f", reached with {arm['saturates_at']} users"
        text += f" and then bound by {arm['bound_by']}" if arm["bound_by"] else ""
    return text


def _label(run: LoadRun) -> str:
    where = run.report["environment"]
    moment = str(where.get("started_at", ""))[:16].replace("T", " ")
    kind = "Yours" if run.own else f"Recorded ({run.name})"
    return f"{kind}: {moment} UTC, {where.get('hardware', '')}"
