"""Three views of one app: what customers see, the demo with race and dashboard, the desk."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from specchat.chat.service import ChatService
from specchat.engine.snapshot import SERVER
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
from specchat.ui.desk.events import DeskEvents
from specchat.ui.desk.sessions import DeskSessions
from specchat.ui.desk.tab import bind_desk, build_desk_tab
from specchat.ui.language import CHOICE
from specchat.ui.race.events import RaceEvents
from specchat.ui.race.tab import bind_race, build_race_tab, linked, opener
from specchat.ui.shared.alerts import notes
from specchat.ui.shared.blocks import LeanBlocks
from specchat.ui.shared.format import figure, model_name
from specchat.ui.shared.identity import identity_box
from specchat.ui.shared.sampling_controls import EngineQueue
from specchat.ui.shared.tabs import let_go
from specchat.ui.shared.theme import LOGO
from storage import Store

if TYPE_CHECKING:
    from specchat.engine.interface import AnyEngine

DEMO, DESK = "demo", "desk"
"""Where the other views are."""
SIGN_OUT = '<a href="./logout">Sign out</a>'


def build_app(
    service: ChatService,
    engine: AnyEngine,
    store: Store,
    settings: Settings,
    sessions: DeskSessions,
    problems: Sequence[str] = (),
) -> gr.Blocks:
    """The whole app on running parts; `serve` puts it on the network, with what opens the
    `sessions` of the desk. `problems` are said at the top of the demo: what does not work, though
    the chat does."""
    queue = EngineQueue(settings.concurrency)
    app = LeanBlocks(title=service.company.name, analytics_enabled=False, fill_width=True)
    with app:
        gr.Navbar(visible=False)
        _customer(app, service, queue, settings)
    with app.route("specchat", f"/{DEMO}", show_in_navbar=False):
        gr.Navbar(visible=False)
        _demo(app, service, engine, store, queue, settings, problems)
    with app.route("Desk", f"/{DESK}", show_in_navbar=False):
        gr.Navbar(visible=False)
        _desk(app, service, queue, sessions)
    service.when_erased(partial(let_go, app))
    app.queue(max_size=queue.max_size, default_concurrency_limit=settings.concurrency)
    return app


def _customer(app: gr.Blocks, service: ChatService, queue: EngineQueue, settings: Settings) -> None:
    """What customers see: the shop, and a chat that fills the window."""
    identity = identity_box()
    sidebar = build_sidebar()
    with gr.Column(elem_id="sc-shell", elem_classes="sc-customer"):
        header = shop_header(service.company.name, signed_in=bool(settings.auth))
        gr.HTML(header, elem_id="sc-header")
        talk = build_chat_tab(
            sidebar, identity, service.company, settings.max_tokens, settings.temperature,
            engineer=False,
        )  # fmt: skip
    bind_chat(talk, service, queue, app, engineer=False)


def _demo(
    app: gr.Blocks,
    service: ChatService,
    engine: AnyEngine,
    store: Store,
    queue: EngineQueue,
    settings: Settings,
    problems: Sequence[str],
) -> None:
    """The same chat with its evidence, the race and the dashboard."""
    sampling = (settings.max_tokens, settings.temperature)
    races = RaceEvents(service, engine, store)
    identity = identity_box()
    sidebar = build_sidebar()
    with gr.Column(elem_id="sc-shell", elem_classes="sc-demo"):
        header = demo_header(engine.info, service.company.name, signed_in=bool(settings.auth))
        gr.HTML(header, elem_id="sc-header")
        _problems(problems)
        with gr.Tabs(elem_id="sc-tabs") as tabs:
            with gr.Tab("Chat", id="chat") as chat:
                talk = build_chat_tab(sidebar, identity, service.company, *sampling)
            with gr.Tab("Race", id="race", elem_id="sc-tab-race") as race:
                track = build_race_tab(
                    identity, engine.info.speculators, *sampling, engine.options.max_nodes
                )
            with gr.Tab("Dashboard", id="dashboard") as dashboard:
                board = build_dashboard_tab(engine.info.speculators)
                more = build_evidence_tools()
                under_load = build_load_section(board.views.under_load)
                with board.views.drafts:
                    drafters = build_speculators_section()
                with board.views.engine:
                    build_gpu_section()
    bind_chat(talk, service, queue, app)
    bind_race(track, races, queue)
    app.load(opener(track), None, linked(track, tabs), show_progress="hidden", **queue.quick())
    bind_dashboard(board, store, engine.snapshot, queue, dashboard, [chat, race])
    bind_evidence_tools(more, board.filters(), store, queue, service.company.currency)
    bind_load(under_load, queue)
    bind_speculators(drafters, store, queue)
    add_api(service, races, queue, *sampling)


def _desk(app: gr.Blocks, service: ChatService, queue: EngineQueue, sessions: DeskSessions) -> None:
    """Where colleagues answer customers who want a person."""
    with gr.Column(elem_id="sc-shell", elem_classes="sc-desk"):
        gr.HTML(desk_header(service.company.name), elem_id="sc-header")
        desk = build_desk_tab([reply.name for reply in service.company.replies])
    bind_desk(desk, DeskEvents(service.handoffs, sessions, service.company), queue, app)


def _problems(problems: Sequence[str]) -> None:
    if problems:
        gr.HTML(notes(problems), elem_id="sc-problems")


def shop_header(company: str, *, signed_in: bool = False) -> str:
    """The shop and the choice of a language. Escaped."""
    out = f'<nav class="sc-views" aria-label="Account">{SIGN_OUT}</nav>' if signed_in else ""
    return (
        f'<div class="sc-header">{LOGO}<div class="sc-brand"><h1>{escape(company)}</h1>'
        f"<span>Customer care</span></div>{out}{CHOICE}</div>"
    )


def demo_header(info: Any, company: str, *, signed_in: bool = False) -> str:
    """The product, which model answers on which machine, and the other views. Escaped."""
    unnamed = "drafts by the server" if info.device == SERVER else "no speculator"
    drafts = " + ".join(info.speculators) or unnamed
    chips = [
        escape(model_name(info.name)),
        *([figure(f"{info.parameters / 1e6:,.0f} M")] if info.parameters else []),
        escape(str(info.dtype)),
        escape(str(info.device)),
        escape(drafts),
    ]
    shown = "".join(f'<span class="sc-chip">{chip}</span>' for chip in chips)
    return (
        f'<div class="sc-header">{LOGO}<div class="sc-brand"><h1>specchat</h1>'
        f"<span>{escape(company)} customer care</span></div>"
        '<details class="sc-about"><summary>About this model</summary>'
        f'<div class="sc-chips">{shown}</div></details>'
        f'<nav class="sc-views" aria-label="Views">{SIGN_OUT if signed_in else ""}'
        f'<a href="./">Customer view</a>'
        f'<a href="./{DESK}">Desk</a></nav>{CHOICE}</div>'
    )


def desk_header(company: str) -> str:
    """Whose desk it is. Escaped."""
    return (
        f'<div class="sc-header">{LOGO}<div class="sc-brand"><h1>Support desk</h1>'
        f"<span>{escape(company)}</span></div>{CHOICE}</div>"
    )
