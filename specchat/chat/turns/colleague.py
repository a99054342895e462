"""What a colleague wrote in a conversation, as what a question may be about."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from specchat.chat.answer.intent import asks_in_german
from specchat.chat.answer.specifics import Kind, specifics
from specchat.chat.types import ChatTurn

LATELY = 8
"""Turns in which what a colleague wrote is still asked about."""

NEAR, NEAR_OF_KIND = 0.22, 0.12
"""Of sentence vectors, and where the text has what the question asks for: a day, an amount. Of 30
follow-ups on nine replies of colleagues, by which the rules were made, they find 29, and vectors
alone 24; of 180 other questions behind the same replies 27 and 21. Both are said then, so little is
lost."""

_WHEN: frozenset[Kind] = frozenset(("date", "time", "day", "duration"))
_HOW_MUCH: frozenset[Kind] = frozenset(("money", "percent"))
_ASKS_FOR = (
    (re.compile(r"\b(?:when|until|what (?:day|date|time)|how (?:soon|long))\b", re.I), _WHEN),
    (re.compile(r"\bhow much\b", re.I), _HOW_MUCH),
)
_SOON = re.compile(r"\b(?:today|tonight|tomorrow|(?:this|next) (?:week|month))\b", re.IGNORECASE)
_BARE = re.compile(
    r"(?:(?:and|so|ok|okay|but|please|then|sorry|again|now|by|until|exactly|roughly|about|when|what"
    r"|who|where|how|why|which|much|long|soon|day|date|time|amount|is|was|are|will|would|should|do"
    r"|did|does|can|have|need|i|you|me|we|he|she|they|it|that|this|these|those|to|of|the|for|from"
    r"|in|on|at|be|mean|say|said|get|send|come|happen|happens|next|again)\b[ ,.?!']*){2,9}",
    re.IGNORECASE,
)
"""A question without a word of its own."""


def told(question: str, earlier: Sequence[ChatTurn], nearness: Callable[[str, str], float]) -> str:
    """What a colleague wrote lately, where the question is about it: the nearest of it, or the last
    where nothing was said since and the question says nothing by itself. "" where it is not.

    `nearness` is `Knowledge.nearness`.
    """
    lately = [turn.answer for turn in earlier[-LATELY:] if turn.by_person and turn.answer]
    if not lately:
        return ""
    if earlier[-1].by_person and (asks_in_german(question) or _BARE.fullmatch(question.strip())):
        return lately[-1].strip()  # the vectors know no German
    found, text = max((nearness(question, text), text) for text in lately)
    enough = NEAR_OF_KIND if _has_what_is_asked_for(question, text) else NEAR
    return text.strip() if found >= enough else ""


def _has_what_is_asked_for(question: str, text: str) -> bool:
    """True where a question is for a day or an amount and the text has one."""
    kinds = {each.kind for each in specifics(text)}
    if _SOON.search(text):
        kinds.add("day")
    return any(asks.search(question) and kinds & wanted for asks, wanted in _ASKS_FOR)
