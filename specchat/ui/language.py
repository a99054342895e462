"""What the page's head adds to Gradio: the second language, switched without a reload, and names
that its components lack for screen readers."""

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
    """The scripts and the catalogue of translations."""
    catalogue = json.dumps({"texts": TEXTS, "patterns": PATTERNS}, ensure_ascii=False)
    script = (STYLE_DIRECTORY / "language.js").read_text(encoding="utf-8")
    safe = catalogue.replace("</", "<\\/")
    mended = (STYLE_DIRECTORY / "mended.js").read_text(encoding="utf-8")
    return f"<script>{script.replace('CATALOGUE', safe, 1)}{mended}</script>"
