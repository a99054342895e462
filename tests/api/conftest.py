"""The API on a real engine with a tiny random model, served on the network."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from openai import OpenAI

from specchat.api import Api, build_api
from specchat.api.requests.sampling import Defaults
from specchat.chat.company.profile import load_company
from specchat.chat.service import ChatService
from specchat.engine.options import EngineOptions
from specchat.loader import LoadedModel, LoadOptions, load
from storage import Store, open_store

WAIT_S = 120.0  # generous: the machine may be busy with other work
CERTIFICATES = ssl.create_default_context()  # nothing needs them, but to read them takes a while


@lru_cache
def openai_client(url: str, key: str) -> OpenAI:
    """The official client as it is, but for trying again by itself."""
    return OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)


@dataclass(frozen=True)
class Server:
    """An API on the network and what it stands on."""

    url: str
    api: Api
    loaded: LoadedModel
    service: ChatService
    store: Store
    database: Path

    @property
    def model(self) -> str:
        """The name of the model itself."""
        return Path(self.loaded.engine.info.name).name

    def client(self, key: str = "none") -> OpenAI:
        """The official client."""
        return openai_client(self.url, key)

    def http(self, key: str | None = None) -> httpx.Client:
        """A plain client."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=WAIT_S, verify=CERTIFICATES)

    def send(self, path: str, body: dict[str, Any]) -> socket.socket:
        """A connection that has sent a request; it is reset when it is closed."""
        host, port = self.url.removeprefix("http://").split(":")
        connection = socket.create_connection((host, int(port)))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        content = json.dumps(body).encode()
        head = (
            f"POST /v1/{path} HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        connection.sendall(head.encode() + content)
        return connection

    def holds(self, text: str) -> bool:
        """True when the text is in the bytes of the database's files."""
        assert self.store.flush()
        files = self.database.parent.glob(f"{self.database.name}*")
        return any(text.encode() in file.read_bytes() for file in files)

    def idle(self) -> bool:
        """True when nothing runs in the engine and no page is held."""
        now = self.loaded.engine.snapshot()
        return now.running == now.waiting == now.pages_held == 0


def eventually(holds: Callable[[], object]) -> None:
    """Wait until something holds: the other side hears of it later."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, f"not so within {WAIT_S:.0f} s"
        time.sleep(0.02)


def load_tiny(directory: Path, **limits: Any) -> LoadedModel:
    """The tiny model on an engine that checks its pages after every step."""
    return load(
        LoadOptions(
            model=str(directory),
            speculators=("ngram", "suffix"),
            device="cpu",
            dtype="float32",
            kv_memory_bytes=8 * 2**20,
            compile=False,
            engine=EngineOptions(check_pages=True, **limits),
        )
    )


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """An application on the network; its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        eventually(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = server.force_exit = True
            thread.join(WAIT_S)


@pytest.fixture(scope="package")
def loaded(tiny_model_dir: Path) -> Iterator[LoadedModel]:
    """One engine for all tests."""
    model = load_tiny(tiny_model_dir)
    yield model
    model.engine.close()


@pytest.fixture(scope="package")
def serve(loaded: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Serves an API with other options."""

    @contextmanager
    def make(engine: LoadedModel | None = None, **options: Any) -> Iterator[Server]:
        database = tmp_path_factory.mktemp("api") / "api.db"
        with open_store(f"sqlite:///{database}") as store:
            model = engine or loaded
            service = ChatService(model, store, load_company())
            api = build_api(model, service, defaults=Defaults(32, 0.0), **options)
            with serving(api.app) as url:
                yield Server(url, api, model, service, store, database)
            service.close()

    return make


@pytest.fixture(scope="package")
def server(serve: Callable[..., Any]) -> Iterator[Server]:
    """Open to this machine, without limits."""
    with serve() as made:
        yield made


@pytest.fixture(scope="package")
def client(server: Server) -> OpenAI:
    return server.client()
