"""Phone numbers, in national and international spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable

import phonenumbers

from specchat.chat.redaction.patterns import matches
from specchat.chat.redaction.references import is_reference
from specchat.chat.redaction.spans import Span

_PHONE_NAMED = re.compile(
    r"\b(?:phone|mobile|cell|tel|telephone|whatsapp|call me|reach me|text me|ring me|contact me"
    r"|ring|dial|my number|his number|her number)\b[^\d+\n]{0,30}(\+?\(?\d[\d\s().\-–/]{4,20}\d)",
    re.IGNORECASE,
)
_PHONE_SHAPE = re.compile(
    r"(?<![\w#-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,5}\)[ .-]?\d|\d{3}[ .-]\d{3}[ .-]\d)"
    r"[\d .-]{2,12}\d(?![\w-])"
)
_PLUS = re.compile(r"\+\d[\d ().\-–/]{6,20}\d")
_TRUNK = re.compile(r"(?<![\w#-])\(?0\d(?:[ ./()-]{0,2}\d){7,10}(?![\w-])")  # 0170 1234567
_PAIR = re.compile(r"(?<![\w#.-])[6-9]\d{4}[ -]\d{5}(?![\w-])")  # 98765 43210
_GROUPS = re.compile(r"(?<![\w#.-])\d{3}(?: \d{2}){3}(?![\w-])")  # 612 35 17 77
_ORDER_LIKE = re.compile(r"\d{3}-\d{7}")
_FEWEST_DIGITS = 8  # of a number without a sign that it is a phone's
_IN_CODE = re.compile(r"[\w-]*(?:\w|[^\W\d_]-)\Z")  # more stands right before: a longer code


def phone_numbers(text: str, region: str) -> Iterable[Span]:
    """Phone numbers; one without "+" is of `region`."""
    for match in matches(text, _PHONE_NAMED, _PLUS, _PHONE_SHAPE, _TRUNK, _GROUPS, _PAIR):
        yield from _unless_reference(text, *match.span(match.lastindex or 0))
    for found in phonenumbers.PhoneNumberMatcher(
        text, region, leniency=phonenumbers.Leniency.POSSIBLE, max_tries=10_000
    ):
        if _ORDER_LIKE.fullmatch(found.raw_string):
            continue
        few = found.raw_string.isdigit() and len(found.raw_string) < _FEWEST_DIGITS
        if not few and not _IN_CODE.search(text[max(0, found.start - 30) : found.start]):
            yield from _unless_reference(text, found.start, found.end)


def _unless_reference(text: str, start: int, end: int) -> Iterable[Span]:
    if text[start] == "+" or not is_reference(text, start):
        yield Span(start, end, "phone")
