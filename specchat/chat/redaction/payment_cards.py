"""Payment cards: by their check digit, and numbers that are called a card."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate

from specchat.chat.redaction.references import is_reference
from specchat.chat.redaction.spans import Span

_DIGIT_RUN = re.compile(r"(?<![\w])\d(?:[ \t.\-–/]{0,2}\d){11,29}(?![\w])")
_CARD_NAMED = re.compile(
    r"\b(?:card|visa|mastercard|amex|maestro|cvv|cvc)\b[^\d\n]{0,30}(\d(?:[ .\-–]{0,2}\d){2,18})",
    re.IGNORECASE,
)
_CARD_LENGTHS = range(13, 20)


def card_numbers(text: str) -> Iterable[Span]:
    """Card numbers that pass the check, and whatever is called one; security codes."""
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
