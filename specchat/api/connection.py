"""The connection to a client: its body is read up to a size, and an answer is given up as soon as
nobody waits for it any more."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, NoReturn

from anyio import CancelScope, create_task_group
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from specchat.api.errors import ApiError, broken, refused

MAX_BODY_BYTES = 2 * 2**20
"""Some 400,000 tokens of text; nothing that fits a context is larger."""

_ESCAPED = re.compile(rb"\\u[dD][89a-fA-F]")  # half of a character

STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

log = logging.getLogger(__name__)


async def read_body(request: Request) -> Any:
    """The JSON of a request.

    Raises:
        ApiError: 413 too large, 415 not sent as JSON, 400 not JSON.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(
            415, f"Content-Type must be application/json, got {kind[:60]!a}", code="invalid_type"
        )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                raise _too_large()
    except ClientDisconnect as error:
        raise ApiError(400, "the body is incomplete", code="invalid_json") from error
    try:
        found = json.loads(body, parse_constant=_no_number)
        if _ESCAPED.search(body):  # lone surrogates are no text: nothing could encode them
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except (ValueError, RecursionError) as error:
        raise ApiError(
            400, f"the body is not JSON: {_first(error)}", code="invalid_json"
        ) from error


class WhileConnected(Response):
    """An answer that is made while its client waits for it."""

    def __init__(self, respond: Callable[[], Awaitable[Response]]) -> None:
        """`respond` makes the answer; it is cancelled, and so is what it returns, when the client
        leaves."""
        super().__init__()
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the answer."""

        async def answer() -> None:
            await self._given(scope, receive, send)
            group.cancel_scope.cancel()

        async with create_task_group() as group:
            group.start_soon(answer)
            while (await receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

    async def _given(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._respond()
        except ApiError as error:
            response = error.response()
        except Exception:
            log.exception("an answer failed")
            response = broken().response()
        try:
            await response(scope, receive, send)
        except OSError:  # the client left while something was sent
            return


class EventStream(Response):
    """Server-sent events, the first of which is there already."""

    media_type = "text/event-stream"

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes, None]) -> None:
        """`rest` is closed whatever happens."""
        self.status_code = 200
        self.background = None
        self.init_headers(STREAM_HEADERS)
        self._first = first
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        start: Message = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        try:
            await send(start)
            await send(_part(self._first))
            async for event in self._rest:
                await send(_part(event))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            with CancelScope(shield=True):
                await self._rest.aclose()


async def event_stream(events: AsyncGenerator[bytes, None]) -> EventStream:
    """A stream whose status is known: an error before the first event is raised, not sent."""
    return EventStream(await anext(events), events)


def _part(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


def _too_large() -> ApiError:
    return ApiError(
        413, f"a body must have at most {MAX_BODY_BYTES:,} bytes", code="request_too_large"
    )


def _no_number(constant: str) -> NoReturn:
    raise refused("body", f"numbers must be finite, got {constant}", "invalid_json")


def _first(error: BaseException) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "a text has half of a surrogate pair"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:80]
