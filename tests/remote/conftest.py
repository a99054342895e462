"""A real server of ours with a tiny random model, and servers that say what they are told to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from specchat.api import build_api
from specchat.api.requests.sampling import Defaults
from specchat.chat.company.profile import load_company
from specchat.chat.service import ChatService
from specchat.loader import LoadedModel
from specchat.remote.loading import RemoteModel, RemoteOptions, connect
from storage import open_store
from tests.api.conftest import load_tiny, serving


@dataclass(frozen=True)
class Ours:
    """Our own server and the engine behind it."""

    url: str
    loaded: LoadedModel

    def idle(self) -> bool:
        """True when nothing runs in the engine and no page is held."""
        now = self.loaded.engine.snapshot()
        return now.running == now.waiting == now.pages_held == 0


@pytest.fixture(scope="package")
def ours(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ours]:
    """The API as `specchat serve` has it."""
    loaded = load_tiny(tiny_model_dir)
    database = tmp_path_factory.mktemp("ours") / "ours.db"
    with open_store(f"sqlite:///{database}") as store:
        service = ChatService(loaded, store, load_company())
        api = build_api(loaded, service, defaults=Defaults(32, 0.0))
        with serving(api.app) as url:
            yield Ours(url, loaded)
        service.close()
    loaded.engine.close()


@pytest.fixture
def connected(tiny_model_dir: Path) -> Iterator[Callable[..., RemoteModel]]:
    """Connects to servers, and closes what was connected."""
    made: list[RemoteModel] = []

    def make(base_url: str, **options: Any) -> RemoteModel:
        options.setdefault("model", str(tiny_model_dir))
        made.append(connect(RemoteOptions(base_url=base_url, **options)))
        return made[-1]

    yield make
    for model in made:
        model.engine.close()


Event = dict[str, Any] | None


@dataclass
class Told:
    """A server of another make: what it says of itself, how it answers, what it was asked."""

    owner: str = "vllm"
    name: str = "some/model"
    status: int = 200
    events: list[Event] = field(default_factory=list)  # None breaks the connection off
    refusal: dict[str, Any] = field(default_factory=dict)
    counters: list[tuple[int, int, int]] = field(default_factory=list)  # of each look, in order
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    async def models(self, request: Request) -> Response:
        card = {"id": self.name, "owned_by": self.owner, "max_model_len": 512}
        return JSONResponse({"object": "list", "data": [card]})

    async def completions(self, request: Request) -> Response:
        self.bodies.append(await request.json())
        self.keys.append(request.headers.get("authorization"))
        if self.status != 200:
            return JSONResponse(self.refusal, self.status)
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[bytes]:
        for event in self.events:
            if event is None:
                raise ConnectionError("gone")
            yield f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
        yield b"data: [DONE]\n\n"

    async def metrics(self, request: Request) -> Response:
        if not self.counters:
            return Response(status_code=404)
        drafts, drafted, accepted = self.counters[0]
        if len(self.counters) > 1:
            self.counters.pop(0)
        names = (("drafts", drafts), ("draft_tokens", drafted), ("accepted_tokens", accepted))
        return PlainTextResponse(
            "".join(
                f"# TYPE vllm:spec_decode_num_{name}_total counter\n"
                f'vllm:spec_decode_num_{name}_total{{engine="0",model_name="m"}} {value}.0\n'
                for name, value in names
            )
        )

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its URL."""
        routes = [
            Route("/v1/models", self.models),
            Route("/v1/completions", self.completions, methods=["POST"]),
            Route("/metrics", self.metrics),
        ]
        with serving(Starlette(routes=routes)) as url:
            yield url


def said(text: str, reason: str | None = None, **more: Any) -> Event:
    """One event of an answer."""
    choice = {"index": 0, "text": text, "finish_reason": reason, **more}
    return {"id": "cmpl-1", "object": "text_completion", "choices": [choice]}


def usage(tokens: int, **more: Any) -> Event:
    """The last event of an answer."""
    return {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": tokens}, **more}
