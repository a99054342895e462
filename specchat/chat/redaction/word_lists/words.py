"""The lists of words, read from the files beside this one: what tells people and places from the
rest of a text. A line that begins with "#" says what a file holds."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

_FOLDER = Path(__file__).parent


def _text(name: str) -> str:
    lines = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return " ".join(line for line in lines if not line.startswith("#"))


def _words(name: str) -> frozenset[str]:
    return frozenset(_text(name).split())


def _phrases(name: str) -> frozenset[str]:
    return frozenset(" ".join(phrase.split()) for phrase in _text(name).split(","))


GIVEN_NAMES = _words("given_names")
"""Given names of many countries, as they are spelled in passports written in Latin letters."""

SOFT_GIVEN_NAMES = _words("given_names_also_words")
"""Names that are also words, brands or places: people only where more speaks for it."""

FAMILY_NAMES = _words("family_names")
"""Family names of many countries, spelled likewise."""

SOFT_FAMILY_NAMES = _words("family_names_also_words")
"""Names that are also words, or too short to say much: only behind a given name."""

COUNTRIES = _phrases("countries")
"""Lower-case names of countries, as customers write them."""

CITIES = _phrases("cities")
"""Lower-case names of large cities."""

STREETS = _words("streets")
"""What English streets are called, in lower case: "avenue", "ave", ..."""

_ORDINARY = _words("ordinary_words") | _words("english_words")
_LONG_ORDINARY = tuple(word for word in _ORDINARY if len(word) > 3)
_BRANDS = tuple(_phrases("brands"))
_ENDINGS = (
    ("'s", ""), ("’s", ""), ("s", ""), ("es", ""), ("ed", ""), ("ed", "e"), ("d", ""), ("ing", ""),
    ("ing", "e"), ("ly", ""), ("ies", "y"), ("ied", "y"),
)  # fmt: skip


@lru_cache(maxsize=4096)
def is_ordinary(word: str) -> bool:
    """True for a word of the language or a brand, also with an ending, whatever its case."""
    lower = word.lower()
    return lower in _ORDINARY or any(
        len(lower) - len(ending) > 2
        and lower.endswith(ending)
        and lower[: len(lower) - len(ending)] + instead in _ORDINARY
        for ending, instead in _ENDINGS
    )


@lru_cache(maxsize=1024)
def is_near_word(word: str) -> bool:
    """True for a word of five letters or more that is one of the language but for a slip of the
    pen, of eight or more for two."""
    slips = (len(word) >= 5) + (len(word) >= 8)
    lower = word.lower()
    near = process.extractOne(
        lower, _LONG_ORDINARY, scorer=DamerauLevenshtein.distance, score_cutoff=slips
    )
    return near is not None and slips > 0


def is_brand(words: str) -> bool:
    """True when these words begin with a brand that is named like a person: "Ralph Lauren"."""
    return words.lower().startswith(_BRANDS)
