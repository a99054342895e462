"""Passwords: what stands behind the word, or before it.

A password can be any word, so what stands there is one when it is written like one, when it is
quoted, or when it is said outright ("password: hunter") and no word of the language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from specchat.chat.redaction.numbers.references import is_reference
from specchat.chat.redaction.patterns import LOWER, UPPER
from specchat.chat.redaction.spans import Span
from specchat.chat.redaction.word_lists.words import is_ordinary

_WORD = (
    r"(?:pass?[ -]?w(?:or|ro)(?:d|rd|t)s?|passwd|passphrase|passcode|pass|pwd|pw|psw|kennwort"
    r"|zugangsdaten|mot de passe|mdp|contraseña|clave|wachtwoord|hasło|haslo|hasłem)"
)
_SAID = re.compile(rf"(?<![\w-]){_WORD}\b(?!-)", re.IGNORECASE)
_BEFORE = re.compile(
    r"(?<!\S)(\S{3,64}?)[\"',]? (?:(?:is|was|as|ist|war|als|est|es|to jest) )"
    rf"(?:(?:my|the|a|our|mein|das|meine|mon|mi|mijn|moje|new|old|current|account|login|neues"
    rf"|altes) ){{0,3}}{_WORD}\b",
    re.IGNORECASE,
)
_LINKS_TEXT = """
is was were be been ist war lautet est es era to becomes equals reads are sein wäre seria jest
brzmi byl było
"""
_LINKS = frozenset(_LINKS_TEXT.split())
_BETWEEN_TEXT = """
i my the a an for of on in at this that set still now currently just always actually again used use
using with account login user email e-mail id shop store profile new old current changed typed
entered type enter chose choose have had has gave sent you your we our from and here should
supposed called following like so far maybe probably ich mein meine das der die für zu auf es konto
habe neu neues altes immer noch jetzt le la mon ma de du mi el mij mijn het voor do konta moje nowe
"""
_BETWEEN = frozenset(_BETWEEN_TEXT.split())
_QUOTES = "\"“”„«»'"
_ATTACHED = ":=>-→"
_TRAILING = ",;.)" + _QUOTES
_FURTHEST = 9  # words between
_SHORTEST = 3
_STATE = re.compile(r"(?:ed|ing|en|ble|ive|less|ful|t|ß|lich|bar|ert)\Z")


def passwords(text: str) -> Iterable[Span]:
    """Passwords: "my password is hunter2", "pw: ...", "... as my password"."""
    for match in _SAID.finditer(text):
        yield from _behind(text, match.end())
    for match in _BEFORE.finditer(text):
        start, end = _trimmed(text, *match.span(1))
        if _looks_secret(text[start:end]) and not is_reference(text, start):
            yield Span(start, end, "secret")


def _behind(text: str, start: int) -> Iterable[Span]:
    """The password behind the word that ends at `start`."""
    strongly = False
    linked = _USER.search(text[max(0, start - 60) : start]) is not None
    for count, match in enumerate(_TOKEN.finditer(text, start, start + 240)):
        token = match[0]
        if count == 0 and match.start() == start and token[0] not in _ATTACHED + "'\")":
            return  # "password." or "password,": the sentence says no more
        if not token.strip(_ATTACHED):
            linked = strongly = True
            continue
        if count == 0 and match.start() == start and token[0] in ":=":
            linked = strongly = True
        word = token.strip(_ATTACHED + _TRAILING + "!?").lower()
        if word in _LINKS or word in _BETWEEN:
            linked = linked or word in _LINKS
            if token[-1] in ".!?" or count > _FURTHEST:
                return
            if token[-1] in ":=":
                linked = strongly = True
            continue
        offset = len(token) - len(token.lstrip(_ATTACHED)) if strongly and count == 0 else 0
        begin = match.start() + offset
        quoted = _QUOTED.match(text, begin)
        if quoted is not None and linked and not is_reference(text, begin):
            yield Span(*quoted.span(1), "secret")
            return
        first, last = _trimmed(text, begin, match.end())
        if _is_password(text, first, last, linked, strongly):
            yield Span(first, last, "secret")
        return


_USER = re.compile(r"\b(?:user(?:name)?|login|benutzer(?:name)?)\b[^.!?\n]{1,40}\Z", re.IGNORECASE)
_TOKEN = re.compile(r"\S+")
_QUOTED = re.compile(r"[\"'“”„«]([^\n\"'“”„«»]{3,80})[\"'“”»]")


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without quotes around, and without what ends the sentence."""
    while start < end and text[start] in _QUOTES:
        start += 1
    while end > start + 1 and text[end - 1] in _TRAILING:
        end -= 1
    return start, end


def _is_password(text: str, start: int, end: int, linked: bool, strongly: bool) -> bool:
    value = text[start:end]
    if len(value) < _SHORTEST or value[0] in "[{<":
        return False
    if _looks_secret(value):
        return not is_reference(text, start)
    if not linked:
        return False
    if value.strip("!?").isdigit():
        return len(value) > _SHORTEST
    plain = value.strip("!?.")
    if is_ordinary(plain):
        return False
    rest = text[end : end + 12].lstrip(" ")
    ends = not rest or rest[0] in '.,;!?\n)"' or re.match(r"(?:and|but|und|aber|so)\b", rest)
    return strongly or (bool(ends) and not _STATE.search(plain))


def _looks_secret(value: str) -> bool:
    """True for what no word looks like: letters with digits, capitals or signs inside."""
    if "://" in value or len(value) < 4 or _DATED.fullmatch(value):
        return False
    bare = value.strip("!?.,;:")
    letters = any(map(str.isalpha, value))
    digits = any(map(str.isdigit, value))
    if letters and digits:
        return not _MEASURE.fullmatch(bare)
    if _SIGNS.search(bare):
        return letters or digits
    return bool(_INSIDE.search(bare)) or (
        letters
        and len(value) > 5
        and value[-1] in "!#?"
        and value[0].isupper()
        and not is_ordinary(bare)
    )


_SIGNS = re.compile(r"[!@#$%^&*_+=~<>|\\?]")
_INSIDE = re.compile(rf"{LOWER}{UPPER}")
_MEASURE = re.compile(r"\d+(?:st|nd|rd|th|hrs?|h|min|mins|x|days?|gb|mb|k|am|pm|d|s|er)", re.I)
_DATED = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}:\d{2}(?:am|pm)?", re.I)
