"""Signs that an answer may not help. They are rules over question and answer, no probability."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from specchat.chat.company.faq_search import weighty_words
from specchat.chat.company.orders import OrderLookup
from specchat.chat.types import ChatTurn

_ADMITS = re.compile(
    r"\bI(?:'m| am) (?:not (?:sure|certain|able)|unable|afraid I)\b"
    r"|\bI (?:do not|don't|cannot|can't|could not|couldn't) "
    r"(?:know|answer|find|access|have (?:access|that information|this information))\b"
    r"|\bno information (?:about|on)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n]{12,}[.!?\n]")
_FEWEST_WORDS = 3  # of weight: a shorter question is too little to judge by
_REPEATS = 3


def doubts(turn: ChatTurn) -> tuple[str, ...]:
    """The signs, as keys of `wording.DOUBTS`; none for an answer that was stopped by hand."""
    if turn.status == "cancelled":
        return ()
    if turn.status == "failed":
        return ("failed",)
    if not turn.answer.strip():
        return ("empty",)
    found = []
    if turn.grounds is not None:
        return tuple(_by_grounds(turn))
    if _no_such_order(turn.lookups):
        found.append("no_such_order")
    elif _ADMITS.search(turn.answer):
        found.append("admits")
    if _repeats(turn.answer):
        found.append("repeats")
    known = turn.sources or turn.lookups
    if not known and len(weighty_words(turn.question)) >= _FEWEST_WORDS:
        found.append("off_topic")
    return tuple(found)


def _by_grounds(turn: ChatTurn) -> Iterator[str]:
    """Of an answer that was checked when it was given."""
    assert turn.grounds is not None
    if _no_such_order(turn.lookups):
        yield "no_such_order"
    elif turn.grounds.state == "unknown":
        yield "admits"
    if _repeats(turn.answer):
        yield "repeats"


def _no_such_order(lookups: Sequence[OrderLookup]) -> bool:
    return any(lookup.order is None for lookup in lookups)


def _repeats(answer: str) -> bool:
    sentences = Counter(match[0].strip().lower() for match in _SENTENCE.finditer(answer))
    return any(count >= _REPEATS for count in sentences.values())
