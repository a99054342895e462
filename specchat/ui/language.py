"""What the page's head adds to Gradio: the second language, switched without a reload, a notice
when the server is out of reach, and names that its components lack for screen readers."""

from __future__ import annotations

import hashlib
import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from specchat.chat.company.profile import Company
from specchat.ui.german import german_texts
from specchat.ui.shared.theme import STYLE_DIRECTORY

CHOICE = (
    '<label class="sc-language"><span>Language</span><select data-language aria-label="Language">'
    '<option value="en" lang="en">English</option><option value="de" lang="de">Deutsch</option>'
    "</select></label>"
)
DICTIONARY = "language/de.json"
"""Where the page reads its German, once somebody chooses it."""


_SCRIPTS = (
    "identity.js",
    "conversation.js",
    "german.js",
    "language.js",
    "language_charts.js",
    "connection.js",
    "gradio_accessibility.js",
)


def language_head(company: Company) -> str:
    """The scripts of the page. It opens in the company's language until somebody chooses."""
    version = hashlib.sha256(_dictionary(company)).hexdigest()[:12]
    known = {"dictionary": f"{DICTIONARY}?{version}", "usual": company.language}
    scripts = "".join((STYLE_DIRECTORY / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return f"<script>const LANGUAGE = {json.dumps(known)};\n{scripts}</script>"


def dictionary_route(company: Company) -> Route:
    """Serves every English text with its German; browsers keep it until `language_head` changes."""
    content = _dictionary(company)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}

    async def dictionary(_: Request) -> Response:
        return Response(content, media_type="application/json", headers=headers)

    return Route(f"/{DICTIONARY}", dictionary)


def _dictionary(company: Company) -> bytes:
    return json.dumps(german_texts(company), ensure_ascii=False).encode()
