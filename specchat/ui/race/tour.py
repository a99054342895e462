"""The walk-through of the race: four short steps for the first visit, kept away afterwards."""

from __future__ import annotations

import gradio as gr

from specchat.ui.shared.theme import STYLE_DIRECTORY


def tour() -> gr.HTML:
    """A card that points at the parts of the race tab. The browser remembers that it was closed."""
    return gr.HTML(
        value=None,
        html_template=(STYLE_DIRECTORY / "tour.html").read_text(encoding="utf-8"),
        js_on_load=(STYLE_DIRECTORY / "tour.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id="sc-tour",
    )
