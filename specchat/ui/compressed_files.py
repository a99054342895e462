"""Files whose address changes with their content, Gradio's own among them: compressed once and not
for every visitor, and kept by browsers for good.

A page is made of some sixty of them. Compressed as they are asked for they hold each other up, and
are larger than they need be.
"""

from __future__ import annotations

import asyncio
import gzip
import re
from dataclasses import dataclass
from functools import partial

import brotli  # type: ignore[import-untyped]
from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from specchat.ui.page_files import FOREVER

QUICK, BEST = 5, 11
"""Qualities of Brotli: for who waits, and for all who come after."""
MOST_BYTES_BEST = 512 * 1024  # of a file; 1 MiB takes 3 s

_FILES = re.compile(
    r"/(assets/[\w.-]+-[\w-]{8,9}\.(js|css)|style/page\.(js|css)|language/de\.json)"
)
_ASKED_ANEW = (b"accept-encoding", b"range", b"if-none-match", b"if-modified-since", b"if-range")


@dataclass(frozen=True)
class _File:
    start: Message
    body: bytes

    async def send(self, send: Send) -> None:
        await send({**self.start, "headers": list(self.start["headers"])})
        await send({"type": "http.response.body", "body": self.body})


class CompressedFiles:
    """Sends `_FILES` from memory, where they are as soon as somebody has asked for them. What is
    no such file it leaves alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: dict[tuple[str, str], _File] = {}  # by path and encoding; at most all files
        self._one_at_a_time = asyncio.Semaphore(1)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        encoding = _encoding(scope)
        if encoding is None:
            await self._app(scope, receive, send)
            return
        key = scope["path"], encoding
        if key not in self._kept:
            plain = await self._plain(scope, receive)
            if plain.start["status"] != 200:
                await plain.send(send)
                return
            self._kept[key] = await to_thread.run_sync(_compressed, plain, encoding, QUICK)
            if encoding == "br" and len(plain.body) <= MOST_BYTES_BEST:
                task = asyncio.create_task(self._improve(key, plain))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        await self._kept[key].send(send)

    async def _plain(self, scope: Scope, receive: Receive) -> _File:
        """The whole answer as it is without any compression."""
        headers = [each for each in scope["headers"] if each[0].lower() not in _ASKED_ANEW]
        start: Message = {}
        body = b""

        async def sent(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            elif message["type"] == "http.response.body":
                body += message.get("body", b"")

        await self._app({**scope, "headers": headers, "extensions": {}}, receive, sent)
        return _File(start, body)

    async def _improve(self, key: tuple[str, str], plain: _File) -> None:
        async with self._one_at_a_time:
            self._kept[key] = await to_thread.run_sync(_compressed, plain, key[1], BEST)


def _encoding(scope: Scope) -> str | None:
    """How to compress what is asked for; None where it is not ours to compress."""
    if scope["type"] != "http" or scope["method"] != "GET" or not _FILES.fullmatch(scope["path"]):
        return None
    accepted = Headers(scope=scope).get("accept-encoding", "")
    names = {each.split(";")[0].strip() for each in accepted.split(",")}
    return next((each for each in ("br", "gzip") if each in names), None)


def _compressed(plain: _File, encoding: str, quality: int) -> _File:
    pack = partial(brotli.compress, quality=quality) if encoding == "br" else gzip.compress
    body = pack(plain.body)
    headers = MutableHeaders(raw=list(plain.start["headers"]))
    del headers["accept-ranges"]
    headers["content-encoding"] = encoding
    headers["content-length"] = str(len(body))
    headers.add_vary_header("Accept-Encoding")
    headers.update(FOREVER)
    return _File({**plain.start, "headers": headers.raw}, body)
