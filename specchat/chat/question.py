"""What a customer may send: cleaned where that loses nothing, refused clearly where not."""

from __future__ import annotations

import re
import unicodedata

from specchat.chat.types import ChatError

MAX_QUESTION_CHARACTERS = 20_000

# Control characters other than tab and newline, and what only steers the display direction.
_UNWANTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SURROGATE_PAIR = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")


def clean_question(question: str) -> str:
    """The question ready for the model: no control characters, valid Unicode, NFC.

    Raises:
        ChatError: the question is empty or longer than `MAX_QUESTION_CHARACTERS`.
    """
    if len(question) > MAX_QUESTION_CHARACTERS:
        raise ChatError(
            f"This question has {len(question):,} characters; at most "
            f"{MAX_QUESTION_CHARACTERS:,} can be sent. Please shorten it."
        )
    text = question.replace("\r\n", "\n").replace("\r", "\n")
    text = unicodedata.normalize("NFC", _UNWANTED.sub("", _valid_unicode(text)))
    if not any(_visible(character) for character in text):
        raise ChatError("Please type a question first.")
    return text.strip()


def _valid_unicode(text: str) -> str:
    """Surrogate pairs joined into their character, lone surrogates replaced by U+FFFD."""
    joined = _SURROGATE_PAIR.sub(
        lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text
    )
    return _SURROGATE.sub("\ufffd", joined)


def _visible(character: str) -> bool:
    return not character.isspace() and unicodedata.category(character) not in ("Cf", "Cc", "Mn")
