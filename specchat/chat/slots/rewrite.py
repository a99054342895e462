"""What a customer typed, with order numbers, amounts, names and the like as slots.

Precision before recall: a word or number becomes a slot only with evidence next to it. What is
left alone still reads right, what is wrongly replaced does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from specchat.chat.redaction.word_lists.words import CITIES, COUNTRIES
from specchat.chat.slots.message import Part, Parts, Slot, joined, merged

_FLAGS = re.IGNORECASE
_LABEL = r"(?:number|numbers|num|no\.?|nr\.?|id|code)"
# An identifier of letters, digits and inner hyphens that holds a digit.
_IDENT = r"(?=[A-Za-z-]{0,6}\d)[A-Za-z0-9]+(?:[-/][A-Za-z0-9]+)*(?![\w%])"
_MORE = rf"(?:\s*(?:,|and|&)\s*#?(?=[A-Za-z-]{{0,6}}\d{{3}}){_IDENT})*"
# After a bare "order 4417" one of these may follow; "order 4417 chairs" is a quantity.
_AFTER_NUMBER = (
    r"(?=\s*(?:$|[^\w\s])|\s+(?:please|pls|plz|is|isn'?t|was|wasn'?t|has|hasn'?t|have|had|and|or"
    r"|but|because|that|which|to|for|from|with|on|in|at|of|i|i'?m|it|it'?s|my|the|this|we|you"
    r"|are|were|not|never|still|yet|today|yesterday|now|asap|arrived?|arriving|came|got|went|says|said|shows|shipped|delivered|placed|status"
    r"|where|when|what|why|how|can|could|will|would|does|did|do|should|thanks?|thx|help)\b)"
)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A customer's text as the model sees it, and what stood where the slots are now."""

    parts: Parts
    values: Mapping[str, str]  # slot name -> what the customer wrote

    @property
    def text(self) -> str:
        """The parts as one text."""
        return joined(self.parts)


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    values: tuple[tuple[str, str], ...]  # (slot, value) in the order the slots are to stand


def rewrite_input(
    text: str, *, asked: str = "", account_types: Iterable[str] = ("Premium", "Free")
) -> Rewrite:
    """`text` with slots in the place of the customer's own data.

    `asked` is the answer that this text replies to: after "what is your order number?" a bare
    "4417" is one. `account_types` are the kinds of account the company has. Of two different
    values for one slot the first becomes the slot and the other stays as it was typed.
    """
    parts: list[Part] = []
    values: dict[str, str] = {}
    last = 0
    for found in _in_order(_find(text, asked, tuple(account_types)), len(text)):
        if any(values.get(name, value) != value for name, value in found.values):
            continue
        values.update(found.values)
        parts += [text[last : found.start], *(Slot(name) for name, _ in found.values)]
        last = found.end
    return Rewrite(merged([*parts, text[last:]]), values)


def _find(text: str, asked: str, account_types: tuple[str, ...]) -> list[_Found]:
    """Everything that looks like a slot, most certain kind first."""
    finders: tuple[Callable[[str], Iterable[_Found]], ...] = (
        _contacts,
        _numbers,
        lambda typed: _reply(typed, asked),
        _amounts,
        _names,
        _places,
        lambda typed: _accounts(typed, account_types),
    )
    return [found for finder in finders for found in finder(text)]


def _in_order(found: list[_Found], length: int) -> list[_Found]:
    """Without overlaps (the earlier finder wins), by place in the text."""
    taken = bytearray(length)
    kept: list[_Found] = []
    for item in found:
        if not any(taken[item.start : item.end]):
            taken[item.start : item.end] = b"\1" * (item.end - item.start)
            kept.append(item)
    return sorted(kept, key=lambda item: item.start)


# -- contacts ----------------------------------------------------------------------------------

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[A-Za-z]{2,}")
_PHONE = re.compile(
    r"\b(?:phone|mobile|cell|telephone|call me|reach me|text me)\b[^\d+\n]{0,30}"
    r"(\+?\(?\d[\d\s().-]{5,18}\d)(?!\w)",
    _FLAGS,
)
_POSTAL = re.compile(
    r"\b(?:zip|postal|post)\s*-?\s*(?:code)\b[^\w\n]*(?:is\s+)?(\d[\dA-Z -]{2,7}\d)"
    r"(?!\w)",
    _FLAGS,
)


def _contacts(text: str) -> Iterable[_Found]:
    yield from _whole(_EMAIL, text, "customer_email")
    yield from _group(_POSTAL, text, "postal_code")
    yield from _group(_PHONE, text, "customer_phone")


# -- numbers -----------------------------------------------------------------------------------


def _labelled(nouns: str) -> re.Pattern[str]:
    """'<noun> number is 12', '<noun> #12', '<noun>: A-12': a label, sign or colon says so."""
    return re.compile(
        rf"\b(?:{nouns})(?:"
        rf"\s*{_LABEL}\s*(?:(?:is|was|=|:)\s*)*#?\s*|\s*:\s*#?\s*|\s*#\s*)"
        rf"({_IDENT}{_MORE})",
        _FLAGS,
    )


def _bare(nouns: str, digits: int) -> re.Pattern[str]:
    """'<noun> 4417' with at least `digits` digits and nothing countable behind it."""
    return re.compile(
        rf"(?<!\bto )(?<!\bi )(?<!\bwe )(?<!\byou )\b(?:{nouns})\s+"
        rf"((?=[A-Za-z-]{{0,6}}\d{{{digits}}}){_IDENT}{_MORE}){_AFTER_NUMBER}",
        _FLAGS,
    )


_ORDER = "orders?|purchases?"
_INVOICE = "invoices?|bills?|receipts?"
_REFERENCE = "reference|ticket|claim|case|complaint|refund|rebate|reimbursement|compensation|return"
_TRACKING = "tracking|shipment|consignment|awb"
_NUMBER_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("tracking_number", re.compile(r"\b(1Z[0-9A-Z]{16})\b", _FLAGS)),
    ("tracking_number", _labelled(_TRACKING)),
    ("tracking_number", _bare(_TRACKING, 5)),
    ("invoice_number", _labelled(_INVOICE)),
    ("invoice_number", _bare(_INVOICE, 4)),
    ("order_number", _labelled(_ORDER)),
    ("order_number", _bare(_ORDER, 3)),
    ("order_number", re.compile(rf"\b(?:{_ORDER})\s+(\d{{6,}}(?:-\d+)*)(?![\w%])", _FLAGS)),
    ("reference_number", _labelled(_REFERENCE)),
)
_SIGN = re.compile(r"(?<![\w&#])#\s?([A-Za-z]{0,3}-?\d{3,}(?:-\d+)*)(?!\w)")
_NUMBER_IS = re.compile(
    rf"\bnumber\s+(?:is|was|=|:)\s*#?((?=[A-Za-z-]{{0,6}}\d{{3}}){_IDENT})", _FLAGS
)
_NOUN = re.compile(
    rf"\b(?:(?P<tracking_number>{_TRACKING})|(?P<invoice_number>{_INVOICE})"
    r"|(?P<order_number>orders?|purchases?|parcels?|packages?|deliver(?:y|ed)))\b",
    _FLAGS,
)


def _numbers(text: str) -> Iterable[_Found]:
    for name, pattern in _NUMBER_PATTERNS:
        yield from _group(pattern, text, name)
    for match in _SIGN.finditer(text):
        yield _value(match, 1, _nearest(text, match.start()) or "order_number")
    for match in _NUMBER_IS.finditer(text):
        nearest = _nearest(text, match.start())
        if nearest and not _PHONE_BEFORE.search(text[: match.start()]):
            yield _value(match, 1, nearest)


_PHONE_BEFORE = re.compile(r"(?:phone|mobile|cell)\s*$", _FLAGS)


def _nearest(text: str, end: int) -> str | None:
    """The slot of the last noun before `end`, of the first one behind it, or None."""
    before = list(_NOUN.finditer(text[:end]))
    found = before[-1] if before else _NOUN.search(text[end:])
    return found.lastgroup if found else None


_REPLY = re.compile(
    rf"^\W*(?:(?:yes|sure|ok(?:ay)?|of course|here(?: it is| you (?:go|are))?|it'?s|it is|the|my"
    rf"|number|id|is|order|invoice|tracking)[\s,.:!]*)*#?"
    rf"((?=[A-Za-z-]{{0,6}}\d{{2}}){_IDENT})(?:[\s.,!]+(?:thanks?|thank you|please))?[\s.!]*$",
    _FLAGS,
)
_ASKED = re.compile(
    r"\b(?P<tracking_number>tracking number)\b|\b(?P<invoice_number>(?:invoice|bill) number)\b"
    r"|\b(?P<order_number>(?:order|purchase) (?:number|id))\b"
    r"|\b(?P<reference_number>(?:reference|case|ticket|claim) number)\b",
    _FLAGS,
)


def _reply(text: str, asked: str) -> Iterable[_Found]:
    """A bare number that answers the question for one."""
    match = _REPLY.match(text)
    wanted = _ASKED.search(asked)
    if match and wanted and wanted.lastgroup:
        yield _value(match, 1, wanted.lastgroup)


# -- amounts -----------------------------------------------------------------------------------

_AMOUNT = r"\d{1,3}(?:,\d{3})+(?:\.\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_SIGN_AMOUNT = re.compile(rf"(?P<sign>US\$|[$€£¥₹])\s?(?P<amount>{_AMOUNT})(?![\d,.]*\d|%|k\b)")
_AMOUNT_SIGN = re.compile(rf"(?<![\w.,$€£])(?P<amount>{_AMOUNT})\s?(?P<sign>[€£₹])(?!\w)")
_AMOUNT_WORD = re.compile(
    rf"(?<![\w.,$€£])(?P<amount>{_AMOUNT})(?=\s?(?P<word>dollars?|bucks|usd|euros?|eur|pounds"
    r"|gbp|rupees|inr)\b)",
    _FLAGS,
)
_SIGNS = {"d": "$", "b": "$", "us": "$", "e": "€", "p": "£", "g": "£", "r": "₹", "i": "₹"}


def _amounts(text: str) -> Iterable[_Found]:
    for pattern in (_SIGN_AMOUNT, _AMOUNT_SIGN):
        for match in pattern.finditer(text):
            sign, amount = match["sign"], match["amount"]
            yield _Found(
                match.start(), match.end(), (("currency", sign), ("refund_amount", amount))
            )
    for match in _AMOUNT_WORD.finditer(text):
        yield _value(match, "amount", "refund_amount")


def currency_of(text: str) -> str | None:
    """The sign of the currency that stands as a word behind an amount in `text`, if one does."""
    match = _AMOUNT_WORD.search(text)
    if match is None:
        return None
    word = match["word"].lower()
    return next((sign for start, sign in _SIGNS.items() if word.startswith(start)), None)


# -- names and places --------------------------------------------------------------------------

_CAPITAL = r"[A-ZÀ-ÖØ-Þ][\w'’.-]*"
_NAME = re.compile(
    rf"\b(?i:my (?:full )?name is|my name'?s|name:)\s+({_CAPITAL}(?:\s+{_CAPITAL}){{0,2}})"
)
_NAME_LOWER = re.compile(
    r"\bmy name is\s+(?!not\b|on\b|wrong|in\b|the\b|missing|incorrect|misspel|spel|still\b|also\b"
    r"|a\b|no\b|now\b|different)([a-z'’-]{2,20})(?=\s*(?:$|[.,;!\n]|\s(?:and|but)\b))",
    _FLAGS,
)
_SENDER = re.compile(
    rf"\b(?i:invoices?|bills?) (?i:from|by)\s+((?:(?:Mr|Mrs|Ms|Dr)\.?\s+)?{_CAPITAL}"
    rf"(?:\s+{_CAPITAL}){{0,2}})"
)
_NO_NAME = re.compile(
    r"(?:I|My|The|This|That|And|But|You|Your|Please|January|February|March|April|May|June|July"
    r"|August|September|October|November|December|Monday|Tuesday|Wednesday|Thursday|Friday"
    r"|Saturday|Sunday|Last|Yesterday|Today|Black|Christmas)\b",
)


def _names(text: str) -> Iterable[_Found]:
    yield from _named(_NAME, text, "customer_name")
    yield from _group(_NAME_LOWER, text, "customer_name")
    yield from _named(_SENDER, text, "person_name")


def _named(pattern: re.Pattern[str], text: str, name: str) -> Iterable[_Found]:
    """Matches whose words are names: cut before a capital that starts something else."""
    for match in pattern.finditer(text):
        words = match[1]
        stop = _NO_NAME.search(words)
        if stop:
            words = words[: stop.start()]
        words = (
            re.split(r"[.!?]\s", words)[0] if not words.startswith(("Mr", "Ms", "Dr")) else words
        )
        words = re.sub(r"['’]s$", "", words.rstrip(" .,'’-"))
        if words:
            yield _Found(match.start(1), match.start(1) + len(words), ((name, words),))


_TO_PLACE = re.compile(
    r"\b(?:ship(?:ping|s|ped|ments?)?|deliver(?:y|ies|s|ing|ed)?|sen[dt](?:ing)?|order(?:ing|s)?)"
    r"(?:\s+(?:it|them|this|that|items?|orders?|products?|packages?|parcels?|my order|something))?"
    r"\s+(?:to|from|in|into|within)\s+",
    _FLAGS,
)
_PLACE_WORDS = re.compile(r"[^\W\d_][\w'’-]*(?:\s+[^\W\d_][\w'’-]*){0,3}")


def _places(text: str) -> Iterable[_Found]:
    """'ship to Oslo', 'order from Germany': known places, the longest name first."""
    for match in _TO_PLACE.finditer(text):
        start = match.end()
        while True:
            place = _known_place(text, start)
            if place is None:
                break
            yield place
            comma = re.compile(r",?\s+(?:in\s+)?|,").match(text, place.end)
            if comma is None or place.values[0][0] == "delivery_country":
                break
            start = comma.end()


def _known_place(text: str, start: int) -> _Found | None:
    match = _PLACE_WORDS.match(text, start)
    if match is None:
        return None
    words = list(re.finditer(r"\S+", match[0]))
    for count in range(len(words), 0, -1):
        name = match[0][: words[count - 1].end()]
        key = re.sub(r"['’]s$", "", name.lower())
        if key == "us" and name != "US":
            continue
        if key in COUNTRIES or name == "US":
            return _Found(start, start + len(key), (("delivery_country", name[: len(key)]),))
        if key in CITIES:
            return _Found(start, start + len(key), (("delivery_city", name[: len(key)]),))
    return None


def _accounts(text: str, account_types: tuple[str, ...]) -> Iterable[_Found]:
    """'a Premium account'; a second kind in the same text is the other account slot."""
    if not account_types:
        return
    kinds = "|".join(re.escape(kind) for kind in account_types)
    pattern = re.compile(
        rf"\b({kinds})(?=\s+(?:account|membership|plan|profile|user|one)s?\b)", _FLAGS
    )
    first = ""
    for match in pattern.finditer(text):
        value = match[1][0].upper() + match[1][1:]
        first = first or value
        name = "account_type" if value == first else "account_category"
        yield _Found(match.start(), match.end(), ((name, value),))


# -- helpers -----------------------------------------------------------------------------------


def _whole(pattern: re.Pattern[str], text: str, name: str) -> Iterable[_Found]:
    return (_value(match, 0, name) for match in pattern.finditer(text))


def _group(pattern: re.Pattern[str], text: str, name: str) -> Iterable[_Found]:
    return (_value(match, 1, name) for match in pattern.finditer(text))


def _value(match: re.Match[str], group: int | str, name: str) -> _Found:
    return _Found(match.start(group), match.end(group), ((name, match[group]),))
