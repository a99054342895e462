"""The sidebar: past conversations, the open one, and the customer's own data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from specchat.ui.chat import labels as text
from specchat.ui.chat.sidebar_events import SidebarEvents
from specchat.ui.shared.identity import reading
from specchat.ui.shared.sampling_controls import EngineQueue

SAVE_FILE = """(file) => {
  if (!file) return;
  const made = JSON.parse(file), link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([made.text], {type: made.type}));
  link.download = made.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}"""
"""Saves in the browser: no copy of a conversation is left on the server."""

INTO_VIEW = """() => {
  const show = () => document.getElementById("NAME")?.scrollIntoView({block: "nearest"});
  setTimeout(show, 100);
}"""
"""Once it is drawn: the question may come below the edge of the sidebar."""


@dataclass(frozen=True)
class Confirmed:
    """A button whose deed needs a second press."""

    first: gr.Button
    question: gr.Column
    yes: gr.Button
    no: gr.Button

    def bind(self) -> None:
        """Show and hide the question; the deed itself hangs on `yes`."""
        local = {"outputs": self.question, "queue": False, "api_visibility": "private"}
        show = {**local, "show_progress": "hidden"}
        asked = self.first.click(lambda: gr.update(visible=True), **show)
        asked.then(None, js=INTO_VIEW.replace("NAME", str(self.question.elem_id)))
        gr.on([self.yes.click, self.no.click], lambda: gr.update(visible=False), **show)


@dataclass(frozen=True)
class Sidebar:
    """The components of the sidebar that events read or change."""

    new: gr.Button
    search: gr.Textbox
    conversations: gr.Radio
    listed: gr.HTML
    opened: gr.Column
    title: gr.Textbox
    rename: gr.Button
    delete: Confirmed
    save_json: gr.Button
    save_markdown: gr.Button
    download: gr.Textbox
    keep: gr.Checkbox
    forget: Confirmed


def build_sidebar() -> Sidebar:
    """Past conversations, above every tab's content."""
    with gr.Sidebar(label=text.SIDEBAR, open=False, width=300, elem_id="sc-sidebar"):
        new = gr.Button(text.NEW, variant="primary", elem_id="sc-new")
        search = gr.Textbox(
            label=text.SEARCH, placeholder=text.SEARCH_HINT, max_lines=1, elem_id="sc-search"
        )
        conversations = gr.Radio(
            choices=[], label=text.PAST, info=text.PAST_INFO, elem_id="sc-conversations"
        )
        listed = gr.HTML("", elem_id="sc-listed")
        with gr.Column(visible=False, elem_id="sc-opened", elem_classes="sc-box") as opened:
            title = gr.Textbox(label=text.TITLE, max_lines=1, max_length=120, elem_id="sc-title")
            with gr.Row(elem_classes="sc-buttons"):
                rename = _small(text.RENAME, "sc-rename")
                deletes = _small(text.DELETE, "sc-delete")
            delete = _confirmed(deletes, text.DELETE_SURE, text.DELETE_YES, "sc-delete")
            with gr.Row(elem_classes="sc-buttons"):
                gr.HTML(f'<span class="sc-save-as">{text.EXPORT_AS}</span>', min_width=0)
                save_json = _small(text.EXPORT_JSON, "sc-save-json")
                save_markdown = _small(text.EXPORT_MARKDOWN, "sc-save-markdown")
        download = gr.Textbox(visible="hidden", elem_id="sc-download")
        with gr.Accordion(text.YOUR_DATA, open=False, elem_id="sc-data"):
            keep = gr.Checkbox(value=False, label=text.KEEP, info=text.KEEP_INFO, elem_id="sc-keep")
            forgets = _small(text.FORGET, "sc-forget", variant="stop")
            forget = _confirmed(forgets, text.FORGET_SURE, text.FORGET_YES, "sc-forget")
    return Sidebar(
        new=new,
        search=search,
        conversations=conversations,
        listed=listed,
        opened=opened,
        title=title,
        rename=rename,
        delete=delete,
        save_json=save_json,
        save_markdown=save_markdown,
        download=download,
        keep=keep,
        forget=forget,
    )


def bind_sidebar(
    sidebar: Sidebar,
    identity: gr.Textbox,
    events: SidebarEvents,
    queue: EngineQueue,
    handled: Callable[..., Callable[..., Any]],
    outputs: list[Any],
) -> None:
    """Connect what concerns conversations and data; `handled` turns screens into outputs."""
    quick = {**queue.quick(), "outputs": outputs, "show_progress": "hidden"}
    sidebar.delete.bind()
    sidebar.forget.bind()
    gr.on(
        [sidebar.search.submit, sidebar.search.change],
        handled(events.search),
        **reading(identity, sidebar.search, identity),
        **{**quick, **queue.latest()},
    )
    gr.on(
        [sidebar.rename.click, sidebar.title.submit],
        handled(events.rename),
        **reading(identity, sidebar.title, identity),
        **quick,
    )
    sidebar.delete.yes.click(handled(events.delete), **reading(identity), **quick)
    sidebar.forget.yes.click(handled(events.forget), **reading(identity), **quick)
    for button, form in ((sidebar.save_json, "json"), (sidebar.save_markdown, "markdown")):
        saved = button.click(
            handled(lambda title, stored, form=form: events.save(form, title, stored)),
            **reading(identity, sidebar.title, identity),
            **quick,
        )
        saved.then(None, inputs=sidebar.download, js=SAVE_FILE)


def _small(label: str, name: str, variant: Any = "secondary") -> gr.Button:
    return gr.Button(label, size="sm", min_width=90, variant=variant, elem_id=name)


def _confirmed(first: gr.Button, question: str, yes: str, name: str) -> Confirmed:
    with gr.Column(visible=False, elem_id=f"{name}-sure", elem_classes="sc-sure") as group:
        gr.HTML(f"<p>{question}</p>")
        with gr.Row(elem_classes="sc-buttons"):
            agrees = _small(yes, f"{name}-yes", variant="stop")
            cancels = _small(text.CANCEL, f"{name}-no")
    return Confirmed(first, group, agrees, cancels)
