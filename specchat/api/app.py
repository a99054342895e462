"""The API as one application, and what it stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from specchat.api.access import Access
from specchat.api.description import describe
from specchat.api.errors import ApiError, broken
from specchat.api.handlers import Handlers
from specchat.api.recording import Recorded
from specchat.api.requests.body import ChatRequest, CompletionRequest
from specchat.api.requests.sampling import Defaults
from specchat.api.traffic import Traffic
from specchat.chat.service import ChatService
from specchat.version import VERSION

if TYPE_CHECKING:
    from specchat.engine.interface import AnyModel

PATHS = ("/v1/{rest:path}", "/health", "/metrics")


@dataclass(frozen=True, slots=True)
class Api:
    """The API of one running server."""

    app: FastAPI
    model: str  # as clients call the model itself
    traffic: Traffic
    access: Access

    def routes(self) -> list[Route]:
        """For the application that it stands beside; everything below `/v1` is its own."""
        return [Route(path, self.app) for path in PATHS]


def build_api(
    loaded: AnyModel,
    service: ChatService | None,
    *,
    keys: tuple[str, ...] = (),
    rate: str | None = None,
    host: str = "127.0.0.1",
    concurrency: int = 16,
    defaults: Defaults | None = None,
) -> Api:
    """The API on running parts. `concurrency` is how many answers the assistant gives at a time;
    the model's own are as many as the engine takes."""
    traffic = Traffic()
    access = Access(keys, rate, host)
    handlers = Handlers(loaded, service, traffic, concurrency, defaults or Defaults(256, 0.0))
    app = FastAPI(
        title="specchat",
        version=VERSION,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.access = access
    app.add_middleware(Recorded, metrics=handlers.metrics)
    app.add_exception_handler(HTTPException, _refusal)
    app.add_exception_handler(Exception, _fault)
    handlers.add_to(app)
    describe(app, {"/v1/chat/completions": ChatRequest, "/v1/completions": CompletionRequest})
    return Api(app, handlers.model_name, traffic, access)


async def _refusal(request: Request, error: Exception) -> Response:
    """Every refusal in one shape, also of what no route is for."""
    if isinstance(error, ApiError):
        return error.response()
    assert isinstance(error, HTTPException)
    said = f"there is no {request.method} {request.url.path[:80]!a} here"
    code = {404: "unknown_url", 405: "method_not_allowed"}.get(error.status_code)
    return ApiError(error.status_code, said, code=code, headers=error.headers).response()


async def _fault(request: Request, error: Exception) -> Response:
    return broken().response()
