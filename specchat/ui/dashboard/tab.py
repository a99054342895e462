"""The dashboard tab: what the database holds, drawn; and the engine live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import gradio as gr

from specchat.evidence.scenario import SCENARIOS
from specchat.ui.dashboard import data
from specchat.ui.dashboard.tiles import (
    Snapshot,
    answers_html,
    drafts_html,
    empty_html,
    headline_html,
    live_html,
    source_html,
    speed_html,
    tiles_html,
)
from specchat.ui.shared import alerts as say
from specchat.ui.shared import charts
from specchat.ui.shared.format import model_name
from specchat.ui.shared.sampling_controls import EngineQueue
from specchat.ui.shared.token_highlights import style_of
from storage import Store, TurnFilter
from storage.records import utc_now

REFRESH_S = 2.0
LIVE_S = 1.0
PLOTS = 8
TEXTS = 4
READING = '<p class="sc-provenance" role="status">Reading the record…</p>'


@dataclass(frozen=True)
class DashboardViews:
    """The tabs that other sections are put into, and the rest of them."""

    drafts: gr.Tab
    engine: gr.Tab
    under_load: gr.Tab
    rest: tuple[gr.Tab, ...]


@dataclass(frozen=True)
class DashboardTab:
    """The components of the dashboard that events read or change."""

    period: gr.Dropdown
    mode: gr.Dropdown
    model: gr.Dropdown
    kind: gr.Dropdown
    scenario: gr.Dropdown
    speculator: gr.Dropdown
    load: gr.Dropdown
    headline: gr.HTML
    tiles: gr.HTML
    texts: tuple[gr.HTML, ...]  # of speed, drafts and answers, and where it all comes from
    plots: tuple[gr.Plot, ...]  # in the order of `_figures`
    table: gr.Dataframe
    live: gr.HTML
    seen: gr.State  # fingerprint of what is drawn
    refresh: gr.Timer
    tick: gr.Timer  # of `live`, while its tab is shown
    live_shown: gr.State  # whether that tab is the open one
    views: DashboardViews

    def filters(self) -> list[Any]:
        """In the order of `data.Choice`."""
        return [
            self.period, self.mode, self.model, self.kind, self.scenario, self.speculator, self.load
        ]  # fmt: skip

    def outputs(self) -> list[Any]:
        """In the order of `_drawn`."""
        return [
            self.headline, self.tiles, *self.texts, *self.plots, self.table, self.model, self.seen
        ]  # fmt: skip


def build_dashboard_tab(speculators: Sequence[str]) -> DashboardTab:
    """Lay the dashboard out; events are bound by `bind_dashboard`."""
    headline = gr.HTML(READING, elem_id="sc-dash-headline")
    tiles = gr.HTML("", elem_id="sc-dash-tiles")
    with (
        gr.Accordion("Filter", open=False, elem_id="sc-dash-filter"),
        gr.Row(elem_id="sc-filters"),
    ):
        period = gr.Dropdown(
            list(data.PERIODS), value=data.EVER, label="Time", min_width=140, filterable=False
        )
        mode = _any_of("Mode", ["plain", "speculative"])
        model = _any_of("Model", [])
        kind = _any_of("Kind", ["chat", "race", "audit"])
        scenario = _any_of("Scenario (races)", [(s.label, s.key) for s in SCENARIOS])
        speculator = _any_of("Speculator", [(style_of(n).label, n) for n in speculators])
        load = _any_of("Load", data.LOADS)
    with gr.Tabs(elem_id="sc-dash-views"):
        with gr.Tab("Overview", id="overview") as overview, gr.Row():
            scenarios, pairs = _charts(2)
        with gr.Tab("Speed", id="speed") as speed_tab:
            speed = gr.HTML("")
            (speedups,) = _charts(1)
            with gr.Row():
                whole, first = _charts(2)
        with gr.Tab("Drafts", id="drafts") as drafts:
            drafted = gr.HTML("")
            with gr.Row():
                depths, lengths = _charts(2)
        with gr.Tab("Answers", id="answers") as answers_tab:
            answers = gr.HTML("", elem_id="sc-grounding")
        with gr.Tab("Engine", id="engine") as engine:
            live = gr.HTML("", elem_id="sc-live")
            (pages,) = _charts(1)
        with gr.Tab("Under load", id="load") as under_load:
            pass
        with gr.Tab("Turns", id="turns") as turns_tab:
            table = gr.Dataframe(
                headers=list(data.TABLE_HEADERS),
                datatype=["str"] * 3 + ["number"] * 7 + ["str"] * 2,
                value=[],
                interactive=False,
                label="Turns, newest first",
                column_widths=[f"{width}px" for width in data.TABLE_WIDTHS_PX],
                show_search="search",
                max_height=420,
                visible=False,
                elem_id="sc-table",
                elem_classes="sc-figures",
            )
    source = gr.HTML("", elem_id="sc-dash-source")
    plots = (pairs, speedups, whole, first, depths, lengths, scenarios, pages)
    return DashboardTab(
        period,
        mode,
        model,
        kind,
        scenario,
        speculator,
        load,
        headline,
        tiles,
        (speed, drafted, answers, source),
        plots,
        table,
        live,
        gr.State(""),
        gr.Timer(REFRESH_S, active=False),
        gr.Timer(LIVE_S, active=False),
        gr.State(False),
        DashboardViews(drafts, engine, under_load, (overview, speed_tab, answers_tab, turns_tab)),
    )


def _charts(count: int) -> list[gr.Plot]:
    return [
        gr.Plot(show_label=False, visible=False, min_width=320, buttons=[]) for _ in range(count)
    ]


def _any_of(label: str, values: Sequence[str | tuple[str, str]]) -> gr.Dropdown:
    return gr.Dropdown(
        [data.ANY, *values], value=data.ANY, label=label, min_width=140, filterable=False
    )


def bind_dashboard(
    tab: DashboardTab,
    store: Store,
    snapshot: Callable[[], Snapshot],
    queue: EngineQueue,
    shown: gr.Tab,
    others: Sequence[gr.Tab],
) -> None:
    """Draw when the tab is shown or a filter changes, and while it is shown when rows arrive."""
    quick = {**queue.quick(), "show_progress": "hidden"}
    latest = {**queue.latest(), "show_progress": "hidden"}
    filters = tab.filters()

    def draw(*choice: str) -> list[Any]:
        return _drawn(store, data.Choice(*choice))

    def redraw(seen: str, *choice: str) -> Any:
        chosen = data.Choice(*choice)
        return gr.skip() if data.fingerprint(store, chosen) == seen else _drawn(store, chosen)

    def look() -> str:
        try:
            recent = store.metrics(TurnFilter(since=utc_now() - timedelta(seconds=60)))
        except say.EXPECTED as error:
            return say.problem(error)
        rate = sum(row.completion_tokens for row in recent) / 60
        return live_html(snapshot(), store.health(), rate)

    gr.on([shown.select, *(item.input for item in filters)], draw, filters, tab.outputs(), **latest)
    tab.refresh.tick(redraw, [tab.seen, *filters], tab.outputs(), **quick)
    gr.on([tab.views.engine.select, tab.tick.tick], look, None, tab.live, **quick)
    _bind_timers(tab, quick, shown, others)


def _bind_timers(
    tab: DashboardTab, quick: dict[str, Any], shown: gr.Tab, others: Sequence[gr.Tab]
) -> None:
    """What is not shown is not asked for."""
    timers = [tab.refresh, tab.tick]

    def activity(active: bool, live: bool) -> list[gr.Timer]:
        return [gr.Timer(active=active), gr.Timer(active=active and live)]

    shown.select(lambda live: activity(True, live), tab.live_shown, timers, **quick)
    for other in others:
        other.select(lambda: activity(False, False), None, timers, **quick)
    views = tab.views
    for view in (views.engine, views.drafts, views.under_load, *views.rest):
        live = view is views.engine
        view.select(
            lambda live=live: (live, gr.Timer(active=live)),
            None,
            [tab.live_shown, tab.tick],
            **quick,
        )


def _drawn(store: Store, choice: data.Choice) -> list[Any]:
    try:
        seen = data.fingerprint(store, choice)
        evidence = data.gather(store, choice)
        models = list(store.facets().models)
    except say.EXPECTED as error:
        unchanged = [gr.skip()] * (TEXTS + PLOTS + 2)
        return [say.problem(error), "", *unchanged, ""]
    menu = gr.update(choices=[data.ANY, *((model_name(name), name) for name in models)])
    if evidence.empty:
        filtered = choice != data.Choice()
        nothing = ["", *[""] * TEXTS, *[_hidden()] * PLOTS, _hidden()]
        return [empty_html(filtered), *nothing, menu, seen]
    rows = gr.update(value=data.table(evidence), visible=True)
    plots = [_hidden() if figure is None else _plot(figure) for figure in _figures(evidence)]
    texts = [
        headline_html(evidence),
        tiles_html(evidence),
        speed_html(evidence),
        drafts_html(evidence),
        answers_html(evidence.grounding),
        source_html(evidence),
    ]
    return [*texts, *plots, rows, menu, seen]


def _figures(evidence: data.Evidence) -> list[Any]:
    """Figures by value; None where there is nothing to draw yet."""
    rows, races = evidence.rows, evidence.races
    points = data.race_points(races)
    source, race_source = data.provenance(rows), data.race_provenance(races)
    depths, lengths = data.depth_rows(rows), data.length_counts(rows)
    raced = [row for race in races for row in (race.plain, race.speculative)]  # the same questions
    e2e = data.curves(raced, lambda row: row.e2e_ms)
    ttft = data.curves(raced, lambda row: row.ttft_ms)
    return [
        charts.paired_scatter(points, race_source) if points else None,
        charts.paired_speedups(data.speedup_rows(races), race_source) if points else None,
        charts.distribution("End to end, races", e2e, race_source) if e2e else None,
        charts.distribution("Time to first token, races", ttft, race_source) if ttft else None,
        charts.acceptance_by_depth(depths, source) if depths else None,
        charts.acceptance_lengths(lengths, source) if lengths else None,
        charts.paired_speedups(
            data.scenario_rows(races), race_source, "End-to-end speedup by scenario", same=False
        )
        if points
        else None,
        charts.pages_over_time(data.page_points(rows), source) if rows else None,
    ]


def _plot(figure: Any) -> Any:
    return gr.update(value=figure, visible=True)


def _hidden() -> Any:
    return gr.update(visible=False)
