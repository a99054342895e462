"""What each route does."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import FastAPI
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from specchat.api.access import Admitted, Caller, Counted
from specchat.api.answers import shapes
from specchat.api.answers.care import CARE, CareAnswers
from specchat.api.answers.events import Events
from specchat.api.answers.logprobs import LogprobWriter
from specchat.api.answers.model import model_answer
from specchat.api.answers.writing import ChatWriter, CompletionWriter
from specchat.api.connection import WhileConnected, event_stream, read_body
from specchat.api.errors import ApiError, from_validation, refused, shown
from specchat.api.metrics import ServerMetrics
from specchat.api.requests.body import MAX_CHOICES, ChatRequest, CompletionRequest, Sampled
from specchat.api.requests.prompts import Prompts, tenant
from specchat.api.requests.sampling import Defaults, sampling_params
from specchat.api.traffic import Traffic
from specchat.chat.service import ChatService
from specchat.engine.request import Request as EngineRequest
from specchat.version import code_version

if TYPE_CHECKING:
    from specchat.engine.interface import AnyModel

OWNER = "specchat"
"""Of the models."""

Responses = dict[int | str, dict[str, Any]]


class Handlers:
    """One method for each route."""

    def __init__(
        self,
        loaded: AnyModel,
        service: ChatService | None,
        traffic: Traffic,
        concurrency: int,
        defaults: Defaults,
    ) -> None:
        self._engine = loaded.engine
        self._info = loaded.engine.info
        self.model_name = served_name(loaded.engine.info.name)
        self._prompts = Prompts(loaded.tokenizer, loaded.engine.info.vocab_size)
        self._logprobs = LogprobWriter(loaded.tokenizer)
        self._traffic = traffic
        self._defaults = defaults
        self._created = int(time.time())
        code_version()  # asks git, once: not while somebody waits
        self.metrics = ServerMetrics(loaded.engine, traffic, self.model_name)
        self._care = None
        if service is not None:
            self._care = CareAnswers(service, concurrency, traffic, self.metrics.care)
        self._served = (self.model_name, *([CARE] if self._care else ()))

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        refusals: Responses = {
            status: {"model": shapes.Failed, "description": text}
            for status, text in _STATUSES.items()
        }
        for path, handler, method, shape in (
            ("/v1/chat/completions", self.chat, "POST", shapes.ChatCompletion),
            ("/v1/completions", self.completion, "POST", shapes.Completion),
            ("/v1/models", self.models, "GET", shapes.ModelList),
            ("/v1/models/{model:path}", self.model, "GET", shapes.ModelCard),
        ):
            good: Responses = {200: {"model": shape, "description": "The answer."}}
            app.add_api_route(path, handler, methods=[method], responses={**good, **refusals})
        states: Responses = {
            status: {"model": shapes.Health, "description": text}
            for status, text in ((200, "Answers."), (503, "Down, or about to end."))
        }
        app.add_api_route("/health", self.health, methods=["GET"], responses=states)
        app.add_api_route(
            "/metrics", self.prometheus, methods=["GET"],
            responses={200: {"content": {"text/plain": {}}}, 401: refusals[401]},
        )  # fmt: skip

    # -- routes ----------------------------------------------------------------------------------

    async def chat(self, request: Request, caller: Counted) -> Response:
        """Answer a conversation: by the model itself, or by care-assistant as the chat does."""
        asked = await _parsed(request, ChatRequest)
        logprobs = self._logprobs if asked.logprobs else None
        writer = ChatWriter(
            self._known(asked.model), choices=asked.n or 1, logprobs=logprobs,
            includes_usage=asked.includes_usage,
        )  # fmt: skip
        if self._care is not None and asked.model == CARE:
            events = self._care.answer(asked, tenant(caller, asked), self._defaults)
        else:
            prepare = partial(self._requests, asked, caller, partial(self._prompts.chat, asked))
            events = model_answer(self._engine, prepare, self._traffic)
        return _answer(request, asked, writer, events)

    async def completion(self, request: Request, caller: Counted) -> Response:
        """Go on from a prompt, or from several."""
        asked = await _parsed(request, CompletionRequest)
        if self._care is not None and asked.model == CARE:
            raise refused(
                "model",
                f"{CARE} answers conversations: use /v1/chat/completions, or {self.model_name}",
            )
        many = isinstance(asked.prompt, list) and not isinstance(asked.prompt[0], int)
        prompts = len(asked.prompt) if many else 1
        choices = prompts * (asked.n or 1)
        if choices > MAX_CHOICES:
            raise refused("n", f"prompts times n must be at most {MAX_CHOICES}, got {choices}")
        writer = CompletionWriter(
            self._known(asked.model), choices=choices, prompts=prompts,
            logprobs=self._logprobs if asked.logprobs is not None else None,
            includes_usage=asked.includes_usage,
        )  # fmt: skip
        prepare = partial(self._requests, asked, caller, partial(self._prompts.completion, asked))
        return _answer(request, asked, writer, model_answer(self._engine, prepare, self._traffic))

    async def models(self, caller: Admitted) -> Response:
        """The model itself and the assistant."""
        cards = [self._card(name) for name in self._served]
        return JSONResponse({"object": "list", "data": cards})

    async def model(self, model: str, caller: Admitted) -> Response:
        """One of them."""
        return JSONResponse(self._card(self._known(model)))

    async def health(self) -> Response:
        """Whether requests are answered; nothing secret, so anybody may ask."""
        now = self._engine.snapshot()
        status = "ok"
        if not self._engine.alive:
            status = "down"
        elif self._traffic.draining:
            status = "draining"
        engine = {
            "model": self.model_name,
            "backend": now.backend,
            "running": now.running,
            "waiting": now.waiting,
            "pages_free": now.pages_free,
            "pages_total": now.pages_total,
            "failure": now.failure,
        }
        return JSONResponse({"status": status, "engine": engine}, 200 if status == "ok" else 503)

    async def prometheus(self, caller: Admitted) -> Response:
        """Counters and histograms for Prometheus."""
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4")

    # -- parts -----------------------------------------------------------------------------------

    def _requests(
        self,
        asked: ChatRequest | CompletionRequest,
        caller: Caller,
        prompts: Callable[[], list[tuple[int, ...]]],
    ) -> list[EngineRequest]:
        """For every prompt its `n` choices."""
        salt = tenant(caller, asked)
        made = []
        for ids in prompts():
            params = sampling_params(
                asked,
                self._defaults,
                self._info,
                room=self._info.context_length - len(ids),
                stop=self._prompts.stop if isinstance(asked, ChatRequest) else (),
            )
            made += [EngineRequest(ids, each, salt=salt) for each in params]
        return made

    def _known(self, model: str) -> str:
        if model not in self._served:
            raise ApiError(
                404,
                f"model must be {' or '.join(self._served)}, got {shown(model)}",
                param="model",
                code="model_not_found",
            )
        return model

    def _card(self, name: str) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": self._created,
            "owned_by": OWNER,
            "max_model_len": self._info.context_length,
        }


def served_name(name: str) -> str:
    """A model as clients call it: a directory by its last part, whatever lies above it."""
    return Path(name).name if Path(name).is_absolute() or Path(name).is_dir() else name


_STATUSES = {
    400: "Something in the request is wrong; it is named.",
    401: "No key, or an unknown one.",
    404: "No such model.",
    413: "The body is too large.",
    415: "The body is not sent as JSON.",
    429: "Too many requests; Retry-After says when to come again.",
    500: "A fault here.",
    503: "The engine is full or has stopped; Retry-After says when to come again.",
}


Body = TypeVar("Body", bound=BaseModel)


async def _parsed(request: Request, shape: type[Body]) -> Body:
    try:
        return shape.model_validate(await read_body(request))
    except ValidationError as error:
        raise from_validation(error) from error


def _answer(request: Request, asked: Sampled, writer: ChatWriter, events: Events) -> Response:
    request.state.answer = writer

    async def respond() -> Response:
        if asked.stream:
            return await event_stream(writer.stream(events))
        return JSONResponse(await writer.body(events))

    return WhileConnected(respond)
