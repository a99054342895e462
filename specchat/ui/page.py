"""The page: header, sidebar and tabs, put together."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from specchat.chat.service import ChatService
from specchat.settings import Settings
from specchat.ui.api import add_api
from specchat.ui.chat.bindings import bind_chat
from specchat.ui.chat.sidebar import build_sidebar
from specchat.ui.chat.tab import build_chat_tab
from specchat.ui.dashboard.gpu_section import build_gpu_section
from specchat.ui.dashboard.load_section import bind_load, build_load_section
from specchat.ui.dashboard.speculators_section import bind_speculators, build_speculators_section
from specchat.ui.dashboard.tab import bind_dashboard, build_dashboard_tab
from specchat.ui.dashboard.tools import bind_evidence_tools, build_evidence_tools
from specchat.ui.desk import labels
from specchat.ui.desk.events import DeskEvents
from specchat.ui.desk.tab import bind_desk, build_desk_tab
from specchat.ui.language import CHOICE
from specchat.ui.race.events import RaceEvents
from specchat.ui.race.tab import bind_race, build_race_tab, linked, opener
from specchat.ui.shared.alerts import notes
from specchat.ui.shared.format import figure, model_name
from specchat.ui.shared.identity import identity_box
from specchat.ui.shared.sampling_controls import EngineQueue
from specchat.ui.shared.theme import LOGO
from storage import Store

if TYPE_CHECKING:
    from specchat.engine.engine import Engine

log = logging.getLogger(__name__)

TITLE = "specchat: customer care, answered speculatively"


def build_app(
    service: ChatService,
    engine: Engine,
    store: Store,
    settings: Settings,
    problems: Sequence[str] = (),
) -> gr.Blocks:
    """The whole page on running parts; `serve` puts it on the network. `problems` are said at the
    top: what does not work, though the chat does."""
    queue = EngineQueue(settings.concurrency)
    sampling = (settings.max_tokens, settings.temperature)
    races = RaceEvents(service, engine, store)
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as page:
        identity = identity_box()
        sidebar = build_sidebar()
        gr.HTML(header_html(engine.info, service.company.name), elem_id="sc-header")
        if problems:
            gr.HTML(notes(problems), elem_id="sc-problems")
        with gr.Tabs(elem_id="sc-tabs") as tabs:
            with gr.Tab("Chat", id="chat") as chat:
                talk = build_chat_tab(sidebar, identity, service.company, *sampling)
            with gr.Tab("Race", id="race") as race:
                track = build_race_tab(
                    identity, engine.info.speculators, *sampling, engine.options.max_nodes
                )
            with gr.Tab("Dashboard", id="dashboard") as dashboard:
                board = build_dashboard_tab(engine.info.speculators)
                more = build_evidence_tools()
                under_load = build_load_section()
                drafters = build_speculators_section()
                build_gpu_section()
            with gr.Tab(labels.TAB, id="desk") as support:
                desk = build_desk_tab([reply.name for reply in service.company.replies])
        bind_chat(talk, service, queue, page)
        bind_desk(desk, _desk_events(service, settings), queue)
        bind_race(track, races, queue)
        page.load(opener(track), None, linked(track, tabs), show_progress="hidden", **queue.quick())
        bind_dashboard(board, store, engine.snapshot, queue, dashboard, [chat, race, support])
        bind_evidence_tools(more, board.filters(), store, queue)
        bind_load(under_load, queue)
        bind_speculators(drafters, store, queue)
        add_api(service, races, queue, *sampling)
    page.queue(max_size=queue.max_size, default_concurrency_limit=settings.concurrency)
    return page


def _desk_events(service: ChatService, settings: Settings) -> DeskEvents:
    key = settings.desk_key
    if key is None:
        key = secrets.token_urlsafe(9)
        log.info("the support desk opens with the key %s", key)
    return DeskEvents(service.handoffs, key, service.company)


def header_html(info: Any, company: str) -> str:
    """Logo, name, and which model answers on which machine. Escaped."""
    drafts = " + ".join(info.speculators) or "no speculator"
    chips = [
        escape(model_name(info.name)),
        figure(f"{info.parameters / 1e6:,.0f} M"),
        escape(str(info.dtype)),
        escape(str(info.device)),
        escape(drafts),
    ]
    shown = "".join(f'<span class="sc-chip">{chip}</span>' for chip in chips)
    return (
        f'<div class="sc-header">{LOGO}<div class="sc-brand"><h1>specchat</h1>'
        f"<span>{escape(company)} customer care</span></div>"
        f'<div class="sc-chips" aria-label="Model" role="group">{shown}</div>{CHOICE}</div>'
    )
