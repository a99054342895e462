"""How the page is sent: compressed, its own head first, and with a policy that keeps a browser from
fetching anything from elsewhere, whatever a text on the page says."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from specchat.ui.compressed_files import CompressedFiles

POLICY = "; ".join(
    (
        "default-src 'self'",
        # Gradio makes functions of what a page asks for, and its head is inline.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
"""The second line of defence. Who may frame the page is left open: it is made to be embedded."""

HEADERS = {"X-Content-Type-Options": "nosniff"}
PAGE_HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
"""Of what a browser shows by itself. Scripts and style sheets are under the page's."""

_PARTS = ("text/css", "text/javascript", "application/javascript", "application/json", "font/")


class SafeHeaders:
    """Adds `HEADERS` to every answer that has none of its own, `PAGE_HEADERS` to what may be shown
    as a page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                part = headers.get("content-type", "").startswith(_PARTS)
                for name, value in (HEADERS if part else HEADERS | PAGE_HEADERS).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, sent if scope["type"] == "http" else send)


class EarlyHead:
    """Puts a head into every page as it is sent, and behind Gradio's first script links to what
    that will ask for.

    Gradio's own option adds it by script once the page is drawn, which then moves; and its preview
    for other sites speaks of Gradio and points to a picture elsewhere, so it goes.
    """

    def __init__(self, app: ASGIApp, head: str, preloads: Mapping[str, str]) -> None:
        """`preloads` are HTML, by the page's path without slashes."""
        self._app = app
        self._head = head.encode()
        self._preloads = preloads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started: Message | None = None
        page = b""

        async def sent(message: Message) -> None:
            nonlocal started, page
            if message["type"] == "http.response.start" and _is_page(message):
                started = message
            elif started is None or message["type"] != "http.response.body":
                await send(message)
            else:
                page += message.get("body", b"")
                if not message.get("more_body"):
                    page = _PREVIEW.sub(b"", page).replace(b"<head>", b"<head>" + self._head, 1)
                    parts = self._preloads.get(scope["path"].strip("/"), "").encode()
                    links = _theme_link(page) + parts
                    page = _ENTRY.sub(lambda found: found[0] + links, page, count=1)
                    MutableHeaders(scope=started)["content-length"] = str(len(page))
                    await send(started)
                    await send({"type": "http.response.body", "body": page})

        await self._app(scope, receive, sent)


def _theme_link(page: bytes) -> bytes:
    """The one file that Gradio waits for before it draws anything, and asks for last."""
    theme = _THEME.search(page)
    if theme is None:
        return b""
    return b'<link rel="preload" as="style" href="./theme.css?v=' + theme[1] + b'">'


_THEME = re.compile(rb'"theme_hash":"(\w+)"')
_ENTRY = re.compile(rb'<script type="module" crossorigin src="[^"]*"></script>')
_PREVIEW = re.compile(rb"<meta\s+(?:property=\"og:|name=\"twitter:)[^>]*>\s*")


def _is_page(start: Message) -> bool:
    headers = MutableHeaders(scope=start)
    kind = headers.get("content-type", "")
    return kind.startswith("text/html") and "content-encoding" not in headers


def middleware(head: str, preloads: Mapping[str, str]) -> list[Middleware]:
    """For the application that Gradio makes; `head` is what every page begins with, `preloads` as
    `EarlyHead` takes them. Event streams are not compressed."""
    return [
        Middleware(SafeHeaders),
        Middleware(CompressedFiles),
        Middleware(GZipMiddleware, minimum_size=1_000, compresslevel=6),
        Middleware(EarlyHead, head=head, preloads=preloads),
    ]
