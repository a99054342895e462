"""The support desk: customers who wait, their case, and a colleague's reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from specchat.ui.desk import labels as text
from specchat.ui.desk.door import session_of
from specchat.ui.desk.events import DeskEvents, DeskViewState
from specchat.ui.shared import alerts as say
from specchat.ui.shared.sampling_controls import EngineQueue, kept

REFRESH_S = 3.0
_WITH_LANGUAGE = "(name) => [name, document.documentElement.lang]"
_AT_THE_DOOR = "async (key) => [await specchatDesk.enter(key)]"  # the key goes no further
_LOCKING = "async () => { await specchatDesk.lock(); return []; }"


@dataclass(frozen=True)
class DeskTab:
    """The components of the desk that events read or change."""

    door: gr.Column
    key: gr.Textbox
    enter: gr.Button
    room: gr.Column
    lock: gr.Button
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
            self.door, self.key, self.room, self.customers, self.case, self.known, self.composer,
            self.canned, self.reply, self.alert, self.timer,
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
        if view_state.opened is not None:
            changes[self.door] = gr.update(visible=not view_state.opened)
            changes[self.room] = gr.update(visible=view_state.opened)
            changes[self.timer] = gr.Timer(active=view_state.opened)
        if view_state.opened:
            changes |= {self.alert: "", self.key: ""}
        if view_state.opened is False:
            changes |= {self.case: "", self.known: "", self.reply: "", self.canned: None}
            changes[self.customers] = gr.update(choices=[], value=None)
            changes[self.composer] = gr.update(visible=False)
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
    with gr.Column(scale=0, elem_id="sc-desk-door") as door:
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
            lock = gr.Button(text.LOCK, size="sm", elem_id="sc-desk-lock")
            known = gr.HTML("", elem_id="sc-known")
    return DeskTab(
        door=door,
        key=key,
        enter=enter,
        room=room,
        lock=lock,
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


def bind_desk(tab: DeskTab, events: DeskEvents, queue: EngineQueue, page: gr.Blocks) -> None:
    """Connect every control of the desk. Who acts is known by the cookie of the door."""
    shape = {"outputs": tab.outputs(), "show_progress": "hidden", **queue.quick()}

    def shown(event: Callable[..., DeskViewState]) -> Callable[..., dict[Any, Any]]:
        def at_desk(request: gr.Request, *arguments: Any) -> dict[Any, Any]:
            session = session_of(request.headers)
            return tab.rendered(event(session, *say.well_formed(arguments)))

        return at_desk

    def canned(name: str | None, language: str | None) -> dict[Any, Any]:
        return tab.rendered(events.canned(*say.well_formed((name, language))))

    chosen = [tab.customers]
    page.load(shown(events.arrive), None, **shape)
    gr.on(
        [tab.enter.click, tab.key.submit], shown(events.enter), tab.key, js=_AT_THE_DOOR,
        **kept(shape),
    )  # fmt: skip
    tab.lock.click(shown(events.lock), None, js=_LOCKING, **kept(shape))
    tab.customers.input(shown(events.look), chosen, **kept(shape))
    tab.canned.input(canned, [tab.canned, tab.language], js=_WITH_LANGUAGE, **shape)
    tab.send.click(shown(events.reply), [*chosen, tab.reply], **kept(shape))
    tab.close.click(shown(events.close), chosen, **shape)
    tab.timer.tick(shown(events.look), chosen, **shape)
