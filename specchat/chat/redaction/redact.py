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

from specchat.chat.redaction.addresses import addresses
from specchat.chat.redaction.bank_accounts import ibans, named_accounts
from specchat.chat.redaction.identity_papers import identity_numbers
from specchat.chat.redaction.patterns import matches
from specchat.chat.redaction.payment_cards import card_numbers
from specchat.chat.redaction.people import names
from specchat.chat.redaction.phones import phone_numbers
from specchat.chat.redaction.spans import Span

WITHHELD = "[text withheld]"
"""Stands for a whole text that could not be checked."""

NOUNS: dict[str, tuple[str, str]] = {
    "card": ("card number", "card numbers"),
    "iban": ("bank account number", "bank account numbers"),
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
    taken = bytearray(len(text))
    for own in keep:
        for match in re.finditer(re.escape(own), text):
            _take(taken, match.start(), match.end())
    spans: list[Span] = []
    for span in (
        *_emails(text),
        *ibans(text),
        *card_numbers(text),
        *named_accounts(text),
        *identity_numbers(text),
        *phone_numbers(text, region),
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


_EMAIL = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}\s?(?:@|\(at\)|\[at\])\s?(?:[\w-]{1,63}(?:\.|\s\.\s|"
    r"\s?(?:\(dot\)|\[dot\]|\sdot\s)\s?)){1,5}[^\W\d_]{2,24}",
    re.IGNORECASE,
)
_EMAIL_SPOKEN = re.compile(r"\b[\w.+-]{1,64}\s+at\s+[\w-]{2,63}\s+dot\s+[^\W\d_]{2,10}\b", re.I)


def _emails(text: str) -> Iterable[Span]:
    return (Span(*match.span(), "email") for match in matches(text, _EMAIL, _EMAIL_SPOKEN))
