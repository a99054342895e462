"""The race tab: one question, both ways, live and as a replay."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from specchat.chat.types import ChatError
from specchat.ui import messages as say
from specchat.ui.identity import Identity, identity_of
from specchat.ui.lanes import race_board
from specchat.ui.marks import legend
from specchat.ui.options import EngineQueue, Options, build_options
from specchat.ui.race_events import RaceEvents, RaceScreen, RaceSettings

EXAMPLES = (
    "Where is my refund for order 4417?",
    "I want to cancel my order, what do I have to do?",
    "How long does delivery take and what does it cost?",
    "I was charged twice and want my money back",
)
SEED_LIMIT = 2**31


@dataclass(frozen=True)
class RaceTab:
    """The components of the race that events read or change."""

    question: gr.Textbox
    start: gr.Button
    stop: gr.Button
    alert: gr.HTML
    headline: gr.HTML
    board: gr.HTML
    timeline: gr.Plot
    options: Options
    identity: gr.BrowserState

    def outputs(self) -> list[Any]:
        """In the order of `rendered`."""
        return [
            self.board,
            self.headline,
            self.alert,
            self.timeline,
            self.start,
            self.stop,
            self.identity,
        ]


def build_race_tab(
    identity: gr.BrowserState, speculators: Sequence[str], max_tokens: int, temperature: float
) -> RaceTab:
    """Lay the race out; events are bound by `bind_race`."""
    gr.HTML(
        "<p>The same question, answered <b>plain</b> and <b>speculative</b> on the same engine, "
        "one after the other in random order. Then both are replayed from a common start.</p>"
    )
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
        start = gr.Button("Race", variant="primary", scale=1, min_width=88, elem_id="sc-race-start")
        stop = gr.Button(
            "Stop", variant="stop", scale=1, min_width=88, visible=False, elem_id="sc-race-stop"
        )
    gr.Examples(
        [[example] for example in EXAMPLES],
        inputs=question,
        label="Examples",
        cache_examples=False,
        api_visibility="private",
    )
    options = build_options(max_tokens, temperature, with_mode=False)
    alert = gr.HTML("", elem_id="sc-race-alert")
    headline = gr.HTML("", elem_id="sc-race-headline")
    board = race_board("sc-race-board")
    gr.HTML(legend(speculators))
    timeline = gr.Plot(show_label=False, visible=False, elem_id="sc-race-timeline", buttons=[])
    return RaceTab(question, start, stop, alert, headline, board, timeline, options, identity)


def bind_race(tab: RaceTab, events: RaceEvents, queue: EngineQueue) -> None:
    """Connect every control of the race."""
    running = gr.on(
        [tab.question.submit, tab.start.click],
        _race(events),
        inputs=[tab.question, tab.identity, *tab.options.inputs()],
        outputs=tab.outputs(),
        show_progress="hidden",
        **queue.racing(),
    )
    tab.stop.click(
        lambda: rendered(
            RaceScreen(alert=say.alert("The race was stopped; nothing was stored."), racing=False)
        ),
        outputs=tab.outputs(),
        cancels=[running],
        show_progress="hidden",
        **queue.quick(),
    )


def _race(events: RaceEvents) -> Callable[..., Generator[Any, None, None]]:
    def run_both(
        question: str, stored: Any, temperature: Any, max_tokens: Any, seed: Any
    ) -> Generator[Any, None, None]:
        try:
            settings = race_settings(temperature, max_tokens, seed)
        except ChatError as error:
            yield rendered(RaceScreen(alert=say.problem(error)))
            return
        who = identity_of(stored)
        screens = events.race(question, who.owner, settings)
        try:
            for screen in screens:
                yield rendered(screen, who if screen.finished and not stored else None)
        finally:
            screens.close()

    return run_both


def race_settings(temperature: Any, max_tokens: Any, seed: Any) -> RaceSettings:
    """Settings from what the page sent; without a seed a random one, the same for both arms.

    Raises:
        ChatError: a value is no number.
    """
    try:
        chosen = secrets.randbelow(SEED_LIMIT) if seed in (None, "") else int(seed)
        return RaceSettings(float(temperature), int(max_tokens), chosen)
    except (TypeError, ValueError, OverflowError) as error:
        raise ChatError("Temperature, longest answer and seed must be numbers.") from error


def rendered(screen: RaceScreen, who: Identity | None = None) -> tuple[Any, ...]:
    """A screen as values for `RaceTab.outputs`."""
    keep = gr.skip()
    figure = screen.timeline
    return (
        keep if screen.board is None else screen.board,
        keep if screen.headline is None else screen.headline,
        keep if screen.alert is None else screen.alert,
        keep if figure is None else gr.update(value=figure, visible=True),
        keep if screen.racing is None else gr.update(visible=not screen.racing),
        keep if screen.racing is None else gr.update(visible=screen.racing),
        keep if who is None else who.stored(),
    )
