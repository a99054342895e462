"""Controls that chat and race share, and how their events queue for the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from specchat.ui.shared.token_highlights import style_of

HOTTEST = 2.0  # of the temperatures the page offers, unless the usual one is above


@dataclass(frozen=True)
class EngineQueue:
    """How many answers may run at once; all events that answer share this one group."""

    concurrency: int

    def answering(self) -> dict[str, Any]:
        """Options of an event that uses the engine."""
        return {
            "concurrency_id": "engine",
            "concurrency_limit": self.concurrency,
            "api_visibility": "private",
        }

    def racing(self) -> dict[str, Any]:
        """Options of a race: one at a time, because two would measure each other."""
        return {"concurrency_id": "race", "concurrency_limit": 1, "api_visibility": "private"}

    def quick(self) -> dict[str, Any]:
        """Options of an event that never waits for the engine."""
        return {"concurrency_limit": None, "api_visibility": "private"}

    def guarded(self) -> dict[str, Any]:
        """Options of an event that makes whoever has the wrong key wait: few at once, so that those
        who guess hold up each other and not the page."""
        return {"concurrency_id": "desk", "concurrency_limit": 4, "api_visibility": "private"}

    def latest(self) -> dict[str, Any]:
        """Options of an event that reads a control whose last value counts.

        Gradio drops an event that comes while the one before it runs ("once"), so that a choice
        would stay without effect; here it runs again with what the controls hold then.
        """
        return {**self.quick(), "trigger_mode": "always_last"}

    @property
    def max_size(self) -> int:
        """Events that may wait before the page says that it is full."""
        return max(64, 8 * self.concurrency)


@dataclass(frozen=True)
class Options:
    """Sampling controls. `speculate` is None where both modes run anyway."""

    speculate: gr.Checkbox | None
    temperature: gr.Slider
    max_tokens: gr.Slider
    seed: gr.Number
    speculators: gr.CheckboxGroup | None = None  # with `nodes`: only where they can be chosen
    nodes: gr.Slider | None = None

    def inputs(self) -> list[Any]:
        """The controls in the order of `answer_options`, or of `race_settings`."""
        rest = [self.temperature, self.max_tokens, self.seed]
        more = [self.speculators, self.nodes]
        first = [] if self.speculate is None else [self.speculate]
        return [*first, *rest, *(control for control in more if control is not None)]


def build_options(
    max_tokens: int,
    temperature: float,
    *,
    with_mode: bool,
    drafters: Sequence[str] = (),
    max_nodes: int = 16,
) -> Options:
    """An accordion with the sampling controls; with `drafters` also who drafts how much.

    `max_tokens` is the longest answer, and the usual one.
    """
    speculate = speculators = nodes = None
    with gr.Accordion("Options", open=False), gr.Row():
        if with_mode:
            speculate = gr.Checkbox(
                value=True,
                label="Speculative decoding",
                info="Off: plain decoding. The answer is the same for the same seed.",
                min_width=200,
            )
        slider = gr.Slider(
            0.0,
            max(HOTTEST, temperature),
            value=temperature,
            step=0.05,
            label="Temperature",
            info="0 always takes the likeliest word",
            min_width=200,
        )
        longest = gr.Slider(
            1,
            max_tokens,
            value=max_tokens,
            step=1,
            label="Longest answer (tokens)",
            min_width=200,
        )
        seed = gr.Number(
            value=None,
            precision=0,
            minimum=0,
            label="Seed",
            info="Empty: a new one each time",
            min_width=120,
        )
        if drafters:
            speculators = gr.CheckboxGroup(
                [(style_of(name).label, name) for name in drafters],
                value=list(drafters),
                label="Speculators",
                info="Who may draft in the speculative lane",
                min_width=200,
            )
            nodes = gr.Slider(
                0,
                max_nodes,
                value=max_nodes,
                step=1,
                label="Draft nodes a step",
                info="At most; the engine verifies fewer where more would not pay",
                min_width=200,
            )
    return Options(speculate, slider, longest, seed, speculators, nodes)
