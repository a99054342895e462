"""Controls that chat and race share, and how their events queue for the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from specchat.chat.types import AnswerOptions, ChatError
from specchat.ui.shared.token_highlights import style_of

NOT_NUMBERS = "Temperature, longest answer, seed and nodes must be numbers."
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

    def latest(self) -> dict[str, Any]:
        """Options of an event that reads a control whose last value counts."""
        return kept(self.quick())

    @property
    def max_size(self) -> int:
        """Events that may wait before the page says that it is full."""
        return max(64, 8 * self.concurrency)


def kept(options: dict[str, Any]) -> dict[str, Any]:
    """The options of an event that is never lost.

    Gradio drops an event that comes while the one before it runs, its last moment after the last
    change of the page included ("once"), so that a press would stay without effect; here it runs
    again, with what the controls hold then.
    """
    return {**options, "trigger_mode": "always_last"}


@dataclass(frozen=True)
class SamplingControls:
    """Sampling controls. `speculate` is None where both modes run anyway."""

    speculate: gr.Checkbox | None
    temperature: gr.Slider
    max_tokens: gr.Slider
    seed: gr.Textbox
    speculators: gr.CheckboxGroup | None = None  # with `nodes`: only where they can be chosen
    nodes: gr.Slider | None = None

    def _present(self) -> dict[str, Any]:
        """By the parameters of `read_options`."""
        controls = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: control for name, control in controls.items() if control is not None}

    def inputs(self) -> list[Any]:
        """The controls, in the order in which `read` takes their values."""
        return list(self._present().values())

    def read(self, *values: Any) -> AnswerOptions:
        """What the page sent for the controls. Raises ChatError as `read_options`."""
        return read_options(**dict(zip(self._present(), values, strict=True)))


@dataclass(frozen=True)
class FixedSampling:
    """No controls: every answer has the options of the settings."""

    max_tokens: int
    temperature: float

    def inputs(self) -> list[Any]:
        """Nothing to read."""
        return []

    def read(self, *_: Any) -> AnswerOptions:
        """The same options every time."""
        return AnswerOptions(temperature=self.temperature, max_tokens=self.max_tokens)


def read_options(
    *,
    temperature: Any,
    max_tokens: Any,
    seed: Any,
    speculate: Any = True,
    speculators: Any = None,
    nodes: Any = None,
) -> AnswerOptions:
    """Options from what a page or a program sent.

    Raises:
        ChatError: a value is no number.
    """
    try:
        return AnswerOptions(
            mode="speculative" if speculate else "plain",
            temperature=float(temperature),
            max_tokens=int(max_tokens),
            seed=None if seed in (None, "") else int(seed),
            speculators=None if speculators is None else tuple(map(str, speculators)),
            max_nodes=None if nodes in (None, "") else int(nodes),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise ChatError(NOT_NUMBERS) from error


def build_sampling_controls(
    max_tokens: int,
    temperature: float,
    *,
    with_mode: bool,
    drafters: Sequence[str] = (),
    max_nodes: int = 16,
) -> SamplingControls:
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
        # A number field turns an empty value into 0 when it is first shown.
        seed = gr.Textbox(
            value="",
            max_lines=1,
            placeholder="random",
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
    return SamplingControls(speculate, slider, longest, seed, speculators, nodes)
