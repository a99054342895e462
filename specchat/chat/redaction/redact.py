"""Personal data out of a text before it is stored: cards, bank accounts, e-mails, phones, identity
numbers, dates of birth, names, addresses, and what lets somebody in: passwords, codes, keys.

When in doubt a number goes: what is left out of a record can be asked again, what is stored
cannot be unsaid. Order numbers stay, they are what a record is about.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from specchat.chat.redaction.addresses import addresses
from specchat.chat.redaction.emails import emails
from specchat.chat.redaction.normal import normalised
from specchat.chat.redaction.numbers.bank_accounts import account_numbers, ibans
from specchat.chat.redaction.numbers.identity_papers import identity_numbers
from specchat.chat.redaction.numbers.payment_cards import card_numbers
from specchat.chat.redaction.numbers.phones import phone_numbers
from specchat.chat.redaction.people import names
from specchat.chat.redaction.secrets.codes import codes
from specchat.chat.redaction.secrets.keys import keys
from specchat.chat.redaction.secrets.network import ip_addresses, secrets_in_links
from specchat.chat.redaction.secrets.passwords import passwords
from specchat.chat.redaction.spans import Span

WITHHELD = "[text withheld]"
"""Stands for a whole text that could not be checked."""

NOUNS: dict[str, tuple[str, str]] = {
    "card": ("card number", "card numbers"),
    "iban": ("bank account number", "bank account numbers"),
    "bank": ("bank detail", "bank details"),
    "secret": ("password", "passwords"),
    "code": ("access code", "access codes"),
    "key": ("access key", "access keys"),
    "ip": ("IP address", "IP addresses"),
    "email": ("e-mail address", "e-mail addresses"),
    "phone": ("phone number", "phone numbers"),
    "id": ("identity number", "identity numbers"),
    "birth": ("date of birth", "dates of birth"),
    "address": ("postal address", "postal addresses"),
    "name": ("name", "names"),
}
"""Kinds of personal data, as words for people: of one, and of many."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """A text without personal data."""

    text: str
    counts: Mapping[str, int] = field(default_factory=dict)  # kind ("card", ...) -> how many

    @property
    def found(self) -> bool:
        """True when something was taken out."""
        return bool(self.counts)


def redact(
    text: str,
    *,
    keep: Iterable[str] = (),
    region: str = "US",
    known: Mapping[str, str] | None = None,
) -> Redaction:
    """`text` with personal data replaced by its kind of `NOUNS`: `[card]`, `[email]`, `[name]`, ...

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
        one, many = NOUNS.get(kind, ("text", "texts"))
        words.append(f"{count} {one if count == 1 else many}")
    return ", ".join(words)


def find(
    text: str,
    *,
    keep: Iterable[str] = (),
    region: str = "US",
    known: Mapping[str, str] | None = None,
) -> list[Span]:
    """The personal data in `text`, in order and without overlaps. Arguments as of `redact`."""
    normal = normalised(text)
    plain = normal.text
    taken = bytearray(len(plain))
    for own in keep:
        for match in re.finditer(re.escape(normalised(own).text), plain):
            _take(taken, match.start(), match.end())
    spans: list[Span] = []
    for span in _found(plain, region, known or {}):
        for free in _free(plain, taken, span):
            _take(taken, free.start, free.end)
            spans.append(Span(*normal.original(free.start, free.end), free.kind))
    return list(_joined(text, sorted(spans, key=lambda span: span.start)))


def _found(text: str, region: str, known: Mapping[str, str]) -> Iterator[Span]:
    """What each kind's own file finds, the surest first; some of it overlaps."""
    yield from secrets_in_links(text)
    yield from keys(text)
    yield from emails(text)
    yield from ibans(text)
    yield from card_numbers(text)
    yield from account_numbers(text)
    yield from passwords(text)
    yield from identity_numbers(text)
    yield from ip_addresses(text)
    yield from codes(text)
    yield from phone_numbers(text, region)
    for start, end in addresses(text):
        yield Span(start, end, "address")
    for start, end in names(text):
        yield Span(start, end, "name")
    yield from _repeated(text, known)


def _redacted(text: str, spans: list[Span]) -> Redaction:
    parts: list[str] = []
    last = 0
    for span in spans:
        parts += [text[last : span.start], f"[{span.kind}]"]
        last = span.end
    return Redaction("".join([*parts, text[last:]]), dict(Counter(span.kind for span in spans)))


def _joined(text: str, spans: list[Span]) -> Iterator[Span]:
    """The lines of one address, found apart, as one."""
    last: Span | None = None
    for span in spans:
        if (
            last is not None
            and last.kind == span.kind == "address"
            and not any(map(str.isalnum, text[last.end : span.start]))
            and span.start - last.end <= _BETWEEN_LINES
        ):
            last = Span(last.start, span.end, span.kind)
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


_BETWEEN_LINES = 3  # characters


def _free(text: str, taken: bytearray, span: Span) -> Iterable[Span]:
    """What of a span no other has taken, runs without a letter or digit left out."""
    for run in re.finditer(b"\0+", bytes(taken[span.start : span.end])):
        start, end = span.start + run.start(), span.start + run.end()
        rest = text[start:end]
        whole = end - start == span.end - span.start
        few = span.kind in _NUMBERS and sum(map(str.isdigit, rest)) < _FEWEST_DIGITS
        if any(map(str.isalnum, rest)) and (whole or not few):
            yield Span(start, end, span.kind)


_NUMBERS = ("phone", "card", "iban", "bank", "id")
_FEWEST_DIGITS = 5  # of a piece of a number that is left when another kind took the rest


def _repeated(text: str, known: Mapping[str, str]) -> Iterable[Span]:
    for value, kind in known.items():
        if len(plain := normalised(value).text) > 1:
            for match in re.finditer(rf"(?<!\w){re.escape(plain)}(?!\w)", text):
                yield Span(*match.span(), kind)


def _take(taken: bytearray, start: int, end: int) -> None:
    taken[start:end] = b"\1" * (end - start)
