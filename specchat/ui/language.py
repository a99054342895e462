"""The second language of the interface, switched in the browser without a reload."""

from __future__ import annotations

import json

from specchat.ui.german import PATTERNS, TEXTS
from specchat.ui.theme import STYLE_DIRECTORY

CHOICE = (
    '<label class="sc-language"><span>Language</span><select data-language aria-label="Language">'
    '<option value="en" lang="en">English</option><option value="de" lang="de">Deutsch</option>'
    "</select></label>"
)


def language_head() -> str:
    """The catalogue and the script that applies it, for the page's head."""
    catalogue = json.dumps({"texts": TEXTS, "patterns": PATTERNS}, ensure_ascii=False)
    script = (STYLE_DIRECTORY / "language.js").read_text(encoding="utf-8")
    safe = catalogue.replace("</", "<\\/")
    return f"<script>{script.replace('CATALOGUE', safe, 1)}</script>"
