"""The support desk: customers who wait, their case, and a colleague's reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from specchat.ui.desk import labels as text
from specchat.ui.desk.events import DeskEvents, DeskViewState
from specchat.ui.shared import alerts as say
from specchat.ui.shared.sampling_controls import EngineQueue, kept

REFRESH_S = 3.0
_WITH_LANGUAGE = "(name) => [name, document.documentElement.lang]"


@dataclass(frozen=True)
class DeskTab:
    """The components of the desk that events read or change."""

    door: gr.Column
    key: gr.Textbox
    enter: gr.Button
    room: gr.Column
    customers: gr.Radio
    case: gr.HTML
    known: gr.HTML
    composer: gr.Column
    canned: gr.Dropdown
    language: gr.Textbox  # of the page; never seen
    reply: gr.Textbox
    send: gr.Button
    close: gr.Button
    alert: gr.HTML
    timer: gr.Timer

    def outputs(self) -> list[Any]:
        """Everything that `rendered` may change."""
        return [
            self.door, self.room, self.customers, self.case, self.known, self.composer, self.canned,
            self.reply, self.alert, self.timer,
        ]  # fmt: skip

    def rendered(self, view_state: DeskViewState) -> dict[Any, Any]:
        """A screen as updates of the components that it changes."""
        plain = {
            self.case: view_state.case,
            self.known: view_state.known,
            self.reply: view_state.reply,
            self.alert: view_state.alert,
        }
        changes: dict[Any, Any] = {part: new for part, new in plain.items() if new is not None}
        if view_state.opened:
            changes[self.door] = gr.update(visible=False)
            changes[self.room] = gr.update(visible=True)
            changes[self.timer] = gr.Timer(active=True)
            changes[self.alert] = ""
        if view_state.customers is not None:
            changes[self.customers] = gr.update(
                choices=view_state.customers, value=view_state.chosen or None
            )
            changes[self.composer] = gr.update(visible=bool(view_state.chosen))
        if view_state.reply == "":
            changes[self.canned] = None
        return changes or {self.alert: gr.skip()}


def build_desk_tab(replies: list[str]) -> DeskTab:
    """Lay the desk out; events are bound by `bind_desk`."""
    alert = gr.HTML("", elem_id="sc-desk-alert")
    with gr.Column(elem_id="sc-desk-door") as door:
        gr.HTML(f'<div class="sc-disclosure">{text.INTRO}</div>')
        key = gr.Textbox(label=text.KEY, type="password", max_lines=1, elem_id="sc-key")
        enter = gr.Button(text.OPEN, variant="primary", elem_id="sc-desk-open")
    with (
        gr.Column(visible=False, elem_id="sc-desk-room") as room,
        gr.Row(elem_id="sc-desk-panes"),
    ):
        with gr.Column(scale=0, elem_id="sc-desk-queue", min_width=0):
            customers = gr.Radio(
                choices=[], label=text.QUEUE, info=text.KEYS, elem_id="sc-customers"
            )
        with gr.Column(elem_id="sc-desk-talk", min_width=0):
            case = gr.HTML("", elem_id="sc-case")
            with gr.Column(visible=False, scale=0, elem_id="sc-composer") as composer:
                reply = gr.Textbox(
                    label=text.REPLY,
                    show_label=False,
                    placeholder=text.REPLY_HINT,
                    lines=2,
                    max_lines=8,
                    elem_id="sc-reply",
                )
                with gr.Row(elem_classes="sc-buttons"):
                    send = gr.Button(
                        text.SEND, variant="primary", size="sm", elem_id="sc-reply-send"
                    )
                    close = gr.Button(text.CLOSE, size="sm", elem_id="sc-case-close")
                    canned = gr.Dropdown(
                        choices=replies,
                        value=None,
                        label=text.CANNED,
                        filterable=False,
                        elem_id="sc-canned",
                    )
        with gr.Column(scale=0, elem_id="sc-desk-side", min_width=0):
            known = gr.HTML("", elem_id="sc-known")
    return DeskTab(
        door=door,
        key=key,
        enter=enter,
        room=room,
        customers=customers,
        case=case,
        known=known,
        composer=composer,
        canned=canned,
        language=gr.Textbox(visible=False),
        reply=reply,
        send=send,
        close=close,
        alert=alert,
        timer=gr.Timer(REFRESH_S, active=False),
    )


def bind_desk(tab: DeskTab, events: DeskEvents, queue: EngineQueue) -> None:
    """Connect every control of the desk."""
    shape = {"outputs": tab.outputs(), "show_progress": "hidden"}
    guarded = {**queue.guarded(), **shape}

    def shown(event: Callable[..., DeskViewState]) -> Callable[..., dict[Any, Any]]:
        return lambda *arguments: tab.rendered(event(*say.well_formed(arguments)))

    chosen = [tab.key, tab.customers]
    gr.on([tab.enter.click, tab.key.submit], shown(events.enter), tab.key, **kept(guarded))
    tab.customers.input(shown(events.choose), chosen, **kept(guarded))
    named = [tab.canned, tab.language]
    tab.canned.input(shown(events.canned), named, js=_WITH_LANGUAGE, **queue.quick(), **shape)
    tab.send.click(shown(events.reply), [*chosen, tab.reply], **kept(guarded))
    tab.close.click(shown(events.close), chosen, **guarded)
    tab.timer.tick(shown(events.refresh), chosen, **guarded)
