"""Payment cards: by their issuer, length and check digit, and numbers that are called a card."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate

from stdnum import luhn

from specchat.chat.redaction.numbers.references import is_of_a_thing, is_reference
from specchat.chat.redaction.patterns import GAP
from specchat.chat.redaction.spans import Span

_DIGIT_RUN = re.compile(rf"(?<!\w)\d(?:{GAP}\d){{11,40}}(?!\w)")
_CARD_NAMED = re.compile(
    r"\b(?:cards?|visa|mastercard|amex|maestro|kreditkarten?|kreditkartennummer|kartennummer|karte"
    r"|carte|tarjeta|kaart|karta|karty)\b(?:[^\d\n.?!]|\b(?:no|nr|num)\.){0,30}?"
    rf"(\d(?:{GAP}\d){{11,18}})(?!\w)",
    re.IGNORECASE,
)
_SECURITY_CODE = re.compile(
    r"\b(?:cvv2?|cvc2?|cv2|csc|security (?:code|number|digits)|(?:three|3|four|4)[ -]digits?"
    r"(?: code| number)?|kartenprüfnummer|prüfziffer|prüfnummer|cryptogramme|código de seguridad)\b"
    r"[^\d\n.!?]{0,40}?(?<!\w)(\d{3,4})(?![\w-])(?![.,/]\d)",
    re.IGNORECASE,
)
_AFTER_EXPIRY = re.compile(  # 12/26 123, where there is a card
    r"(?<!\w)(?:0[1-9]|1[0-2]) ?/ ?(?:20)?\d\d\W{1,3}(\d{3,4})(?![\w/-])"
)
_ISSUERS = (  # ISO/IEC 7812: how the number begins, and how many digits it has
    ("4", (13, 16, 19)),
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),
    (r"3[47]", (15,)),
    (r"6011|64[4-9]|65", (16, 17, 18, 19)),
    (r"35(?:2[89]|[3-8])", (16, 17, 18, 19)),
    (r"2131|1800", (15,)),
    (r"30[0-59]|3[689]", (14, 16, 19)),
    (r"50|5[6-8]|6", (12, 13, 14, 15, 16, 17, 18, 19)),
    (r"220[0-4]|9792|81|82|508|60", (16,)),
)
_ISSUED = tuple((re.compile(begins), frozenset(lengths)) for begins, lengths in _ISSUERS)
_USUAL = 16  # digits; so long a number that is right is a card's, of whatever issuer
_SURE = frozenset((15, 16, 17, 18, 19))
"""Lengths at which a right number is a card's whatever is said before it. Shorter ones that are
right by chance are numbers of orders, one in ten."""


def card_numbers(text: str) -> Iterable[Span]:
    """Card numbers that pass the checks, and whatever is called one; security codes."""
    cards = [card for match in _DIGIT_RUN.finditer(text) for card in _cards(text, match)]
    yield from cards
    for match in _AFTER_EXPIRY.finditer(text) if cards else ():
        yield Span(*match.span(1), "card")
    for match in _CARD_NAMED.finditer(text):
        if not is_reference(text, match.start(1)):
            yield Span(*match.span(1), "card")
    for match in _SECURITY_CODE.finditer(text):
        yield Span(*match.span(1), "card")


def _cards(text: str, match: re.Match[str]) -> Iterable[Span]:
    """Groups of digits inside `match` that are written as a card is and pass the checks."""
    groups = list(re.finditer(r"\d+", match[0]))
    sizes = [len(group[0]) for group in groups]
    before = [0, *accumulate(sizes)]  # digits in front of each group
    for first, group in enumerate(groups):
        start = match.start() + group.start()
        for last in range(min(len(groups), first + 19), first, -1):
            length = before[last] - before[first]
            if not 12 <= length <= 19 or not _card_like(sizes[first:last]):
                continue
            digits = "".join(group[0] for group in groups[first:last])
            issued = _is_issued(digits)
            if not (issued or length == _USUAL) or not luhn.is_valid(digits):
                continue
            sure = issued and length in _SURE
            if is_of_a_thing(text, start) or (not sure and is_reference(text, start)):
                continue
            yield Span(start, match.start() + groups[last - 1].end(), "card")
            break


def _is_issued(digits: str) -> bool:
    return any(begins.match(digits) and len(digits) in lengths for begins, lengths in _ISSUED)


def _card_like(sizes: list[int]) -> bool:
    """True for 4 4 4 4, 4 6 5 or any equal groups; an order such as 305-1234567-1234567 is none."""
    return sizes in ([4, 6, 5], [4, 6, 4]) or (
        len(set(sizes[:-1])) < 2 and sizes[-1] <= sizes[0] and (len(sizes) == 1 or sizes[0] < 7)
    )
