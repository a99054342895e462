"""Numbers of identity papers, and dates of birth."""

from __future__ import annotations

import re
from collections.abc import Iterable

from specchat.chat.redaction.patterns import matches
from specchat.chat.redaction.references import is_reference
from specchat.chat.redaction.spans import Span

_IDENTITY_NAMED = re.compile(
    r"\b(?:passport|reisepass|(?:national |personal )?identity|national id|id card|ssn"
    r"|social security|aadhaa?r|pan card|pan|tax|tin|steuer-?id|steuer(?:identifikations)?nummer"
    r"|personalausweis"
    r"|ausweis|driv(?:er|ing)(?:['’]?s)? licen[sc]e|national insurance|nino?|dni|nie|bsn|tckn)\b"
    r"(?:[ -]?(?:card|number|num|no|nr|nummer|id)\b\.?){0,4},?\s*"
    r"(?:(?:(?:it |that |which )?is|ist|:|=|#)\s*)?"
    r"((?=[A-Z -]{0,6}\d)[A-Z\d]{2,16}(?:[ -](?=[A-Z]*\d)[A-Z\d]{1,9}){0,4})(?![\w-])",
    re.IGNORECASE,
)
_SHORTEST_IDENTITY = 5
_IDENTITY_SHAPES = (
    re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])"),  # US SSN
    re.compile(r"\b[A-CEGHJ-PR-TW-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"),  # UK national insurance
    re.compile(r"\b[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]\b"),  # India, tax
)
_DATE = (
    r"(?:\d{1,2}[./-]\s?\d{1,2}[./-]\s?\d{2,4}|\d{4}-\d{2}-\d{2}"
    r"|\d{1,2}(?:st|nd|rd|th|\.)?\s(?:of\s)?[^\W\d_]{3,9}\.?,?\s\d{4}"
    r"|[^\W\d_]{3,9}\.?\s\d{1,2}(?:st|nd|rd|th)?,?\s\d{4})"
)
_BORN = re.compile(
    rf"\b(?:date of birth|birth ?date|birthday|d\.?o\.?b\.?|born(?: on)?|geboren(?: am)?"
    rf"|geburtsdatum)\W{{0,3}}(?:(?:is|was|ist|on|am)\W)?\s*({_DATE})",
    re.IGNORECASE,
)


def identity_numbers(text: str) -> Iterable[Span]:
    """Numbers of identity papers (`id`), and dates of birth (`birth`)."""
    for match in _IDENTITY_NAMED.finditer(text):
        if sum(map(str.isalnum, match[1])) >= _SHORTEST_IDENTITY:
            yield Span(*match.span(1), "id")
    for match in matches(text, *_IDENTITY_SHAPES):
        if not is_reference(text, match.start()):
            yield Span(*match.span(), "id")
    for match in _BORN.finditer(text):
        yield Span(*match.span(1), "birth")
