"""The chat tab and the sidebar with past conversations."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from specchat.chat.types import ChatError
from specchat.ui import messages as say
from specchat.ui.chat_events import ChatEvents, Screen, answer_options
from specchat.ui.options import EngineQueue, Options, build_options

EXAMPLES = (
    "Where is my refund for order 4417?",
    "I want to cancel my order",
    "How do I change my delivery address?",
    "I cannot find my invoice",
    "I want to talk to a person",
)


@dataclass(frozen=True)
class ChatTab:
    """The components of the chat that events read or change."""

    identity: gr.BrowserState
    chatbot: gr.Chatbot
    box: gr.Textbox
    send: gr.Button
    stop: gr.Button
    alert: gr.HTML
    notes: gr.HTML
    conversations: gr.Radio
    new: gr.Button
    options: Options

    def outputs(self) -> list[Any]:
        """In the order of `rendered`."""
        return [
            self.chatbot,
            self.box,
            self.identity,
            self.alert,
            self.notes,
            self.conversations,
            self.send,
            self.stop,
        ]


@dataclass(frozen=True)
class Sidebar:
    """The list of past conversations."""

    new: gr.Button
    conversations: gr.Radio


def build_sidebar() -> Sidebar:
    """Past conversations, above every tab's content."""
    with gr.Sidebar(label="Conversations", open=False, width=280, elem_id="sc-sidebar"):
        new = gr.Button("New conversation", variant="primary", elem_id="sc-new")
        conversations = gr.Radio(
            choices=[],
            label="Past conversations",
            info="Kept for this browser only",
            elem_id="sc-conversations",
        )
    return Sidebar(new, conversations)


def build_chat_tab(
    sidebar: Sidebar, identity: gr.BrowserState, company: str, max_tokens: int, temperature: float
) -> ChatTab:
    """Lay the chat out; events are bound by `bind_chat`."""
    gr.HTML(
        f'<div class="sc-disclosure" role="note">You are talking to an <b>AI assistant</b> of '
        f"{escape(company)}, not to a person. It can be wrong. Please do not send passwords or "
        "card numbers.</div>"
    )
    chatbot = gr.Chatbot(
        elem_id="sc-chat",
        label="Conversation",
        show_label=False,
        height=560,
        sanitize_html=True,
        allow_tags=False,
        buttons=["copy"],
        layout="bubble",
        latex_delimiters=[],
        feedback_options=None,
        placeholder=f"### How can we help?\nAsk {_plain(company)}'s AI assistant anything about "
        "orders, delivery, refunds or your account.",
        examples=[{"text": example} for example in EXAMPLES],
    )
    alert = gr.HTML("", elem_id="sc-alert")
    notes = gr.HTML("", elem_id="sc-notes")
    with gr.Row(equal_height=True, elem_id="sc-ask"):
        box = gr.Textbox(
            placeholder="Type your question and press Enter",
            label="Your question",
            show_label=False,
            lines=1,
            max_lines=6,
            scale=8,
            min_width=160,
            elem_id="sc-question",
        )
        send = gr.Button("Send", variant="primary", scale=1, min_width=88, elem_id="sc-send")
        stop = gr.Button(
            "Stop", variant="stop", scale=1, min_width=88, visible=False, elem_id="sc-stop"
        )
    options = build_options(max_tokens, temperature, with_mode=True)
    return ChatTab(
        identity,
        chatbot,
        box,
        send,
        stop,
        alert,
        notes,
        sidebar.conversations,
        sidebar.new,
        options,
    )


def bind_chat(tab: ChatTab, events: ChatEvents, queue: EngineQueue, page: gr.Blocks) -> None:
    """Connect every control of the chat."""
    answering = {**queue.answering(), "outputs": tab.outputs(), "show_progress": "hidden"}
    quick = {**queue.quick(), "outputs": tab.outputs(), "show_progress": "hidden"}
    asking = [tab.box, tab.identity, *tab.options.inputs()]
    gr.on([tab.box.submit, tab.send.click], _ask(tab, events), inputs=asking, **answering)
    tab.chatbot.example_select(_ask_example(tab, events), inputs=asking[1:], **answering)
    tab.chatbot.retry(
        _retry(tab, events), inputs=[tab.identity, *tab.options.inputs()], **answering
    )
    tab.chatbot.undo(_single(tab, events.undo), inputs=tab.identity, **quick)
    tab.stop.click(_single(tab, events.stop), inputs=tab.identity, **quick)
    gr.on([tab.new.click, tab.chatbot.clear], _single(tab, events.new), tab.identity, **quick)
    tab.conversations.input(
        _single(tab, events.open), inputs=[tab.conversations, tab.identity], **quick
    )
    page.load(_single(tab, events.load), inputs=tab.identity, **quick)


def _ask(tab: ChatTab, events: ChatEvents) -> Callable[..., Generator[Any, None, None]]:
    def ask(question: str, stored: Any, *options: Any) -> Generator[Any, None, None]:
        yield from _rendered_all(
            tab, lambda: events.ask(question, stored, answer_options(*options))
        )

    return ask


def _ask_example(tab: ChatTab, events: ChatEvents) -> Callable[..., Generator[Any, None, None]]:
    def ask_example(
        stored: Any,
        speculate: Any,
        temperature: Any,
        max_tokens: Any,
        seed: Any,
        chosen: gr.SelectData,
    ) -> Generator[Any, None, None]:
        yield from _rendered_all(
            tab,
            lambda: events.ask(
                str(chosen.value["text"]),
                stored,
                answer_options(speculate, temperature, max_tokens, seed),
            ),
        )

    return ask_example


def _retry(tab: ChatTab, events: ChatEvents) -> Callable[..., Generator[Any, None, None]]:
    def retry(stored: Any, *options: Any) -> Generator[Any, None, None]:
        yield from _rendered_all(tab, lambda: events.retry(stored, answer_options(*options)))

    return retry


def _rendered_all(
    tab: ChatTab, begin: Callable[[], Generator[Screen, None, None]]
) -> Generator[Any, None, None]:
    try:
        screens = begin()
    except ChatError as error:
        yield rendered(Screen(alert=say.problem(error)))
        return
    try:
        for screen in screens:
            yield rendered(screen)
    finally:
        screens.close()


def _single(tab: ChatTab, event: Callable[..., Screen]) -> Callable[..., Any]:
    def handle(*arguments: Any) -> Any:
        try:
            return rendered(event(*arguments))
        except say.EXPECTED as error:
            return rendered(Screen(alert=say.problem(error)))

    return handle


def rendered(screen: Screen) -> tuple[Any, ...]:
    """A screen as values for `ChatTab.outputs`."""
    keep = gr.skip()
    who = screen.identity
    return (
        keep if screen.messages is None else screen.messages,
        keep if screen.box is None else screen.box,
        keep if who is None else who.stored(),
        keep if screen.alert is None else screen.alert,
        keep if screen.notes is None else screen.notes,
        _listed(screen),
        keep if screen.answering is None else gr.update(visible=not screen.answering),
        keep if screen.answering is None else gr.update(visible=screen.answering),
    )


def _listed(screen: Screen) -> Any:
    if screen.conversations is None:
        return gr.skip()
    ids = {row_id for _, row_id in screen.conversations}
    current = screen.current if screen.current in ids else None
    return gr.update(choices=screen.conversations, value=current)


def _plain(text: str) -> str:
    return escape(text).replace("*", "").replace("_", " ").replace("[", "(")
