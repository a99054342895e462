"""The page's blocks: what an event leaves as it is costs nothing."""

from __future__ import annotations

import copy
from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction, convert_component_dict_to_list
from gradio.helpers import skip
from gradio.state_holder import SessionState


class LeanBlocks(gr.Blocks):
    """Blocks whose events pay for the components that they change.

    For each output that an event skips, Gradio (seen in 6.31) makes the component and its
    configuration anew. An answer is streamed in dozens of screens that change three of two dozen
    outputs: with eight customers that was four fifths of what the event loop did.
    """

    async def postprocess_data(
        self, block_fn: BlockFunction, predictions: Any, state: SessionState | None
    ) -> list[Any]:
        """What is sent of an event's results, as Gradio makes it; skipped outputs stay skipped."""
        outputs = list(block_fn.outputs)
        if len(outputs) < 2 or block_fn.batch or block_fn.is_validator_function:
            return await super().postprocess_data(block_fn, predictions, state)
        if isinstance(predictions, dict) and predictions:
            predictions = convert_component_dict_to_list(outputs, predictions)
        if not isinstance(predictions, (list, tuple)) or len(predictions) != len(outputs):
            return await super().postprocess_data(block_fn, predictions, state)
        changed = [place for place, value in enumerate(predictions) if not _skipped(value)]
        sent: list[Any] = [skip() for _ in outputs]
        if changed:
            fewer = copy.copy(block_fn)
            fewer.outputs = [outputs[place] for place in changed]
            values = [predictions[place] for place in changed]
            given = values if len(values) > 1 else values[0]
            made = await super().postprocess_data(fewer, given, state)
            for place, value in zip(changed, made, strict=True):
                sent[place] = value
        return sent


def _skipped(value: Any) -> bool:
    return isinstance(value, dict) and value == skip()
