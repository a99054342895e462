"""One line in the log for every request of a client, as JSON: what it took and how it ended, and
no word of what was asked or answered."""

from __future__ import annotations

import json
import logging
import time
import uuid
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from specchat.api.metrics import ServerMetrics

log = logging.getLogger(__name__)

NOWHERE = "none"
"""The route of a request for something that is not there: its path may say anything."""

WATCHED = ("/health", "/metrics")
"""Asked every few seconds by what watches servers: counted, not written down."""


class Recorded:
    """Gives every answer an `x-request-id`, counts it and writes its line."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, begun = uuid.uuid4().hex, time.perf_counter()
        state: dict[str, Any] = scope.setdefault("state", {})
        status = 499  # the client left before there was an answer

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            route = getattr(scope.get("route"), "path", NOWHERE)
            self._metrics.answered(route, status)
            if route not in WATCHED:
                ms = round(1000 * (time.perf_counter() - begun), 1)
                caller, answer = state.get("caller"), state.get("answer")
                line = {
                    "event": "request",
                    "request_id": request_id,
                    "method": scope["method"],
                    "route": route,
                    "status": status,
                    "ms": ms,
                    "caller": caller.id if caller else None,
                    **(answer.record if answer else {}),
                }
                log.info("%s", json.dumps(line))
