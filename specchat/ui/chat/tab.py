"""The chat tab: what a customer sees, as components."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from specchat.chat.company.profile import Company
from specchat.ui.chat import labels as text
from specchat.ui.chat.sidebar import Sidebar
from specchat.ui.chat.view_state import ChatViewState
from specchat.ui.shared.sampling_controls import (
    FixedSampling,
    SamplingControls,
    build_sampling_controls,
)

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

    identity: gr.Textbox
    consent: Consent
    chatbot: gr.Chatbot
    panel: gr.HTML
    back: gr.Button
    alert: gr.HTML
    notes: gr.HTML
    offer: gr.HTML
    accept: gr.Button
    box: gr.Textbox
    send: gr.Button
    stop: gr.Button
    person: gr.Button
    end: gr.Button
    rating: Rating
    options: SamplingControls | FixedSampling
    timer: gr.Timer
    sidebar: Sidebar

    def outputs(self) -> list[Any]:
        """Everything that `rendered` may change."""
        side = self.sidebar
        return [
            self.chatbot, self.box, self.identity, self.alert, self.notes, self.offer, self.accept,
            self.panel, self.back, self.person, self.send, self.stop, self.timer,
            self.rating.group, self.rating.score, self.rating.comment, self.consent.group,
            side.conversations, side.listed, side.opened, side.title, side.download, side.keep,
        ]  # fmt: skip

    def rendered(self, view_state: ChatViewState) -> dict[Any, Any]:
        """A screen as updates of the components that it changes."""
        side = self.sidebar
        plain = {
            self.box: view_state.box,
            self.alert: view_state.alert,
            self.notes: view_state.notes,
            self.offer: view_state.offer,
            self.panel: view_state.panel,
            side.listed: view_state.listed,
            side.download: view_state.download,
        }
        changes: dict[Any, Any] = {
            part: value for part, value in plain.items() if value is not None
        }
        if view_state.offer is not None:
            changes[self.accept] = gr.update(visible=bool(view_state.offer))
        if view_state.messages is not None or view_state.opinions is not None:
            changes[self.chatbot] = _chatbot(view_state)
        if view_state.identity is not None:
            changes[self.identity] = json.dumps(view_state.identity.stored())
        if view_state.keeps is not None:
            changes[side.keep] = view_state.keeps
        if view_state.answering is not None:
            changes[self.send] = gr.update(visible=not view_state.answering)
            changes[self.stop] = gr.update(visible=view_state.answering)
        if view_state.waits is not None:
            changes[self.timer] = gr.Timer(active=view_state.waits)
            changes[self.back] = gr.update(visible=view_state.waits)
            changes[self.person] = gr.update(visible=not view_state.waits)
        if view_state.rating is not None:
            changes[self.rating.group] = gr.update(visible=view_state.rating)
            changes |= {self.rating.score: None, self.rating.comment: ""}
        if view_state.asks_consent is not None:
            changes[self.consent.group] = gr.update(visible=view_state.asks_consent)
        if view_state.conversations is not None:
            changes[side.conversations] = _listed(view_state.conversations, view_state.current)
        if view_state.title is not None:
            changes[side.title] = view_state.title
            changes[side.opened] = gr.update(visible=bool(view_state.title))
        return changes or {self.alert: gr.skip()}


def build_chat_tab(
    sidebar: Sidebar,
    identity: gr.Textbox,
    company: Company,
    max_tokens: int,
    temperature: float,
    *,
    engineer: bool = True,
) -> ChatTab:
    """Lay the chat out; events are bound by `bind_chat`. Without `engineer` as customers see it:
    nothing of the engine can be set."""
    with gr.Column(elem_id="sc-talk", min_width=0):
        gr.HTML(
            f'<div class="sc-disclosure" role="note">{text.disclosure(escape(company.name))}</div>'
        )
        gr.HTML(
            f'<div class="sc-note" role="note">{text.BROWSER_KEEPS_NOTHING}</div>',
            elem_id="sc-keeps-nothing",
        )
        consent = _build_consent()
        chatbot = _build_chatbot(company)
        panel = gr.HTML("", elem_id="sc-panel")
        back = gr.Button(text.BACK_TO_ASSISTANT, size="sm", visible=False, elem_id="sc-back")
        alert = gr.HTML("", elem_id="sc-alert")
        notes = gr.HTML("", elem_id="sc-notes")
        offer = gr.HTML("", elem_id="sc-offer")
        rating = _build_rating()
        with gr.Row(elem_id="sc-actions"):
            accept = gr.Button(
                text.ACCEPT_OFFER, size="sm", min_width=120, visible=False, elem_id="sc-accept"
            )
            person = gr.Button(text.TALK_TO_PERSON, size="sm", min_width=120, elem_id="sc-person")
            end = gr.Button(text.END_CONVERSATION, size="sm", min_width=120, elem_id="sc-end")
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
            send = gr.Button(text.SEND, variant="primary", scale=0, min_width=88, elem_id="sc-send")
            stop = gr.Button(
                text.STOP, variant="stop", scale=0, min_width=88, visible=False, elem_id="sc-stop"
            )
    options = (
        build_sampling_controls(max_tokens, temperature, with_mode=True)
        if engineer
        else FixedSampling(max_tokens, temperature)
    )
    return ChatTab(
        identity=identity,
        consent=consent,
        chatbot=chatbot,
        panel=panel,
        back=back,
        alert=alert,
        notes=notes,
        offer=offer,
        accept=accept,
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
    with gr.Column(scale=0, elem_id="sc-consent", elem_classes="sc-box") as group:
        gr.HTML(f'<div class="sc-consent">{text.CONSENT}</div>')
        with gr.Row(elem_classes="sc-buttons"):
            yes = gr.Button(text.CONSENT_YES, size="sm", min_width=110, elem_id="sc-agree")
            no = gr.Button(text.CONSENT_NO, size="sm", min_width=110, elem_id="sc-decline")
    return Consent(group, yes, no)


def _build_chatbot(company: Company) -> gr.Chatbot:
    return gr.Chatbot(
        elem_id="sc-chat",
        label=text.CONVERSATION,
        show_label=False,
        height="auto",
        autoscroll=False,  # following.js
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
    with gr.Column(scale=0, visible=False, elem_id="sc-rating", elem_classes="sc-box") as group:
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


def _chatbot(view_state: ChatViewState) -> Any:
    if view_state.opinions is None:
        return view_state.messages
    if view_state.messages is None:
        return gr.update(feedback_value=view_state.opinions)
    return gr.update(value=view_state.messages, feedback_value=view_state.opinions)


def _listed(conversations: list[tuple[str, str]], current: str) -> Any:
    ids = {row_id for _, row_id in conversations}
    return gr.update(choices=conversations, value=current if current in ids else None)


def _plain(said: str) -> str:
    return escape(said).replace("*", "").replace("_", " ").replace("[", "(")
