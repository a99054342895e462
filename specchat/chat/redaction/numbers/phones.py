"""Phone numbers, in national and international spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable

from phonenumbers import Leniency, PhoneNumberMatcher

from specchat.chat.redaction.numbers.references import is_reference
from specchat.chat.redaction.patterns import matches
from specchat.chat.redaction.spans import Span

REGIONS = ("US", "GB", "DE", "FR", "ES", "NL", "PL", "IN")
"""Countries whose national spellings are known, besides the shop's own."""

_EXTENSION = r"(?:\s?(?:x|ext\.?|extension|durchwahl|#)\s?\d{1,6})?"
_PHONE_NAMED = re.compile(
    r"\b(?:phone|mobile|cell|tel|telephone|telefon|handy|mobil|rufnummer|handynummer|telefonnummer"
    r"|whatsapp|signal|telegram|fax|call (?:me|us|him|her|my \w+)|reach me|text me|ring me"
    r"|contact me|ring|dial|(?:my|his|her|our) (?:new |old |other |work |home )?(?:number|no\.?|#)"
    r"|rückruf|anrufen|téléphone|tél|portable|appele[rz]|teléfono|móvil|llam\w{1,5}|telefoon|bel"
    r"|mobiel|telefonu|numer telefonu|komórk\w|zadzwo\w{1,4})\b[^\d+\n(]{0,30}"
    rf"(\+?\(?\d[\d ().\-/]{{4,20}}\d{_EXTENSION})(?![\w-])",
    re.IGNORECASE,
)
_SHAPES = (  # in the order of how sure they are
    re.compile(rf"(?<!\w)\+\d[\d ().\-/]{{6,20}}\d{_EXTENSION}", re.IGNORECASE),
    re.compile(  # North America: 503-555-0117, (503) 555-0117, 001-503-555-0117x12
        r"(?<![\w#-])(?:(?:\+|00)?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}"
        rf"(?:{_EXTENSION})(?![\w-]|\.\d)",
        re.IGNORECASE,
    ),
    re.compile(  # a trunk 0 or 00: 0170 1234567, (0131) 496 0275, 0049 170 ...
        rf"(?<![\w#-])\(?(?:0[1-9]|00[1-9]\d)(?:[ ./()-]{{0,2}}\d){{7,13}}{_EXTENSION}(?![\w-])",
        re.IGNORECASE,
    ),
    re.compile(r"(?<![\w#.-])[6-9]\d{4}[ -]\d{5}(?![\w-])"),  # India: 98765 43210
)
_ALSO = re.compile(r" ?(?:or|and|und|oder|ou|et|of|lub|[,;/]) ?(\d[\d ().-]{5,14}\d)(?![\w-])")
_DIGITS_NAMED = range(6, 16)
_ORDER_LIKE = re.compile(r"\d{3}-\d{7}")
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d\b|(?:19|20)\d\d[./-]\d{1,2}[./-]\d")
_FEWEST_DIGITS = 8  # of a number without a sign that it is a phone's
_FEWEST_ABROAD = 9
_IN_CODE = re.compile(r"[\w-]*(?:\w|[^\W\d_]-)\Z")  # more stands right before: a longer code
_MONEY = re.compile(r"(?:[$€£]|\b(?:rs|eur|usd|gbp|inr|pln|zł)\.?) ?\Z", re.IGNORECASE)
_MONEY_BEHIND = re.compile(r" ?(?:[$€£%]|(?:eur|euros?|usd|gbp|dollars?|pounds?|zł|rs)\b)", re.I)

_ORDERED_BEHIND = re.compile(  # a number that was ordered or has come is no phone's
    r",? (?:i |we |was |is |were |has been )?(?:ordered|placed|bought|shipped|dispatched|delivered"
    r"|cancell?ed|arrived|bestellt|geliefert)\b",
    re.IGNORECASE,
)


def phone_numbers(text: str, region: str) -> Iterable[Span]:
    """Phone numbers; one without "+" or groups is of `region`."""
    if sum(map(str.isdigit, text)) < _DIGITS_NAMED.start:
        return
    for match in _PHONE_NAMED.finditer(text):
        if sum(map(str.isdigit, match[1])) in _DIGITS_NAMED:
            yield from _unless_other(text, *match.span(1))
    for match in matches(text, *_SHAPES):
        yield from _unless_other(text, *match.span())
        also = _ALSO.match(text, match.end())
        if also is not None:
            yield from _unless_other(text, *also.span(1))
    for found in PhoneNumberMatcher(text, region, leniency=Leniency.VALID, max_tries=1_000):
        if len(found.raw_string) >= _FEWEST_DIGITS and not _ORDER_LIKE.fullmatch(found.raw_string):
            yield from _unless_other(text, found.start, found.end)
    for other in REGIONS:
        if other != region and _GROUPED.search(text):
            yield from _grouped(text, other)


_GROUPED = re.compile(r"\d{2}[ .-]\d{2}")


def _grouped(text: str, region: str) -> Iterable[Span]:
    """Numbers of another country, written in the groups that are usual there."""
    for found in PhoneNumberMatcher(
        text, region, leniency=Leniency.STRICT_GROUPING, max_tries=1_000
    ):
        if sum(map(str.isdigit, found.raw_string)) < _FEWEST_ABROAD:
            continue
        if not found.raw_string.isdigit() and not _ORDER_LIKE.fullmatch(found.raw_string):
            yield from _unless_other(text, found.start, found.end)


_CODE_IN_GROUPS = re.compile(r"(?<!\w)(?:[A-Z0-9]{2,10} ){1,4}\Z")  # 1Z 999 AA1 01 2345 6784


def _unless_other(text: str, start: int, end: int) -> Iterable[Span]:
    groups = _CODE_IN_GROUPS.search(text[max(0, start - 30) : start])
    if groups is not None and is_reference(text, start - len(groups[0])):
        return
    if text[start] == "+" or not (
        is_reference(text, start)
        or (text[start - 1 : start].strip() and _IN_CODE.search(text[max(0, start - 30) : start]))
        or _MONEY.search(text[max(0, start - 6) : start])
        or _MONEY_BEHIND.match(text, end)
        or _DATE.match(text, start)
        or _ORDERED_BEHIND.match(text, end)
    ):
        yield Span(start, end, "phone")
