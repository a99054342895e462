"""The page's own scripts and style sheets: one file of each, which browsers keep.

Gradio would write them into every page and rewrite the selectors, and with them some of the rules.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from specchat.ui.shared.theme import STYLE_DIRECTORY

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
"""For addresses that change with what lies there."""

SCRIPTS = (
    "identity.js",
    "conversation.js",
    "following.js",
    "german.js",
    "language.js",
    "language_charts.js",
    "connection.js",
    "gradio_accessibility.js",
    "shell.js",
    "desk.js",
)
OPEN_SHEETS = ("tokens.css", "connection.css")
"""For the whole document."""
SHEETS = ("gradio.css", "shell.css", "chat.css", "race.css", "dashboard.css", "desk.css")
"""For what is inside Gradio's container; nested in it, they win over the styles of components."""
CONTAINER = ".gradio-container.gradio-container.gradio-container"


def page_head() -> str:
    """Links to both files. The addresses are relative: the app may be served below a path."""
    return "".join(
        (
            f'<link rel="stylesheet" href="{_address("page.css", style_sheet())}">',
            f'<script src="{_address("page.js", scripts())}"></script>',
        )
    )


def page_routes() -> list[Route]:
    """What serves them."""
    return [
        _route("page.css", style_sheet(), "text/css"),
        _route("page.js", scripts(), "text/javascript"),
    ]


def style_sheet() -> bytes:
    """All style sheets in one."""
    nested = "\n".join(map(_read, SHEETS))
    return "\n".join((*map(_read, OPEN_SHEETS), f"{CONTAINER} {{", nested, "}")).encode()


def scripts() -> bytes:
    """All scripts in one."""
    return "\n".join(map(_read, SCRIPTS)).encode()


def _read(name: str) -> str:
    return (Path(STYLE_DIRECTORY) / name).read_text(encoding="utf-8")


def _address(name: str, content: bytes) -> str:
    return f"style/{name}?{hashlib.sha256(content).hexdigest()[:12]}"


def _route(name: str, content: bytes, kind: str) -> Route:
    async def serve(_: Request) -> Response:
        return Response(content, media_type=kind, headers=FOREVER)

    return Route(f"/style/{name}", serve)
