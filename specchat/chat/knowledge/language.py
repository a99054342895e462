"""English or German, by the small words of a question."""

from __future__ import annotations

import re

from specchat.chat.company.faq_search import STOP_WORDS
from specchat.chat.knowledge.full_text import GERMAN_STOP_WORDS

_WORD = re.compile(r"[^\W\d_]+")
_UMLAUT = re.compile("[äöüß]", re.IGNORECASE)


def language_of(question: str) -> str:
    """ "de" where more small words are German than English, "en" otherwise."""
    words = _WORD.findall(question.lower())
    german = sum(word in GERMAN_STOP_WORDS for word in words) + bool(_UMLAUT.search(question))
    english = sum(word in STOP_WORDS for word in words)
    return "de" if german > english else "en"
