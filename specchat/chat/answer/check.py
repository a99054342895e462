"""Whether what was found, looked up or asked supports an answer, and signs that it is none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specchat.chat.answer.instructions import system_text
from specchat.chat.answer.specifics import STATES, Kind, Specific, days_in, specifics


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at in an answer, and which of it nothing supports, as it stands there."""

    checked: tuple[str, ...]
    unsupported: tuple[str, ...]


def check(answer: str, known: Sequence[str], orders: Sequence[str] = ()) -> Check:
    """The specifics of `answer`, held against `known`, all texts that may support it.

    The state of an order must stand in `orders`: their records, or without any what the customer
    says of it.
    """
    support = _Support((*known, *orders), orders)
    found = list(dict.fromkeys(specifics(answer)))
    wrong = (each.text for each in found if not support.holds(each))
    return Check(tuple(dict.fromkeys(each.text for each in found)), tuple(dict.fromkeys(wrong)))


class _Support:
    """All specifics of the texts that an answer may draw on."""

    def __init__(self, known: Sequence[str], orders: Iterable[str]) -> None:
        self._values: dict[Kind, set[str]] = {}
        for each in (each for text in known for each in specifics(text)):
            self._values.setdefault(each.kind, set()).add(each.value)
        self._days = {day for text in known for day in days_in(text)}
        self._text, self._orders = _plain("\n".join(known)), _plain("\n".join(orders))
        self._numbers = {
            number
            for kind in _WITH_NUMBERS
            for value in self._values.get(kind, ())
            for number in _numbers(kind, value)
        }

    def holds(self, each: Specific) -> bool:
        """True when the specific stands in one of the texts."""
        values = self._values.get(each.kind, set())
        if each.value in values:
            return True
        match each.kind:
            case "link":
                return any(value.startswith(f"{each.value}/") for value in values)
            case "phone":
                return any(value.endswith(each.value[-7:]) for value in values)
            case "money" | "duration" | "percent":
                return each.value.split()[0] in self._values.get("number", ())
            case "number":
                return each.value in self._numbers
            case "day":
                return each.value in self._days
            case "state":
                said = _plain(each.text) in self._text
                return said or any(word in self._orders for word in STATES[each.value])
            case "code":
                return _plain(each.text) in self._text or _number_of(each.value) in self._numbers
            case "carrier" | "address":
                return each.value in self._text
            case _:
                return False


_WITH_NUMBERS: Sequence[Kind] = (
    "number", "money", "percent", "duration", "date", "time", "code", "phone",
)  # fmt: skip


def _numbers(kind: Kind, value: str) -> Iterable[str]:
    """The bare numbers that a specific may be said to name."""
    if kind == "time":
        hour = int(value[:2])
        return {str(hour), str(hour % 12 or 12)}
    if kind == "code":
        return {_number_of(value)}
    return {value.split()[0]}


def _number_of(code: str) -> str:
    """The number of "30-day", "3rd" or "A-4417"; "" of what has several."""
    digits = re.findall(r"\d+", code)
    return digits[0].lstrip("0") if len(digits) == 1 else ""


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.lower())


# -- what no answer should say -----------------------------------------------------------------

_DOES = (
    r"(?:investigat\w*|refund\w*|send|sending|look into|looking into|contact\w*|forward\w*"
    r"|escalat\w*|arrang\w*|process\w*|cancel\w*|updat\w*|make sure|ensur\w*|connect\w*|transfer\w*"
    r"|get back|getting back|call|calling|e?-?mail|notify\w*|follow up|following up|issu\w*"
    r"|reach out|reaching out|chang\w*|reset\w*|creat\w*|schedul\w*|check with|replac\w*|credit\w*"
    r"|report\w*|resolv\w*|sort (?:it|this|that) out|take care of|pass (?:it|this|that|you))"
)
_PROMISE = re.compile(
    rf"\b(?:I|we)(?:['’]ll| will| shall|['’]m going to| am going to| are going to|['’]re going to)"
    rf" (?:now |gladly |personally |be |immediately |also )*{_DOES}\b"
    rf"|\b(?:I['’]m|I am|we are|we['’]re) (?:now )?(?:\w+ing you|{_DOES.replace('*', '*')})\b"
    rf"|\bI(?:['’]ve| have)(?: just| already| now)? {_DOES}"
    rf"|\blet me (?:{_DOES})\b"
    r"|\b(?:a colleague|someone|an? (?:agent|person)|our team|they) will "
    r"(?:contact|call|e?-?mail|get back|reach out|be with you|take over|reply|respond)",
    re.IGNORECASE,
)
_HUMAN = re.compile(
    r"\bI(?:['’]m| am) (?:an? )?(?:real |actual |live )?(?:person|human)\b"
    r"|\bI(?:['’]m| am) not (?:an? )?(?:bot|robot|computer|machine|program|ai)\b",
    re.IGNORECASE,
)
_LAYOUT = re.compile(r"(?m)^\s*(?:##\s|(?:Pages|Orders|Customer):)")
_COPIED_WORDS = 7  # in a row


def promises(answer: str, known: Sequence[str] = ()) -> bool:
    """True when the answer says that something will be done which nobody does.

    What a page says that the company does may be said.
    """
    said = _plain("\n".join(known))
    return any(_plain(found[0]) not in said for found in _PROMISE.finditer(answer))


def claims_to_be_a_person(answer: str) -> bool:
    """True when the assistant says that it is human."""
    return _HUMAN.search(answer) is not None


def copies_instruction(answer: str) -> bool:
    """True when the answer repeats what the assistant is told, or how it is laid out."""
    told = set(_runs(system_text("", "")))
    return _LAYOUT.search(answer) is not None or not told.isdisjoint(_runs(answer))


def _runs(text: str) -> list[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return [
        tuple(words[start : start + _COPIED_WORDS])
        for start in range(len(words) - _COPIED_WORDS + 1)
    ]
