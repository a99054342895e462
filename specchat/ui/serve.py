"""From settings to a page on the network: load, open, compose, listen."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.routing import BaseRoute

from specchat import gc_pauses
from specchat.api import Api, build_api
from specchat.api.requests.sampling import Defaults
from specchat.chat.company.profile import Company, load_company
from specchat.chat.knowledge.loading import load_knowledge
from specchat.chat.service import ChatService
from specchat.settings import Settings, SettingsError
from specchat.ui.delivery import middleware
from specchat.ui.desk.door import desk_routes
from specchat.ui.desk.sessions import DeskSessions
from specchat.ui.language import dictionary_route, language_head
from specchat.ui.page import build_app
from specchat.ui.page_files import page_head, page_routes
from specchat.ui.preload import preloads
from specchat.ui.shared.sign_in import read_accounts
from specchat.ui.shared.theme import HEAD, theme
from storage import Store, open_store

if TYPE_CHECKING:
    from specchat.engine.interface import AnyModel

log = logging.getLogger(__name__)

DRAIN_S = 8.0
"""For answers to end by themselves when the server is to end: supervisors wait 10 s or more."""

SESSIONS = 200
"""Tabs that Gradio keeps a copy of the page's settings for, about 450 KiB each, until others take
their place; a tab that comes back later gets a new one and loses nothing."""

ENGINE_LOST = 75
"""Exit code where the engine has stopped for good: its GPU is lost, or a step does not end. No
thread can be taken out of such a step and no GPU be reset from inside, so the process ends for its
supervisor to start it anew. sysexits.h calls this code a temporary failure, to be tried again; 0 is
a wanted end here, 1 a fault of Python's and 2 something that was set wrongly."""


class PortError(Exception):
    """The address cannot be listened on; the message says which and what to do."""


@dataclass(frozen=True)
class Parts:
    """Everything a running page stands on."""

    loaded: AnyModel
    store: Store
    service: ChatService
    page: gr.Blocks
    company: Company
    api: Api
    desk: DeskSessions

    def routes(self) -> list[BaseRoute]:
        """What is served beside the page: the API, and the door of the desk."""
        return [*self.api.routes(), *desk_routes(self.desk)]

    def close(self, patience_s: float = 0.0) -> None:
        """Begin no new answer, let those under way end for `patience_s` or until Ctrl-C, stop the
        rest, then store what is queued."""
        deadline = time.monotonic() + patience_s
        try:
            self.service.drain(0.0)
            self.api.traffic.drain(patience_s)
            self.service.drain(max(0.0, deadline - time.monotonic()))
        finally:
            self.service.close()
            self.page.close(verbose=False)
            self.loaded.engine.close()
            self.store.close()


def compose(settings: Settings) -> Parts:
    """Load the model, open the store and build the page. A speculator that cannot be loaded costs
    its speed, not the chat: the page says so.

    Raises:
        CompanyError, StoreError, ModelLoadError, SettingsError: each names what is wrong.
    """
    if settings.auth:
        read_accounts(settings.auth)  # before minutes of loading
    company = load_company(settings.company)
    store = open_store(settings.database_url)
    try:
        loaded = _model(settings)
    except BaseException:
        store.close()
        raise
    try:
        # A model with slots reads no pages.
        found = None if loaded.uses_slots else load_knowledge(store, company)
        service = ChatService(
            loaded,
            store,
            company,
            knowledge=found.knowledge if found else None,
            learn=settings.learn,
            retention_days=settings.retention_days,
        )
    except BaseException:
        loaded.engine.close()
        store.close()
        raise
    problems = (*loaded.problems, *(found.problems if found else ()))
    desk = DeskSessions(settings.desk_key or _new_desk_key())
    page = build_app(service, loaded.engine, store, settings, desk, problems)
    api = build_api(
        loaded,
        service,
        keys=settings.api_keys,
        rate=settings.api_rate_limit,
        host=settings.host,
        concurrency=settings.concurrency,
        defaults=Defaults(settings.max_tokens, settings.temperature),
    )
    return Parts(loaded, store, service, page, company, api, desk)


def _new_desk_key() -> str:
    key = secrets.token_urlsafe(9)
    log.info("the support desk opens with the key %s", key)
    return key


def _model(settings: Settings) -> AnyModel:
    """Our own engine with the settings' model, several of them, or the server that has it."""
    if settings.engine == "openai":
        from specchat.remote.loading import connect

        return connect(settings.remote_options())
    if settings.base_url or settings.plain_base_url:
        raise SettingsError("a base URL counts only with SPECCHAT_ENGINE=openai")
    from specchat.engine.model.lean_imports import import_transformers

    import_transformers()
    if settings.engine == "ray":
        from specchat.fleet.replicas import connect_fleet

        return connect_fleet(settings.fleet_options())
    from specchat.loader import load

    return load(replace(settings.load_options(), skip_what_fails=True))


def launch(settings: Settings) -> None:
    """Serve the page until it is interrupted. Where the engine stops for good the process ends
    with `ENGINE_LOST`, once what is queued is stored.

    Raises:
        PortError: the port is in use or may not be opened.
        CompanyError, StoreError, ModelLoadError, SettingsError: as `compose`.
    """
    require_free_port(settings.host, settings.port)
    _end_on_sigterm()
    log.info("settings: %s", settings.shown())
    with gc_pauses.none():
        parts = compose(settings)
    try:
        listen(parts.page, settings, parts.company, parts.routes())
        gc_pauses.shorten()
        log.info("specchat answers on %s", address(settings))
        log.info("the API below %s/v1 is %s", address(settings), parts.api.access.rule)
        while parts.page.is_running and parts.loaded.engine.alive:
            time.sleep(0.5)
        lost = parts.page.is_running
    finally:
        parts.close(DRAIN_S)
    if lost:
        log.error("ending with code %d, so that whoever watches starts specchat anew", ENGINE_LOST)
        _leave(ENGINE_LOST)


def _leave(code: int) -> None:
    """End the process at once: a thread that is stuck in a step would keep it, or take it down
    with another code."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _end_on_sigterm() -> None:
    """Let a supervisor's SIGTERM end the page as Ctrl-C does: what is queued is stored first."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def listen(
    page: gr.Blocks, settings: Settings, company: Company, beside: Sequence[BaseRoute] = ()
) -> None:
    """Put the page on the network, with nothing sent to anybody else, and return. The routes
    `beside` it come first."""
    try:
        options = launch_options(settings, company, beside, preloads(page))
        page.launch(**options, prevent_thread_lock=True)
    except OSError as error:
        raise PortError(_port_message(settings.host, settings.port, str(error))) from error


def launch_options(
    settings: Settings,
    company: Company,
    beside: Sequence[BaseRoute] = (),
    links: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """How the page is launched here and on Spaces: private, server rendered by nobody. `links`
    are what each view is sent before its first script."""
    return {
        "server_name": settings.host,
        "server_port": settings.port,
        "theme": theme(),
        "app_kwargs": {
            "routes": [*beside, dictionary_route(company), *page_routes()],
            "middleware": middleware(HEAD + language_head(company) + page_head(), links or {}),
        },
        "auth": read_accounts(settings.auth).check if settings.auth else None,
        "footer_links": ["api"],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "show_error": True,
        "blocked_paths": blocked_paths(settings.database_url),
        "max_file_size": 0,
        "state_session_capacity": SESSIONS,
        "quiet": True,
        # Without it Gradio probes itself and gives up where a busy machine takes over 3 seconds.
        "_frontend": False,
    }


def address(settings: Settings) -> str:
    """Where a person on this machine finds the page."""
    host = "localhost" if settings.host in ("0.0.0.0", "::", "127.0.0.1") else settings.host
    return f"http://{host}:{settings.port}"


def blocked_paths(database_url: str | None) -> list[str]:
    """Files that must never be served, wherever the page is started from."""
    if database_url is None or not database_url.startswith("sqlite:///"):
        return []
    file = os.path.abspath(database_url.removeprefix("sqlite:///"))
    return [file, f"{file}-wal", f"{file}-shm", f"{file}-journal"]


def require_free_port(host: str, port: int) -> None:
    """Raise PortError unless `host:port` can be listened on; before minutes of loading."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        why = "is already in use" if error.errno == errno.EADDRINUSE else f"failed: {error}"
        raise PortError(_port_message(host, port, why)) from error


def _port_message(host: str, port: int, why: str) -> str:
    return (
        f"Listening on {host}:{port} {why}. Choose another port, such as SPECCHAT_PORT={port + 1}."
    )
