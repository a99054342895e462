"""Numbers of identity papers, of tax and insurance, and dates of birth.

A number goes where it is called one. Without that it goes where its letters or its spelling are
of one country's numbers and its check digits are right: digits alone are right by chance too often.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from stdnum.ch import ssn as ahv
from stdnum.de import idnr
from stdnum.es import nie
from stdnum.es import nif as dni
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.ie import pps
from stdnum.in_ import pan
from stdnum.it import codicefiscale
from stdnum.mx import curp
from stdnum.se import personnummer

from specchat.chat.redaction.numbers.references import is_reference
from specchat.chat.redaction.patterns import matches
from specchat.chat.redaction.spans import Span

_PAPERS = (
    r"passport|pass(?:eport|aporte|port)|reisepass|paszport|(?:national |personal )?identity"
    r"|national id|id card|identity card|personalausweis|ausweis|führerschein"
    r"|driv(?:er|ing)(?:'?s)? licen[sc]e|carte d'identité|permis de conduire|documento de identidad"
    r"|identiteitskaart|rijbewijs|dowód(?: osobisty)?|dowodu|prawo jazdy|green card|visa number"
)
_STATE_NUMBERS = (
    r"ssn|itin|ein|tin|tax|social(?= is|:)|social security|social insurance|national insurance"
    r"|nino?|ni|aadhaa?r"
    r"|pan card|pan|nhs|utr number|steuer-?id|idnr|steuer(?:identifikations)?nummer"
    r"|sozialversicherungs(?:nummer|nr)|rentenversicherungs(?:nummer|nr)"
    r"|versicherten(?:nummer|nr)|krankenversicherten(?:nummer|nr)|rvnr|svnr|ahv"
    r"|u?st-?id-?nr|ust-?id|umsatzsteuer-?id|vat|sécurité sociale|numéro (?:de )?sécu"
    r"|carte vitale|nir|numéro fiscal|dni|nie|nif|nuss|seguridad social|bsn|burgerservicenummer"
    r"|sofinummer|pesel|nip|regon|codice fiscale|tckn|personnummer|cpr|hetu|pps|cpf|curp"
)
_IDENTITY_NAMED = re.compile(
    rf"\b(?:{_PAPERS}|{_STATE_NUMBERS})\b"
    r"(?:[ -]?(?:card|number|num|no|nr|nummer|numer|numéro|número|id)\b\.?){0,4}[,.]?\s{0,3}"
    r"(?:(?:(?:it |that |which )?is|was|ist|lautet|est|es|to|:|=|#)\s{0,3}){0,2}"
    r"((?=[A-Z .-]{0,6}\d)[A-Z\d]{1,16}(?:[ ./-](?=[A-Z]{0,3}\d|[A-Z]\b)[A-Z\d]{1,9}){0,6})"
    r"(?![\w-])",
    re.IGNORECASE,
)
_SHORTEST_IDENTITY = 5
_SHAPES: tuple[tuple[re.Pattern[str], Callable[[str], bool] | None], ...] = (
    (re.compile(r"(?<![\w-])(?!000|666)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])"), None),  # US SSN
    (re.compile(r"\b[A-CEGHJ-PR-TW-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"), None),  # UK insurance
    (re.compile(r"(?<!\w)\d{2} \d{3} \d{3} \d{3}(?!\w)"), idnr.is_valid),
    (
        re.compile(r"(?<!\w)[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}(?!\w)"),
        nir.is_valid,
    ),
    (re.compile(r"(?<![\w-])\d{8}[ -]?[A-Z](?![\w-])", re.IGNORECASE), dni.is_valid),
    (re.compile(r"(?<![\w-])[XYZ][ -]?\d{7}[ -]?[A-Z](?![\w-])", re.IGNORECASE), nie.is_valid),
    (re.compile(r"\b[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]\b"), pan.is_valid),
    (re.compile(r"\b[A-Z]{6}\w{2}[A-Z]\w{2}[A-Z]\w{3}[A-Z]\b", re.I), codicefiscale.is_valid),
    (re.compile(r"(?<![\w-])\d{7}[A-Z]{1,2}(?![\w-])"), pps.is_valid),
    (re.compile(r"(?<!\w)756\.?\d{4}\.?\d{4}\.?\d{2}(?!\w)"), ahv.is_valid),
    (re.compile(r"(?<!\w)\d{6}[-+A]\d{3}[\dA-Y](?!\w)"), hetu.is_valid),
    (re.compile(r"(?<!\w)(?:\d{2})?\d{6}[-+]\d{4}(?!\w)"), personnummer.is_valid),
    (re.compile(r"\b[A-Z]{4}\d{6}[HM][A-Z]{5}\w\d\b"), curp.is_valid),
)
_MONTH = r"[^\W\d_]{3,10}\.?"
_DATE = (
    r"(?:\d{1,2}\s?[./-]\s?\d{1,2}\s?[./-]\s?\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2}"
    rf"|\d{{1,2}}(?:st|nd|rd|th|\.)?\s(?:of\s|de\s)?{_MONTH},?\s(?:de\s)?\d{{2,4}}"
    rf"|{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}})"
)
_BORN = re.compile(
    r"\b(?:date of birth|birth ?date|birth ?day|d\.?o\.?b\.?|born|geboren|geburts(?:datum|tag)"
    r"|né(?:e|\(e\))?|date de naissance|naci(?:do|da|ó|miento)|fecha de nacimiento|geboortedatum"
    r"|data urodzenia|urodzon[ya]|ur\.)\W{0,3}"
    rf"(?:(?:is|was|ist|war|on|am|le|el|op|est|es|the|dnia|to)\W{{1,2}}){{0,3}}\s?({_DATE})(?!\d)",
    re.IGNORECASE,
)


def identity_numbers(text: str) -> Iterable[Span]:
    """Numbers of papers, tax and insurance (`id`), and dates of birth (`birth`)."""
    for match in _IDENTITY_NAMED.finditer(text):
        if sum(map(str.isalnum, match[1])) >= _SHORTEST_IDENTITY:
            yield Span(*match.span(1), "id")
    for shape, is_right in _SHAPES:
        for match in shape.finditer(text):
            if not is_reference(text, match.start()) and (is_right is None or is_right(match[0])):
                yield Span(*match.span(), "id")
    for match in matches(text, _BORN):
        yield Span(*match.span(1), "birth")
