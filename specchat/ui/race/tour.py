"""The walk-through of the race: four short steps, for who asks for them."""

from __future__ import annotations

import gradio as gr

from specchat.ui.shared.theme import STYLE_DIRECTORY


def tour() -> gr.HTML:
    """A button, and a card that points at the parts of the race tab."""
    return gr.HTML(
        value=None,
        html_template=(STYLE_DIRECTORY / "tour.html").read_text(encoding="utf-8"),
        js_on_load=(STYLE_DIRECTORY / "tour.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id="sc-tour",
    )
