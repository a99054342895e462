"""Outputs that an event skips cost nothing, and what is sent is what Gradio would send."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from specchat.ui.shared.blocks import LeanBlocks


def page(kind: type[gr.Blocks]) -> tuple[gr.Blocks, list[Any]]:
    """Blocks with one event on four outputs."""
    with kind() as blocks:
        parts = [gr.Textbox(), gr.HTML(), gr.Button("Go"), gr.State(0)]
        parts[2].click(lambda: None, None, parts)
    return blocks, parts


def sent(blocks: gr.Blocks, results: Any) -> list[Any]:
    """What is sent for an event's results."""
    (event,) = blocks.default_config.fns.values()
    made = blocks.postprocess_data(event, results, SessionState(blocks))
    with ThreadPoolExecutor(1) as thread:  # a browser's tests may run a loop in this one
        return thread.submit(asyncio.run, made).result()


RESULTS = {
    "all": lambda parts: ["a", "<b>", gr.update(value="Stop", visible=False), 3],
    "one": lambda parts: {parts[0]: "a"},
    "a list": lambda parts: [gr.skip(), "<b>", gr.skip(), gr.skip()],
    "an update": lambda parts: {parts[2]: gr.update(visible=False)},
    "the state": lambda parts: {parts[3]: 7, parts[1]: ""},
    "none": lambda parts: gr.skip(),
    "a value that is None": lambda parts: {parts[0]: None},
}


@pytest.mark.parametrize("name", RESULTS)
def test_what_is_sent_is_what_gradio_sends(name: str) -> None:
    plain, parts = page(gr.Blocks)
    expected = sent(plain, RESULTS[name](parts))
    lean, parts = page(LeanBlocks)
    found = sent(lean, RESULTS[name](parts))
    assert list(map(changes, found[:3])) == list(map(changes, expected[:3]))  # a state is not sent


def changes(value: Any) -> Any:
    """What changes on the page: of HTML that is skipped Gradio sends an empty property."""
    empty = {"__type__": "update", "props": {"__type__": "update"}}
    return gr.skip() if value == empty else value


@pytest.mark.parametrize(("kind", "made"), [(LeanBlocks, 0), (gr.Blocks, 2)])
def test_what_is_skipped_is_not_made_anew(
    kind: type[gr.Blocks], made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where this fails for Gradio's own blocks, `LeanBlocks` is needed no longer."""
    blocks, parts = page(kind)
    count = 0
    own = SessionState.__setitem__

    def counted(state: SessionState, key: Any, value: Any) -> None:
        nonlocal count
        count += key in (parts[1]._id, parts[2]._id)
        own(state, key, value)

    monkeypatch.setattr(SessionState, "__setitem__", counted)
    sent(blocks, {parts[0]: "a"})
    assert count == made
