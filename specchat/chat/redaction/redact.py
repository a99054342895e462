"""Personal data out of a text before it is stored: cards, bank accounts, e-mails, phones, identity
numbers, dates of birth, names, addresses.

When in doubt a number goes: what is left out of a record can be asked again, what is stored
cannot be unsaid. Order numbers stay, they are what a record is about.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

import phonenumbers

from specchat.chat.redaction.addresses import addresses
from specchat.chat.redaction.patterns import matches
from specchat.chat.redaction.people import names
from specchat.chat.redaction.references import is_reference

WITHHELD = "[text withheld]"
"""Stands for a whole text that could not be checked."""

NOUNS: dict[str, str] = {
    "card": "card number",
    "iban": "bank account number",
    "email": "e-mail address",
    "phone": "phone number",
    "id": "identity number",
    "birth": "date of birth",
    "address": "postal address",
    "name": "name",
}
"""Kinds of personal data, as words for people."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """A text without personal data."""

    text: str
    counts: Mapping[str, int] = field(default_factory=dict)  # kind ("card", ...) -> how many

    @property
    def found(self) -> bool:
        """True when something was taken out."""
        return bool(self.counts)


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text that is personal data."""

    start: int
    end: int
    kind: str  # one of `NOUNS`


def redact(
    text: str,
    *,
    keep: Iterable[str] = (),
    region: str = "US",
    known: Mapping[str, str] | None = None,
) -> Redaction:
    """`text` with personal data replaced by its kind: `[card]`, `[iban]`, `[email]`, `[phone]`,
    `[id]`, `[birth]`, `[address]` and `[name]`.

    `keep` are contacts of the shop itself. `region` is where a phone number without "+" is from.
    `known` is personal data said earlier, and its kind: it goes wherever it is repeated.
    Should a check fail, the whole text is withheld: this never raises.
    """
    try:
        return _redacted(text, find(text, keep=keep, region=region, known=known))
    except Exception:  # fail closed, whatever a library makes of hostile text
        return Redaction(WITHHELD, {"unchecked": 1})


def describe(counts: Mapping[str, int]) -> str:
    """The counts in words: "1 card number, 2 e-mail addresses"."""
    words = []
    for kind, count in counts.items():
        noun = NOUNS.get(kind, "text")
        plural = "es" if noun.endswith("s") else "s"
        words.append(f"{count} {noun}{plural if count > 1 else ''}")
    return ", ".join(words)


def find(
    text: str,
    *,
    keep: Iterable[str] = (),
    region: str = "US",
    known: Mapping[str, str] | None = None,
) -> list[Span]:
    """The personal data in `text`, in order and without overlaps. Arguments as of `redact`."""
    taken = bytearray(len(text))
    for own in keep:
        for match in re.finditer(re.escape(own), text):
            _take(taken, match.start(), match.end())
    spans: list[Span] = []
    for span in (
        *_emails(text),
        *_ibans(text),
        *_cards(text),
        *_accounts(text),
        *_identities(text),
        *_phones(text, region),
        *(Span(start, end, "address") for start, end in addresses(text)),
        *(Span(start, end, "name") for start, end in names(text)),
        *_repeated(text, known or {}),
    ):
        for free in _free(text, taken, span):
            _take(taken, free.start, free.end)
            spans.append(free)
    return sorted(spans, key=lambda span: span.start)


def _redacted(text: str, spans: list[Span]) -> Redaction:
    parts: list[str] = []
    last = 0
    for span in spans:
        parts += [text[last : span.start], f"[{span.kind}]"]
        last = span.end
    return Redaction("".join([*parts, text[last:]]), dict(Counter(span.kind for span in spans)))


def _free(text: str, taken: bytearray, span: Span) -> Iterable[Span]:
    """What of a span no other has taken, runs without a letter or digit left out."""
    for run in re.finditer(b"\0+", bytes(taken[span.start : span.end])):
        start, end = span.start + run.start(), span.start + run.end()
        if any(character.isalnum() for character in text[start:end]):
            yield Span(start, end, span.kind)


def _repeated(text: str, known: Mapping[str, str]) -> Iterable[Span]:
    for value, kind in known.items():
        if len(value) > 1:
            for match in re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", text):
                yield Span(*match.span(), kind)


def _take(taken: bytearray, start: int, end: int) -> None:
    taken[start:end] = b"\1" * (end - start)


# -- e-mail ------------------------------------------------------------------------------------

_EMAIL = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}\s?(?:@|\(at\)|\[at\])\s?(?:[\w-]{1,63}(?:\.|\s\.\s|"
    r"\s?(?:\(dot\)|\[dot\]|\sdot\s)\s?)){1,5}[^\W\d_]{2,24}",
    re.IGNORECASE,
)
_EMAIL_SPOKEN = re.compile(r"\b[\w.+-]{1,64}\s+at\s+[\w-]{2,63}\s+dot\s+[^\W\d_]{2,10}\b", re.I)


def _emails(text: str) -> Iterable[Span]:
    return (Span(*match.span(), "email") for match in matches(text, _EMAIL, _EMAIL_SPOKEN))


# -- IBAN --------------------------------------------------------------------------------------

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[ -]?\d{2}(?:[ -]?[A-Za-z0-9]){11,30}", re.ASCII)
_IBAN_NAMED = re.compile(
    r"\biban\b\W{0,3}(?:is|number|no\.?|:|\s)*\W?"
    r"([A-Za-z]{2}[ -]?\d{2}(?:[ -]?[A-Za-z0-9]){8,30})",
    re.IGNORECASE,
)


def _ibans(text: str) -> Iterable[Span]:
    for match in _IBAN.finditer(text):
        end = _valid_iban_end(match[0])
        if end:
            yield Span(match.start(), match.start() + end, "iban")
    for match in _IBAN_NAMED.finditer(text):  # called an IBAN: it goes, right or mistyped
        run = re.match(r"\S+(?:[ -](?=\S*\d)\S+)*", match[1])
        yield Span(match.start(1), match.start(1) + (run.end() if run else 0), "iban")


def _valid_iban_end(candidate: str) -> int:
    """Length of the start of `candidate` that is an IBAN of its country, or 0 (ISO 13616)."""
    places = [index for index, character in enumerate(candidate) if character.isalnum()]
    length = _IBAN_LENGTHS.get(candidate[:2].upper(), 0)
    if not length or len(places) < length:
        return 0
    account = "".join(candidate[place] for place in places[:length])
    digits = "".join(str(int(character, 36)) for character in account[4:] + account[:4])
    return places[length - 1] + 1 if int(digits) % 97 == 1 else 0


_LENGTHS = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20
EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30
KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24
PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SD18 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29
VA22 VG24 XK20
"""
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _LENGTHS.split()}


_ACCOUNT_NAMED = re.compile(
    r"\b(?:bank |giro)?(?:account|acct|a/c|konto)[ -]?(?:number|num|numbr|no|nr|nummer)\b\.?"
    r"\s*(?:(?:is|iz|ist|was|:|=)\s*)?(\d(?:[ -]?\d){7,17})(?![\w-])",
    re.IGNORECASE,
)


def _accounts(text: str) -> Iterable[Span]:
    for match in _ACCOUNT_NAMED.finditer(text):
        yield Span(*match.span(1), "iban")


# -- identity papers, dates of birth -----------------------------------------------------------

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


def _identities(text: str) -> Iterable[Span]:
    for match in _IDENTITY_NAMED.finditer(text):
        if sum(map(str.isalnum, match[1])) >= _SHORTEST_IDENTITY:
            yield Span(*match.span(1), "id")
    for match in matches(text, *_IDENTITY_SHAPES):
        if not is_reference(text, match.start()):
            yield Span(*match.span(), "id")
    for match in _BORN.finditer(text):
        yield Span(*match.span(1), "birth")


# -- cards -------------------------------------------------------------------------------------

_DIGIT_RUN = re.compile(r"(?<![\w])\d(?:[ \t.\-–/]{0,2}\d){11,29}(?![\w])")
_CARD_NAMED = re.compile(
    r"\b(?:card|visa|mastercard|amex|maestro|cvv|cvc)\b[^\d\n]{0,30}(\d(?:[ .\-–]{0,2}\d){2,18})",
    re.IGNORECASE,
)
_CARD_LENGTHS = range(13, 20)


def _cards(text: str) -> Iterable[Span]:
    for match in _DIGIT_RUN.finditer(text):
        if not is_reference(text, match.start()):
            yield from _luhn_spans(match)
    for match in _CARD_NAMED.finditer(text):
        digits = sum(character.isdigit() for character in match[1])
        security_code = digits <= 4 and re.search(r"cv[vc]\b", match[0], re.IGNORECASE)
        mistyped = digits >= 12 and not is_reference(text, match.start(1))
        if mistyped or security_code:  # called a card number: it goes, right or wrong
            yield Span(*match.span(1), "card")


def _luhn_spans(match: re.Match[str]) -> Iterable[Span]:
    """Groups of digits inside `match` that are written as a card is and pass the Luhn check."""
    groups = list(re.finditer(r"\d+", match[0]))
    sizes = [len(group[0]) for group in groups]
    before = [0, *accumulate(sizes)]  # digits in front of each group
    for first, group in enumerate(groups):
        if group[0][0] not in "23456":
            continue
        for last in range(len(groups), first, -1):
            if before[last] - before[first] not in _CARD_LENGTHS:
                continue
            digits = "".join(group[0] for group in groups[first:last])
            if _card_like(sizes[first:last]) and _luhn(digits):
                start, end = groups[first].start(), groups[last - 1].end()
                yield Span(match.start() + start, match.start() + end, "card")


def _card_like(sizes: list[int]) -> bool:
    """True for 4 4 4 4, 4 6 5 or any equal groups; an order such as 305-1234567-1234567 is none."""
    return sizes in ([4, 6, 5], [4, 6, 4]) or (
        len(set(sizes[:-1])) < 2 and sizes[-1] <= sizes[0] and (len(sizes) == 1 or sizes[0] < 7)
    )


def _luhn(digits: str) -> bool:
    """The check of ISO/IEC 7812: every second digit from the right counts twice."""
    total = sum(map(int, digits[-1::-2]))
    return (total + sum(_TWICE[int(digit)] for digit in digits[-2::-2])) % 10 == 0


_TWICE = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


# -- phones ------------------------------------------------------------------------------------

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


def _phones(text: str, region: str) -> Iterable[Span]:
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
