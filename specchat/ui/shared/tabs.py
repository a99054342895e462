"""What Gradio keeps of each tab on the server: the last value of every component that was sent or
shown, also of tabs that are closed, until others take their place."""

from __future__ import annotations

from copy import copy

import gradio as gr


def let_go(page: gr.Blocks) -> None:
    """Forget those values, of every tab: which of them somebody's words are in is not known. A tab
    that is open goes on as it is, for every event brings the values it needs.

    Before the page is on the network nothing is kept.
    """
    holder = getattr(page, "state_holder", None)
    if holder is None:
        return
    for tab in list(holder.session_data.values()):
        tab.blocks_config = copy(page.default_config)  # choices and labels that were changed
        tab.config_values = {}
