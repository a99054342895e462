"""A text in the one spelling that patterns look for, and the way back to how it was written.

Compatibility forms are folded (full-width letters and digits, ligatures), digits of every script
become ASCII ones, spaces and dashes of every width become " " and "-", what has no width goes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Normal:
    """A normalised text. Character `i` of it stands for `starts[i]:ends[i]` of the original."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where a piece that is not empty stands in the original text."""
        return self.starts[start], self.ends[end - 1]


def normalised(text: str) -> Normal:
    """`text` in its one spelling."""
    if text.isascii() and "\r" not in text:
        return Normal(text, range(len(text)), range(1, len(text) + 1))
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for index, character in enumerate(text):
        if unicodedata.combining(character) and pieces:
            whole = unicodedata.normalize("NFC", pieces[-1] + character)
            if len(whole) == 1:
                pieces[-1] = whole
            ends[-1] = index + 1
            continue
        for piece in _plain(character):
            pieces.append(piece)
            starts.append(index)
            ends.append(index + 1)
    return Normal("".join(pieces), starts, ends)


_APOSTROPHES = "\u2018\u2019\u201b\u02bc\u2032\u00b4`"
_DASHES = "\u2212\u00ac\u30fc"  # minus, and what old keyboards and Japanese ones give
_NO_WIDTH = "\u115f\u1160\u3164\uffa0\u20e3\r"


@lru_cache(maxsize=8192)
def _plain(character: str) -> str:
    """What stands for one character: nothing, one or several."""
    if character in "\n\t":
        return character
    category = unicodedata.category(character)
    if category in ("Cf", "Mn", "Me") or character in _NO_WIDTH:
        return ""
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category in ("Zl", "Zp"):
        return "\n"
    if category in ("Zs", "Cc"):
        return " "
    if category == "Pd" or character in _DASHES:
        return "-"
    if character in _APOSTROPHES:
        return "'"
    folded = unicodedata.normalize("NFKC", character)
    return folded if folded == character else "".join(map(_plain, folded))
