"""The second language of the page, switched without a reload."""

from __future__ import annotations

import hashlib
import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from specchat.chat.company.profile import Company
from specchat.ui.german import german_texts
from specchat.ui.page_files import FOREVER

CHOICE = (
    '<label class="sc-language"><span>Language</span><select data-language aria-label="Language">'
    '<option value="en" lang="en">English</option><option value="de" lang="de">Deutsch</option>'
    "</select></label>"
)
DICTIONARY = "language/de.json"
"""Where the page reads its German, once somebody chooses it."""


def language_head(company: Company) -> str:
    """What the scripts of the page know: it opens in the company's language until somebody
    chooses."""
    version = hashlib.sha256(_dictionary(company)).hexdigest()[:12]
    known = {"dictionary": f"{DICTIONARY}?{version}", "usual": company.language}
    return f"<script>const LANGUAGE = {json.dumps(known)};</script>"


def dictionary_route(company: Company) -> Route:
    """Serves every English text with its German; browsers keep it until `language_head` changes."""
    content = _dictionary(company)

    async def dictionary(_: Request) -> Response:
        return Response(content, media_type="application/json", headers=FOREVER)

    return Route(f"/{DICTIONARY}", dictionary)


def _dictionary(company: Company) -> bytes:
    return json.dumps(german_texts(company), ensure_ascii=False).encode()
