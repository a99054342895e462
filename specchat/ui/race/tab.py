"""The race tab: one question, both ways, live and as a replay."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from specchat.chat.types import ChatError
from specchat.evidence.scenario import SCENARIOS
from specchat.ui.race.events import RaceEvents, RaceViewState
from specchat.ui.race.link import Limits, wish_of
from specchat.ui.race.replay import race_board
from specchat.ui.race.result import PRESS
from specchat.ui.race.tour import tour
from specchat.ui.shared import alerts as say
from specchat.ui.shared.identity import identity_of, reading
from specchat.ui.shared.sampling_controls import (
    EngineQueue,
    SamplingControls,
    build_sampling_controls,
)


@dataclass(frozen=True)
class RaceTab:
    """The components of the race that events read or change."""

    question: gr.Textbox
    start: gr.Button
    stop: gr.Button
    scenarios: tuple[gr.Button, ...]  # in the order of SCENARIOS
    start_all: gr.Button
    results: gr.HTML
    alert: gr.HTML
    headline: gr.HTML
    board: gr.HTML
    options: SamplingControls
    identity: gr.Textbox

    def outputs(self) -> list[Any]:
        """In the order of `rendered`."""
        return [
            self.board,
            self.headline,
            self.alert,
            self.start,
            self.stop,
            self.start_all,
            self.results,
        ]


def build_race_tab(
    identity: gr.Textbox,
    speculators: Sequence[str],
    max_tokens: int,
    temperature: float,
    max_nodes: int,
) -> RaceTab:
    """Lay the race out; events are bound by `bind_race`."""
    with gr.Row(equal_height=True, elem_id="sc-race-ask"):
        question = gr.Textbox(
            label="Question",
            show_label=False,
            placeholder="Type a question, or pick one below",
            lines=1,
            max_lines=4,
            scale=8,
            min_width=160,
            elem_id="sc-race-question",
        )
        start = gr.Button("Race", variant="primary", scale=0, min_width=88, elem_id="sc-race-start")
        stop = gr.Button(
            "Stop", variant="stop", scale=0, min_width=88, visible=False, elem_id="sc-race-stop"
        )
    with gr.Row(elem_id="sc-race-scenarios"):
        scenarios = tuple(
            gr.Button(scenario.label, size="sm", min_width=90) for scenario in SCENARIOS
        )
        start_all = gr.Button("Race all five", size="sm", min_width=110, elem_id="sc-race-all")
    alert = gr.HTML("", elem_id="sc-race-alert")
    headline = gr.HTML(PRESS, elem_id="sc-race-headline")
    results = gr.HTML("", elem_id="sc-race-results")
    board = race_board("sc-race-board")
    options = build_sampling_controls(
        max_tokens, temperature, with_mode=False, drafters=speculators, max_nodes=max_nodes
    )
    gr.HTML(
        "<p>The same question, answered <b>plain</b> and <b>speculative</b> by the same model, "
        "one after the other in random order. Then both are replayed from a common start.</p>"
    )
    tour()
    return RaceTab(
        question, start, stop, scenarios, start_all, results, alert, headline, board, options,
        identity,
    )  # fmt: skip


def bind_race(tab: RaceTab, events: RaceEvents, queue: EngineQueue) -> None:
    """Connect every control of the race."""
    running = gr.on(
        [tab.question.submit, tab.start.click],
        _race(events, tab.options),
        **reading(tab.identity, tab.question, tab.identity, *tab.options.inputs()),
        outputs=tab.outputs(),
        show_progress="hidden",
        **queue.racing(),
    )
    running_all = tab.start_all.click(
        _race_all(events, tab.options),
        **reading(tab.identity, tab.identity, *tab.options.inputs()),
        outputs=tab.outputs(),
        show_progress="hidden",
        **queue.racing(),
    )
    picked = [
        button.click(
            partial(str, scenario.question), outputs=tab.question, show_progress="hidden",
            **queue.quick(),
        ).then(
            _race(events, tab.options),
            **reading(tab.identity, tab.question, tab.identity, *tab.options.inputs()),
            outputs=tab.outputs(),
            show_progress="hidden",
            **queue.racing(),
        )
        for button, scenario in zip(tab.scenarios, SCENARIOS, strict=True)
    ]  # fmt: skip
    stopped = "The race was stopped. Only races that had finished are stored."
    tab.stop.click(
        lambda: rendered(RaceViewState(alert=say.alert(stopped), racing=False)),
        outputs=tab.outputs(),
        cancels=[running, running_all, *picked],
        show_progress="hidden",
        **queue.quick(),
    )


def _race(
    events: RaceEvents, options: SamplingControls
) -> Callable[..., Generator[Any, None, None]]:
    def run_both(question: str, stored: Any, *controls: Any) -> Generator[Any, None, None]:
        (asked,) = say.well_formed([question])
        yield from _screens(partial(events.race, asked), stored, options, controls)

    return run_both


def _race_all(
    events: RaceEvents, options: SamplingControls
) -> Callable[..., Generator[Any, None, None]]:
    def run_all(stored: Any, *controls: Any) -> Generator[Any, None, None]:
        yield from _screens(events.race_set, stored, options, controls)

    return run_all


def _screens(
    race: Callable[..., Generator[RaceViewState, None, None]],
    stored: Any,
    options: SamplingControls,
    controls: Sequence[Any],
) -> Generator[Any, None, None]:
    try:
        read = options.read(*controls)
    except ChatError as error:
        yield rendered(RaceViewState(alert=say.problem(error)))
        return
    who = identity_of(stored)
    screens = race(who.owner, read, keeps=bool(who.keeps))
    try:
        for view_state in screens:
            yield rendered(view_state)
    finally:
        screens.close()


def rendered(view_state: RaceViewState) -> tuple[Any, ...]:
    """A screen as values for `RaceTab.outputs`."""
    keep = gr.skip()
    return (
        keep if view_state.board is None else view_state.board,
        keep if view_state.headline is None else view_state.headline,
        keep if view_state.alert is None else view_state.alert,
        keep if view_state.racing is None else gr.update(visible=not view_state.racing),
        keep if view_state.racing is None else gr.update(visible=view_state.racing),
        keep if view_state.racing is None else gr.update(interactive=not view_state.racing),
        keep if view_state.results is None else view_state.results,
    )


def opener(tab: RaceTab) -> Callable[[gr.Request], list[Any]]:
    """What fills `linked` from the address that the page was opened with."""
    options, menu = tab.options, tab.options.speculators
    most = Limits(
        options.temperature.maximum,
        int(options.max_tokens.maximum),
        0 if options.nodes is None else int(options.nodes.maximum),
    )
    names = [] if menu is None else [value for _, value in menu.choices]
    keep = gr.skip()

    def opened(request: gr.Request) -> list[Any]:
        wish = wish_of(dict(request.query_params), names, most)
        if wish is None:
            return [keep] * (2 + len(options.inputs()))
        values: list[Any] = [wish.temperature, wish.max_tokens]
        values.append(None if wish.seed is None else str(wish.seed))
        if menu is not None:
            values += [None if wish.speculators is None else list(wish.speculators), wish.nodes]
        shown = [keep if value is None else value for value in values]
        return [gr.update(selected="race"), wish.question, *shown]

    return opened


def linked(tab: RaceTab, tabs: gr.Tabs) -> list[Any]:
    """What a link sets: the open tab, the question and the options."""
    return [tabs, tab.question, *tab.options.inputs()]
