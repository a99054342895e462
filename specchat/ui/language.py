"""What the page's head adds to Gradio: the second language, switched without a reload, a notice
when the server is out of reach, and names that its components lack for screen readers."""

from __future__ import annotations

import json

from specchat.chat.company.profile import Company
from specchat.ui.german.catalogue import PATTERNS, TEXTS
from specchat.ui.german.company import company_texts
from specchat.ui.shared.theme import STYLE_DIRECTORY

CHOICE = (
    '<label class="sc-language"><span>Language</span><select data-language aria-label="Language">'
    '<option value="en" lang="en">English</option><option value="de" lang="de">Deutsch</option>'
    "</select></label>"
)


_SCRIPTS = ("language.js", "language_charts.js", "connection.js", "mended.js")


def language_head(company: Company) -> str:
    """The scripts and the catalogue of translations, the company's German among them. The page
    opens in the company's language until somebody chooses."""
    texts = {**company_texts(company), **TEXTS}
    content = {"texts": texts, "patterns": PATTERNS, "usual": company.language}
    catalogue = json.dumps(content, ensure_ascii=False)
    scripts = "".join((STYLE_DIRECTORY / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    safe = catalogue.replace("</", "<\\/")
    return f"<script>{scripts.replace('CATALOGUE', safe, 1)}</script>"
