"""One request on the wire: its body, the events that come back, and what a refusal means."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx

from specchat.engine.errors import EngineError, QueueFullError, RequestError, ServerError
from specchat.engine.request import Request, SamplingParams
from specchat.remote.server import OURS, VLLM, Counted, Server, read_counters

log = logging.getLogger(__name__)

SESSION = "x-session-id"
"""Routers of Ray Serve and of vLLM send what has the same one to the same server."""

MOST_SHOWN = 200
"""Characters of a server's own words in a message."""

_PLAIN = SamplingParams()
_SAME_NAME = (
    "top_k", "top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty",
    "ignore_eos",
)  # fmt: skip


def body_of(request: Request, server: Server, cache_salt: str) -> dict[str, Any]:
    """The body for `/v1/completions`. What stands at its default is left out, so that a server need
    not know of it.

    Raises:
        RequestError: something is asked for that only our own engine has.
    """
    params = request.params
    _require_usual(params)
    body: dict[str, Any] = {
        "model": server.model,
        "prompt": list(request.prompt_ids),
        "max_tokens": params.max_tokens,
        "temperature": params.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if not params.greedy:
        body["seed"] = params.seed
    for name in _SAME_NAME:
        if getattr(params, name) != getattr(_PLAIN, name):
            body[name] = getattr(params, name)
    if params.stop:
        body["stop"] = list(params.stop)
    if params.stop_token_ids:
        body["stop_token_ids"] = list(params.stop_token_ids)
    if params.logit_bias:
        body["logit_bias"] = {str(token): bias for token, bias in params.logit_bias.items()}
    if server.owner in (VLLM, OURS):
        body["cache_salt"] = cache_salt
    if server.owner == VLLM:
        body["return_token_ids"] = True
    if server.owner == OURS and not params.speculate:
        body["speculation"] = "off"
    return body


async def events(
    client: httpx.AsyncClient, server: Server, body: dict[str, Any]
) -> AsyncGenerator[dict[str, Any], None]:
    """The events of an answer, to the end. Nothing is tried twice.

    Raises:
        QueueFullError: the server is full.
        RequestError: it refuses the request.
        ServerError: it cannot be reached, or ended the answer early.
    """
    url, headers = f"{server.base}/completions", dict(server.headers)
    if "cache_salt" in body:
        headers[SESSION] = body["cache_salt"]
    try:
        async with client.stream("POST", url, json=body, headers=headers) as answer:
            if answer.status_code != 200:
                raise _refusal(server, answer.status_code, await answer.aread())
            async with aclosing(_lines(answer)) as lines:
                async for line in lines:
                    if line == b"[DONE]":
                        return
                    yield _event(server, line)
    except httpx.HTTPError as error:
        said = str(error) or type(error).__name__
        raise ServerError(f"the server at {server.place} does not answer: {said}") from error
    raise ServerError(f"the server at {server.place} ended the answer early")


async def counters(client: httpx.AsyncClient, server: Server) -> Counted | None:
    """The server's counters of speculation now; None where it does not tell."""
    try:
        answer = await client.get(server.metrics_url, headers=server.headers)
        return read_counters(answer.text)
    except (httpx.HTTPError, ValueError):
        return None


async def _lines(answer: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The data of server-sent events. Lines end at line feeds only: inside JSON may stand what
    Python too takes for the end of a line."""
    rest = b""
    async for part in answer.aiter_bytes():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line.removeprefix(b"data:").strip()


def _event(server: Server, line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise ServerError(f"the server at {server.place} sent what is no event")
    if event.get("error") is not None:
        code = event["error"].get("code") if isinstance(event["error"], dict) else None
        raise _refusal(server, code if isinstance(code, int) else 500, line)
    return event


def _refusal(server: Server, status: int, body: bytes) -> EngineError:
    said, code = _reason(body)
    text = f"the server at {server.place} refuses ({status}): {said}"
    if status == 429 or code == "engine_full":
        return QueueFullError(text)
    if status in (400, 404, 413, 422):
        return RequestError(text)
    log.warning("%s", text)
    return ServerError(text)


def _reason(body: bytes) -> tuple[str, str | None]:
    """A server's own words and code, in any of the usual shapes."""
    try:
        found = json.loads(body)
    except ValueError:
        return "without a reason", None
    error = found.get("error", found) if isinstance(found, dict) else found
    if not isinstance(error, dict):
        return str(error)[:MOST_SHOWN], None
    said = error.get("message") or error.get("detail") or "without a reason"
    code = error.get("code")
    return str(said)[:MOST_SHOWN], code if isinstance(code, str) else None


def _require_usual(params: SamplingParams) -> None:
    """Raises RequestError for what no field of the protocol carries."""
    for name in ("speculators", "max_nodes", "adaptive", "logprobs"):
        if getattr(params, name) != getattr(_PLAIN, name):
            raise RequestError(
                f"{name} must be left to the server that gives the tokens, "
                f"got {getattr(params, name)!r}"
            )
