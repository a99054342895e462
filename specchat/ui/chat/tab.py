"""The chat tab: what a customer sees, as components."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from specchat.chat.company.profile import Company
from specchat.ui.chat import labels as text
from specchat.ui.chat.sidebar import Sidebar
from specchat.ui.chat.tab_state import Screen
from specchat.ui.shared.sampling_controls import Options, build_options

POLL_S = 2.0
"""How often a customer who waits for a person is told how it stands."""

DEFAULT_TOPICS = ("Where is my order?", "I want my money back", "I want to talk to a person")


@dataclass(frozen=True)
class Rating:
    """The question at the end of a conversation."""

    group: gr.Column
    score: gr.Radio
    comment: gr.Textbox
    send: gr.Button
    skip: gr.Button


@dataclass(frozen=True)
class Consent:
    """The question at the first contact."""

    group: gr.Column
    yes: gr.Button
    no: gr.Button


@dataclass(frozen=True)
class ChatTab:
    """The components of the chat that events read or change."""

    identity: gr.BrowserState
    consent: Consent
    chatbot: gr.Chatbot
    panel: gr.HTML
    back: gr.Button
    alert: gr.HTML
    notes: gr.HTML
    offer: gr.HTML
    box: gr.Textbox
    send: gr.Button
    stop: gr.Button
    person: gr.Button
    end: gr.Button
    rating: Rating
    options: Options
    timer: gr.Timer
    sidebar: Sidebar

    def outputs(self) -> list[Any]:
        """Everything that `rendered` may change."""
        side = self.sidebar
        return [
            self.chatbot, self.box, self.identity, self.alert, self.notes, self.offer,
            self.panel, self.back, self.send, self.stop, self.timer,
            self.rating.group, self.rating.score, self.rating.comment, self.consent.group,
            side.conversations, side.listed, side.opened, side.title, side.download, side.keep,
        ]  # fmt: skip

    def rendered(self, screen: Screen) -> dict[Any, Any]:
        """A screen as updates of the components that it changes."""
        side = self.sidebar
        plain = {
            self.box: screen.box,
            self.alert: screen.alert,
            self.notes: screen.notes,
            self.offer: screen.offer,
            self.panel: screen.panel,
            side.listed: screen.listed,
            side.download: screen.download,
        }
        changes: dict[Any, Any] = {
            part: value for part, value in plain.items() if value is not None
        }
        if screen.messages is not None or screen.opinions is not None:
            changes[self.chatbot] = _chatbot(screen)
        if screen.identity is not None:
            changes[self.identity] = screen.identity.stored()
            changes[side.keep] = bool(screen.identity.keeps)
        if screen.answering is not None:
            changes[self.send] = gr.update(visible=not screen.answering)
            changes[self.stop] = gr.update(visible=screen.answering)
        if screen.waits is not None:
            changes[self.timer] = gr.Timer(active=screen.waits)
            changes[self.back] = gr.update(visible=screen.waits)
        if screen.rating is not None:
            changes[self.rating.group] = gr.update(visible=screen.rating)
            changes |= {self.rating.score: None, self.rating.comment: ""}
        if screen.asks_consent is not None:
            changes[self.consent.group] = gr.update(visible=screen.asks_consent)
        if screen.conversations is not None:
            changes[side.conversations] = _listed(screen.conversations, screen.current)
        if screen.title is not None:
            changes[side.title] = screen.title
            changes[side.opened] = gr.update(visible=bool(screen.title))
        return changes or {self.alert: gr.skip()}


def build_chat_tab(
    sidebar: Sidebar,
    identity: gr.BrowserState,
    company: Company,
    max_tokens: int,
    temperature: float,
) -> ChatTab:
    """Lay the chat out; events are bound by `bind_chat`."""
    gr.HTML(f'<div class="sc-disclosure" role="note">{text.disclosure(escape(company.name))}</div>')
    consent = _build_consent()
    chatbot = _build_chatbot(company)
    panel = gr.HTML("", elem_id="sc-panel")
    back = gr.Button(text.BACK_TO_ASSISTANT, size="sm", visible=False, elem_id="sc-back")
    alert = gr.HTML("", elem_id="sc-alert")
    notes = gr.HTML("", elem_id="sc-notes")
    offer = gr.HTML("", elem_id="sc-offer")
    rating = _build_rating()
    with gr.Row(equal_height=True, elem_id="sc-ask"):
        box = gr.Textbox(
            placeholder=text.QUESTION_HINTS[company.language],
            label=text.QUESTION_LABEL,
            show_label=False,
            lines=1,
            max_lines=6,
            scale=8,
            min_width=160,
            elem_id="sc-question",
        )
        send = gr.Button(text.SEND, variant="primary", scale=1, min_width=88, elem_id="sc-send")
        stop = gr.Button(
            text.STOP, variant="stop", scale=1, min_width=88, visible=False, elem_id="sc-stop"
        )
    with gr.Row(elem_id="sc-actions"):
        person = gr.Button(text.TALK_TO_PERSON, size="sm", min_width=120, elem_id="sc-person")
        end = gr.Button(text.END_CONVERSATION, size="sm", min_width=120, elem_id="sc-end")
    options = build_options(max_tokens, temperature, with_mode=True)
    return ChatTab(
        identity=identity,
        consent=consent,
        chatbot=chatbot,
        panel=panel,
        back=back,
        alert=alert,
        notes=notes,
        offer=offer,
        box=box,
        send=send,
        stop=stop,
        person=person,
        end=end,
        rating=rating,
        options=options,
        timer=gr.Timer(POLL_S, active=False),
        sidebar=sidebar,
    )


def _build_consent() -> Consent:
    with gr.Column(elem_id="sc-consent", elem_classes="sc-box") as group:
        gr.HTML(f'<div class="sc-consent">{text.CONSENT}</div>')
        with gr.Row(elem_classes="sc-buttons"):
            yes = gr.Button(
                text.CONSENT_YES, size="sm", variant="primary", min_width=110, elem_id="sc-agree"
            )
            no = gr.Button(text.CONSENT_NO, size="sm", min_width=110, elem_id="sc-decline")
    return Consent(group, yes, no)


def _build_chatbot(company: Company) -> gr.Chatbot:
    return gr.Chatbot(
        elem_id="sc-chat",
        label=text.CONVERSATION,
        show_label=False,
        height=560,
        sanitize_html=True,
        allow_tags=False,
        buttons=["copy"],
        editable="user",
        layout="bubble",
        latex_delimiters=[],
        feedback_options=(text.LIKE, text.DISLIKE),
        placeholder=text.placeholder(_plain(company.name), company.language),
        examples=[{"text": topic} for topic in company.topics or DEFAULT_TOPICS],
    )


def _build_rating() -> Rating:
    with gr.Column(visible=False, elem_id="sc-rating", elem_classes="sc-box") as group:
        score = gr.Radio(
            choices=["1", "2", "3", "4", "5"],
            label=text.CSAT,
            info=text.CSAT_SCALE,
            elem_id="sc-score",
        )
        comment = gr.Textbox(
            label=text.CSAT_COMMENT, lines=1, max_lines=4, max_length=2000, elem_id="sc-comment"
        )
        with gr.Row(elem_classes="sc-buttons"):
            send = gr.Button(
                text.CSAT_SEND, size="sm", variant="primary", min_width=110, elem_id="sc-rate"
            )
            skip = gr.Button(text.CSAT_SKIP, size="sm", min_width=110, elem_id="sc-rate-skip")
    return Rating(group, score, comment, send, skip)


def _chatbot(screen: Screen) -> Any:
    if screen.opinions is None:
        return screen.messages
    if screen.messages is None:
        return gr.update(feedback_value=screen.opinions)
    return gr.update(value=screen.messages, feedback_value=screen.opinions)


def _listed(conversations: list[tuple[str, str]], current: str) -> Any:
    ids = {row_id for _, row_id in conversations}
    return gr.update(choices=conversations, value=current if current in ids else None)


def _plain(said: str) -> str:
    return escape(said).replace("*", "").replace("_", " ").replace("[", "(")
