"""Sites to look at: one whose engine keeps a fixed pace, one that is the whole app as a process."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page
from transformers import AutoTokenizer

from specchat.chat.company.profile import load_company
from specchat.chat.service import ChatService
from specchat.loader import LoadOptions
from specchat.settings import Settings
from specchat.ui import build_app, listen
from specchat.ui.desk.door import desk_routes
from specchat.ui.desk.sessions import DeskSessions
from specchat.ui.race import events as race_events
from storage import MetricRow, Store, open_store
from tests.app_process import served
from tests.chromium import WAIT_MS
from tests.ui.double import ScriptedEngine

ROOT = Path(__file__).resolve().parents[2]
DESK_KEY = "open-sesame"


@dataclass
class Site:
    """A page on the network and what it stands on."""

    url: str
    database: Path
    engine: ScriptedEngine
    store: Store
    service: ChatService

    def holds(self, text: str) -> bool:
        """True when the text is in the bytes of the database's files."""
        files = self.database.parent.glob(f"{self.database.name}*")
        return any(text.encode() in file.read_bytes() for file in files)


def eventually(holds: Callable[[], object]) -> None:
    """Wait until something holds: the page shows a click at once, the server hears of it later."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while not holds():
        assert time.monotonic() < deadline, f"not so within {WAIT_MS} ms"
        time.sleep(0.05)


def wait_for_rows(site: Site, count: int) -> list[MetricRow]:
    """The stored turns, newest first, once there are `count` of them."""
    eventually(lambda: site.store.flush() and len(site.store.metrics()) >= count)
    return site.store.metrics()


def free_port() -> int:
    """A port nobody listens on, below those that the system gives to connections meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@pytest.fixture(autouse=True)
def _drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A race on a scripted engine measures nothing that drawing could disturb."""
    monkeypatch.setattr(race_events, "SETTLE_S", 0.0)


@pytest.fixture
def page(new_context: Callable[..., BrowserContext]) -> Page:
    """A fresh page of a fresh browser."""
    return new_context().new_page()


@pytest.fixture(scope="module")
def site(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page on a real chat service and store; the engine keeps a fixed pace."""
    database = tmp_path_factory.mktemp("site") / "site.db"
    settings = Settings(
        port=free_port(),
        database_url=f"sqlite:///{database}",
        host="127.0.0.1",
        desk_key=DESK_KEY,
    )
    engine = ScriptedEngine()
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    loaded: Any = SimpleNamespace(
        engine=engine,
        tokenizer=tokenizer,
        options=LoadOptions(model="smollm2"),
        model="smollm2",
        uses_slots=False,
    )
    with open_store(settings.database_url) as store:
        company = load_company()
        service = ChatService(loaded, store, company)
        desk = DeskSessions(DESK_KEY)
        blocks = build_app(service, engine, store, settings, desk)  # type: ignore[arg-type]
        listen(blocks, settings, company, desk_routes(desk))
        yield Site(f"http://127.0.0.1:{settings.port}", database, engine, store, service)
        blocks.close(verbose=False)


@contextmanager
def whole_app(
    model: Path | str, speculators: str, database: Path, port: int | None = None
) -> Iterator[str]:
    """`python app.py` as its own process; its URL once it answers."""
    port = port or free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SPECCHAT_")},
        "SPECCHAT_MODEL": str(model),
        "SPECCHAT_SPECULATORS": speculators,
        "SPECCHAT_PORT": str(port),
        "SPECCHAT_DATABASE_URL": f"sqlite:///{database}",
        "SPECCHAT_COMPILE": "false",
        "SPECCHAT_DTYPE": "float32",  # whatever this processor multiplies fastest
        "SPECCHAT_MAX_TOKENS": "64",
    }
    url = f"http://127.0.0.1:{port}"
    log = database.with_suffix(".log")
    with served([sys.executable, "app.py"], ROOT, environment, log, f"{url}/"):
        yield url
