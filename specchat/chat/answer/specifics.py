"""What a customer acts on, as it is read out of a text: numbers, prices, days, links, names.

Each has one form in which it is compared, so that "3 to 5 days" is "3-5 business days", "4.90
dollars" is "$4.90", "two weeks" is "14 days" and "8 a.m." is "08:00". English and German.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "email", "link", "phone", "address", "date", "time", "money", "percent", "duration", "code",
    "number", "day", "state", "carrier",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Specific:
    """One specific of a text."""

    kind: Kind
    value: str  # in the one form that is compared; of amounts the number, a space, the unit
    text: str  # as it stands


def specifics(text: str) -> Iterator[Specific]:
    """Every specific of a text; a piece of the text belongs to one kind."""
    left = _LIST_MARK.sub(" ", text)
    for kind, pattern, values in _READERS:
        for found in pattern.finditer(left):
            for value in values(found):
                yield Specific(kind, value, found[0].strip(" \n.,;:"))
        left = pattern.sub("\x00", left)
    for found in _STATE.finditer(text):
        if not _SUPPOSED.search(text[: found.start()]):
            yield Specific("state", STATE_OF[found["state"].lower()], found[0])


def days_in(text: str) -> Iterator[str]:
    """The days of the week that a text names, those between "Monday to Friday" too."""
    for found in _DAY_SPAN.finditer(text):
        first, last = _DAYS.index(_day_of(found["first"])), _DAYS.index(_day_of(found["last"]))
        yield from (_DAYS[(first + step) % 7] for step in range((last - first) % 7 + 1))
    yield from (_day_of(found[0]) for found in _SHORT_DAY.finditer(text))
    for several, days in _SEVERAL_DAYS:
        if several.search(text):
            yield from days


# -- amounts -----------------------------------------------------------------------------------

_NUMBER_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
                 "eleven", "twelve")  # fmt: skip
_GERMAN_WORDS = ("eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn",
                 "elf", "zwölf")  # fmt: skip
_VALUE = {
    word: str(value)
    for words in (_NUMBER_WORDS, _GERMAN_WORDS)
    for value, word in enumerate(words, start=1)
}
_WORD = rf"\b(?:{'|'.join(word for word, value in _VALUE.items() if value != '1')})\b"
_SEPARATOR = "[.,’'\u00a0\u202f]"
_DIGITS = (
    rf"(?:\d{{1,3}}(?:{_SEPARATOR}\d{{3}})+(?!\d)(?:[.,]\d{{1,2}}(?!\d))?|\d+(?:[.,]\d+)?)(?!\d)"
)
_COUNT = rf"(?:(?<![\d.,]){_DIGITS}|{_WORD}|\bone\b)"
_SPAN = r"[^\S\n]*(?:-|–|—|\bto\b|\bor\b|\band\b|\bbis\b|\boder\b|\bund\b)[^\S\n]*"  # on one line


def amount(text: str) -> str:
    """A number in one form: no thousands separators, a point before decimals, no idle zeros."""
    word = text.strip().lower()
    if word in _VALUE:
        return _VALUE[word]
    digits = re.sub("[’'\u00a0\u202f]", "", word)
    last = max(digits.rfind("."), digits.rfind(","))
    whole, decimals = digits, ""
    if last >= 0 and len(digits) - last - 1 != 3:
        whole, decimals = digits[:last], digits[last + 1 :].rstrip("0")
    whole = re.sub("[.,]", "", whole).lstrip("0") or "0"
    return f"{whole}.{decimals}" if decimals else whole


_CURRENCIES = {
    "us$": "$", "$": "$", "usd": "$", "dollar": "$", "€": "€", "eur": "€", "euro": "€", "£": "£",
    "gbp": "£", "pound": "£", "chf": "chf", "franc": "chf", "franken": "chf", "cent": "ct",
    "¥": "¥", "yen": "¥",
}  # fmt: skip
_CURRENCY = r"(?:US\$|[$€£¥]|(?:USD|EUR|GBP|CHF|dollar|euro|pound|franc|franken|cent|yen)s?\b)"
_MONEY = re.compile(
    rf"(?P<before>{_CURRENCY})\s?(?P<one>{_DIGITS})"
    rf"|(?P<two>{_COUNT})\s?(?P<after>{_CURRENCY})",
    re.IGNORECASE,
)
_PERCENT = re.compile(rf"(?P<n>{_COUNT})\s?(?:%|per ?cent\b|prozent\b)", re.IGNORECASE)
_UNITS: dict[str, tuple[str, int]] = {
    "second": ("second", 1), "sekunde": ("second", 1), "minute": ("minute", 1),
    "hour": ("hour", 1), "stunde": ("hour", 1), "day": ("day", 1), "tag": ("day", 1),
    "werktag": ("day", 1), "week": ("day", 7), "woche": ("day", 7), "month": ("month", 1),
    "monat": ("month", 1), "year": ("month", 12), "jahr": ("month", 12),
}  # fmt: skip
_DURATION = re.compile(
    rf"(?:(?P<from>{_COUNT}){_SPAN})?(?P<n>{_COUNT})(?:[^\S\n]|-|\n(?=(?-i:[a-z])))+"  # no new line
    r"(?:(?:business|working|full|calendar|more|whole|consecutive)[\s-]+){0,2}"
    rf"(?P<unit>{'|'.join(_UNITS)})(?:s|n|e|en)?\b",
    re.IGNORECASE,
)
_PLAIN_NUMBER = re.compile(rf"(?<![\w.,]){_DIGITS}|{_WORD}", re.IGNORECASE)
_LIST_MARK = re.compile(r"(?m)^\s*\d{1,2}[.)]\s")


def _money(found: re.Match[str]) -> Iterator[str]:
    name = (found["before"] or found["after"]).lower()
    currency = _CURRENCIES.get(name) or _CURRENCIES[name[:-1]]
    yield f"{amount(found['one'] or found['two'])} {currency}"


def _percent(found: re.Match[str]) -> Iterator[str]:
    yield f"{amount(found['n'])} %"


def _duration(found: re.Match[str]) -> Iterator[str]:
    unit, times = _UNITS[found["unit"].lower()]
    for count in filter(None, (found["from"], found["n"])):
        value = amount(count)
        yield f"{int(value) * times if value.isdigit() else value} {unit}"


def _number(found: re.Match[str]) -> Iterator[str]:
    yield amount(found[0])


# -- times and days ----------------------------------------------------------------------------

_TIME = re.compile(
    r"\b(?P<h>\d{1,2})(?:[:.](?P<m>\d{2}))?\s?(?P<half>[ap]\.?\s?m\b\.?|o['’]clock\b|uhr\b)"
    r"|\b(?P<h24>[01]?\d|2[0-4]):(?P<m24>[0-5]\d)\b"
    r"|\b(?P<word>noon|midnight|mittag|mitternacht)\b",
    re.IGNORECASE,
)
_MONTH_STARTS = {
    "jan": 1, "feb": 2, "mar": 3, "mär": 3, "apr": 4, "may": 5, "mai": 5, "jun": 6, "jul": 7,
    "aug": 8, "sep": 9, "oct": 10, "okt": 10, "nov": 11, "dec": 12, "dez": 12,
}  # fmt: skip
_MONTH = (
    r"(?:jan(?:uary|uar)?|feb(?:ruary|ruar)?|mar(?:ch)?|märz|apr(?:il)?|may|mai|june?|juni|july?"
    r"|juli|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|oktober|nov(?:ember)?|dec(?:ember)?|dezember)"
)
_DATE = re.compile(
    rf"\b(?P<d1>\d{{1,2}})(?:st|nd|rd|th|\.)?\s(?:of\s)?(?P<m1>{_MONTH})\b"
    rf"|\b(?P<m2>{_MONTH})\b\.?\s(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)"
    r"|\b\d{4}-(?P<m3>\d{2})-(?P<d3>\d{2})\b"
    r"|\b(?:(?P<d4>[0-3]?\d)\.(?P<m4>[01]?\d)\.(?:\d{4}|\d{2})\b"
    r"|(?:am|bis|vom|zum|ab) (?P<d5>[0-3]?\d)\.(?P<m5>[01]?\d)\.(?!\d))",
    re.IGNORECASE,
)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_STARTS = {
    "mo": "mon", "di": "tue", "tu": "tue", "mi": "wed", "we": "wed", "do": "thu", "th": "thu",
    "fr": "fri", "sa": "sat", "so": "sun", "su": "sun",
}  # fmt: skip
_DAY = re.compile(
    r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
    r"|(?:mon|diens|donners|frei|sams|sonn)tags?|mittwochs?)\b",
    re.IGNORECASE,
)
_ANY_DAY = rf"(?:{_DAY.pattern}|\b(?:Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun|Mo|Di|Mi|Do|Fr|Sa|So)\b)"
_SHORT_DAY = re.compile(_ANY_DAY.replace("(?:mon|tues", "(?i:mon|tues", 1), re.NOFLAG)
_DAY_SPAN = re.compile(
    rf"(?P<first>{_ANY_DAY})\.?[^\S\n]*(?:-|–|—|to|through|until|bis)[^\S\n]*(?P<last>{_ANY_DAY})",
    re.IGNORECASE,
)
_SEVERAL_DAYS = (
    (re.compile(r"\b(?:every day|daily|(?:7|seven) days a week|24/7|täglich)\b", re.I), _DAYS),
    (re.compile(r"\b(?:weekdays|business days|working days|werktags?)\b", re.I), _DAYS[:5]),
    (re.compile(r"\b(?:weekends?|wochenenden?)\b", re.I), _DAYS[5:]),
)


def _time(found: re.Match[str]) -> Iterator[str]:
    if found["word"]:
        yield "12:00" if found["word"].lower() in ("noon", "mittag") else "00:00"
        return
    hour, minute = int(found["h"] or found["h24"]), int(found["m"] or found["m24"] or 0)
    half = (found["half"] or "").lower()[:1]
    if half == "p" and hour < 12:
        hour += 12
    if (half == "a" and hour == 12) or hour == 24:
        hour = 0
    yield f"{hour:02}:{minute:02}"


def _date(found: re.Match[str]) -> Iterator[str]:
    named = found["m1"] or found["m2"]
    month = _MONTH_STARTS[named.lower()[:3]] if named else int(_first(found, "m3 m4 m5"))
    yield f"{int(_first(found, 'd1 d2 d3 d4 d5'))} {month}"


def _first(found: re.Match[str], names: str) -> str:
    return next(found[name] for name in names.split() if found[name])


def _weekday(found: re.Match[str]) -> Iterator[str]:
    yield _day_of(found[0])


def _day_of(name: str) -> str:
    return _DAY_STARTS[name.lower()[:2]]


# -- addresses, codes and names ----------------------------------------------------------------

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_LINK = re.compile(
    r"(?:https?://|\bwww\.)[^\s<>()\[\]\"'\x00]+"
    r"|\b(?:[a-z0-9-]+\.)+(?:com|org|net|example|io|de|eu|co\.uk|info|shop|app|gov|edu)\b"
    r"(?:/[^\s<>()\[\]\"'\x00]*)?",
    re.IGNORECASE,
)
_PHONE = re.compile(r"(?<![\w.])\+?\(?\d(?:[\s()/-]{0,2}\d){6,}(?!\w)")
_STREET = re.compile(
    r"\b\d{1,5}[a-z]? (?:[A-Z][\w'’.-]+ ){1,3}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr"
    r"|Square|Boulevard|Blvd|Way|Court|Place)\b"
    r"|\b[A-ZÄÖÜ][\wäöüß-]*(?:straße|strasse|weg|platz|gasse|allee) \d{1,4}[a-z]?\b"
)
_CODE = re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\b", re.ASCII)
_NO_CODE = re.compile(r"(\d+)(?:st|nd|rd|th|h|x|s|[A-Z]?-[a-z]+)", re.IGNORECASE)
_CARRIER = re.compile(
    r"\b(?:UPS|FedEx|DHL|USPS|Royal Mail|DPD|GLS|Evri|PostNL|Hermes|TNT|Canada Post|"
    r"Australia Post|Deutsche Post|La Poste|Parcelforce|Bpost|Correos|Swiss Post|Colissimo)\b"
)


def _as_it_stands(found: re.Match[str]) -> Iterator[str]:
    yield re.sub(r"\s+", " ", found[0]).lower()


def _link(found: re.Match[str]) -> Iterator[str]:
    yield re.sub(r"^(?:https?://)?(?:www\.)?", "", found[0].lower()).rstrip("./,;:!?")


def _phone(found: re.Match[str]) -> Iterator[str]:
    yield re.sub(r"\D", "", found[0]).lstrip("0")


def _code(found: re.Match[str]) -> Iterator[str]:
    yield found[0].lower()


_Reads = Callable[[re.Match[str]], Iterator[str]]
_READERS: tuple[tuple[Kind, re.Pattern[str], _Reads], ...] = (
    ("email", _EMAIL, _as_it_stands),
    ("link", _LINK, _link),
    ("date", _DATE, _date),
    ("time", _TIME, _time),
    ("duration", _DURATION, _duration),
    ("money", _MONEY, _money),
    ("percent", _PERCENT, _percent),
    ("address", _STREET, _as_it_stands),
    ("phone", _PHONE, _phone),
    ("code", _CODE, _code),
    ("day", _DAY, _weekday),
    ("carrier", _CARRIER, _as_it_stands),
    ("number", _PLAIN_NUMBER, _number),
)

# -- states of orders --------------------------------------------------------------------------

STATES: dict[str, tuple[str, ...]] = {
    "shipped": ("on its way", "shipped", "dispatched", "in transit", "out for delivery", "sent"),
    "processing": ("being prepared", "processing", "in preparation", "being processed", "packed"),
    "delivered": ("delivered", "arrived"),
    "cancelled": ("cancelled", "canceled"),
    "returned": ("returned",),
    "refunded": ("refunded", "paid back", "refund paid"),
}
"""What each state is called."""

STATE_OF = {word: state for state, words in STATES.items() for word in words}
_STATE = re.compile(
    r"\b(?:your|the|this) (?:order|parcel|package|shipment|refund|return|purchase|payment)s?"
    r"(?:\s+#?[\w-]*\d[\w-]*)?\s+(?:is|was|has been|have been|are|were)\s+"
    r"(?:already\s+|now\s+|just\s+|currently\s+)?"
    rf"(?P<state>{'|'.join(STATE_OF)})\b",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"\b(?:if|when|once|until|unless|before|after|whether|as soon as|while|where)\b[^.!?,]*\Z",
    re.IGNORECASE,
)
