"""Text from anywhere: what a database can hold of it, and how it is compared in a search."""

from __future__ import annotations

import re
import unicodedata

from sqlalchemy import Dialect, Text, TypeDecorator

_UNSTORABLE = re.compile("[\ud800-\udfff\x00]")
"""Lone surrogates (no UTF-8 form; the driver raises) and NUL (PostgreSQL refuses it)."""

_UNSEEN = re.compile(
    "[\u0300-\u036f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)
"""Accents that stand by themselves, soft hyphens, joiners and direction marks."""

_ALIKE = str.maketrans({"ı": "i", "ø": "o", "ł": "l", "đ": "d"})
"""Letters that no normal form takes apart; who cannot type them types the others."""


def storable(text: str) -> str:
    """The text with every character a database cannot hold replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def folded(text: str) -> str:
    """The text as a search compares it: in any case, any Unicode normal form, any width of letter,
    with or without accents.

    Databases differ here: SQLite folds ASCII alone, PostgreSQL what its locale knows.
    """
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", _UNSEEN.sub("", apart)).translate(_ALIKE)


class AnyText(TypeDecorator[str]):
    """Text of any kind: written and compared as the database can hold it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace what the driver would refuse."""
        return None if value is None else storable(value)
