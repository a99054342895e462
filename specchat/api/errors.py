"""Errors as OpenAI's clients read them: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from specchat.chat.types import ChatError
from specchat.chat.wording import CLOSING
from specchat.engine.errors import (
    EngineClosedError,
    EngineError,
    QueueFullError,
    RefusedRequestError,
    RequestError,
)

RETRY_S = 2
"""After which a client may try again where the engine was full or is being closed."""

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_SHOWN = 60  # characters of a wrong value in a message
_NAMED = re.compile(r"(\w+) must be ")
_OWN_NAMES = {"speculators": "speculation"}


class ApiError(HTTPException):
    """A refusal with its status, for the client to read."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`param` is the field of the request that is wrong, `code` a word for programs."""
        super().__init__(status, message, headers)
        self.param = param
        self.code = code

    @property
    def body(self) -> dict[str, Any]:
        """What is sent."""
        kind = _TYPES.get(self.status_code)
        if kind is None:
            kind = "server_error" if self.status_code >= 500 else "invalid_request_error"
        return {
            "error": {
                "message": self.detail,
                "type": kind,
                "param": self.param,
                "code": self.code,
            }
        }

    def response(self) -> JSONResponse:
        """The same as a whole answer."""
        return JSONResponse(self.body, self.status_code, headers=self.headers)


def refused(param: str, message: str, code: str = "invalid_value") -> ApiError:
    """A request that is wrong in one field."""
    return ApiError(400, message, param=param, code=code)


def unavailable(message: str, code: str) -> ApiError:
    """Not now: the client may come again."""
    return ApiError(503, message, code=code, headers={"Retry-After": str(RETRY_S)})


def broken() -> ApiError:
    """A fault of ours; what it was stands in the log."""
    return ApiError(500, "something went wrong here; please try again", code="internal_error")


def from_engine(error: EngineError) -> ApiError:
    """What the engine raises, for a client."""
    if isinstance(error, QueueFullError):
        return unavailable(str(error), "engine_full")
    if isinstance(error, RefusedRequestError):
        return ApiError(400, str(error), code="prompt_refused")
    if isinstance(error, RequestError):
        text = str(error)
        if "must fit into" in text:
            return ApiError(400, text, param="max_tokens", code="context_length_exceeded")
        named = _NAMED.match(text)
        param = _OWN_NAMES.get(named[1], named[1]) if named else None
        return ApiError(400, text, param=param, code="invalid_value")
    if isinstance(error, EngineClosedError):
        return unavailable("the engine has stopped", "engine_stopped")
    return broken()


def from_chat(error: ChatError) -> ApiError:
    """What the chat refuses: something in the messages, or a setting that does not work."""
    if str(error) == CLOSING:
        return unavailable("the server is being closed", "closing")
    if isinstance(error.__cause__, RequestError):
        return from_engine(error.__cause__)
    return ApiError(400, str(error), param="messages", code="invalid_value")


def from_validation(error: ValidationError) -> ApiError:
    """The first thing that is wrong with a request's body, by its name."""
    problems = error.errors(include_url=False, include_context=False)
    # Of the branches of a union the one that the value is meant for: what is wrong is no type.
    same = [each for each in problems if each["loc"][:1] == problems[0]["loc"][:1]]
    problem = min(same, key=lambda each: each["type"].endswith(("_type", "literal_error")))
    name = _path(problem["loc"])
    field = name.partition("[")[0].partition(".")[0] or None
    if problem["type"] == "missing":
        return refused(field or name, f"missing required parameter: {name}", "missing_parameter")
    if problem["type"] == "extra_forbidden":
        return refused(field or name, f"unknown parameter: {name}", "unknown_parameter")
    said = f"{problem['msg']}, got {shown(problem['input'])}"
    return ApiError(400, f"{name}: {said}" if name else said, param=field, code="invalid_value")


def shown(value: object) -> str:
    """A value in a message: not too long, and nothing that cannot be sent."""
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _path(places: tuple[int | str, ...]) -> str:
    """`messages[0].content`; what names a branch of a union is left out."""
    parts = ""
    for place in places:
        if isinstance(place, int):
            parts += f"[{place}]"
        elif place.isidentifier() and not (parts and place in _BRANCHES):
            parts += f".{place}" if parts else place
    return parts


_BRANCHES = {"str", "int", "float", "bool"}
