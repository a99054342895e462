"""What an answer quotes of a page: the sentences that answer, in the page's order and its words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from specchat.chat.company.faq_search import weighty_words
from specchat.chat.knowledge.sentences import sentences

FIRST_WORDS = 60
NEXT_WORDS = 45
"""Most words of the likeliest page, and of another. A longer sentence stays whole.

Of the answers to 128 and 68 questions to two companies with long pages, so many hold what they must
if the first two pages are quoted by their nearest sentences, 45 words of each: 79 and 53, 60: 85
and 55, 80: 89 and 57; the nearest sentence and those around it, 60 words: 81 and 51; the whole
pages, of up to 160 words: 90 and 57.
"""

MOST_BARE_WORDS = 6  # of a line that only announces what follows
_STEM = 5  # letters by which words are compared
_ITEM = re.compile(r"(?:[-*•]|\d+[.)])\s")


def excerpt(text: str, nearness: Sequence[float], most: int) -> str:
    """The sentences of a text that are nearest, up to `most` words; lines stay lines.

    `nearness` has a figure for each sentence, the first ones at least. A line that only announces
    what follows ("You need:") comes with what it announces, and not alone.
    """
    said = sentences(text)
    lengths = [len(each.split()) for each in said]
    if sum(lengths) <= most:
        return text.strip()
    near = [*nearness, *[float("-inf")] * len(said)][: len(said)]
    above = _announced_by(text, said)
    bare = {place for place in above.values() if _says_nothing(said[place])}
    kept: set[int] = set()
    left = most
    for place in sorted(range(len(said)), key=lambda place: -near[place]):
        if place in bare:
            continue
        wanted = {place, above.get(place, place)} - kept
        cost = sum(lengths[each] for each in wanted)
        if cost > left and lengths[place] <= left:
            wanted, cost = {place}, lengths[place]
        if cost <= left or not kept:
            kept |= wanted
            left -= cost
    return _joined(text, said, kept)


def in_turn(nearness: Sequence[Sequence[float]]) -> list[float]:
    """One nearness of each sentence from those to several questions: the nearest to each of them
    come first, then the next."""
    if len(nearness) == 1:
        return list(nearness[0])
    ranks = [_ranks(each) for each in nearness]
    return [-float(min(each)) for each in zip(*ranks, strict=True)]


def _ranks(nearness: Sequence[float]) -> list[int]:
    """The place of each sentence, the nearest at 0."""
    order = sorted(range(len(nearness)), key=lambda place: -nearness[place])
    return sorted(range(len(nearness)), key=lambda place: order[place])


def shared_words(text: str, question: str) -> list[float]:
    """The nearness of each sentence where there are no vectors: words that it has in common with
    the question."""
    asked = _stems(question)
    return [float(len(_stems(each) & asked)) for each in sentences(text)]


def _announced_by(text: str, said: Sequence[str]) -> dict[int, int]:
    """Of each sentence that a line ending in a colon announces, where that line is: the items below
    it, or everything up to the next such line."""
    starts = _line_starts(text, said)
    found: dict[int, int] = {}
    opening, of_items = -1, False
    for place, sentence in enumerate(said):
        alone = starts[place] and (place + 1 == len(said) or starts[place + 1])
        if alone and sentence.endswith(":") and place + 1 < len(said):
            opening, of_items = place, _ITEM.match(said[place + 1]) is not None
        elif opening >= 0 and of_items and starts[place] and not _ITEM.match(sentence):
            opening = -1
        elif opening >= 0:
            found[place] = opening
    return found


def _says_nothing(opening: str) -> bool:
    """True for "You need:", not for "Workshops, 90 minutes, €60:"."""
    return len(opening.split()) <= MOST_BARE_WORDS and not any(map(str.isdigit, opening))


def _line_starts(text: str, said: Sequence[str]) -> list[bool]:
    """Whether each sentence begins a line."""
    found: list[bool] = []
    at = 0
    for sentence in said:
        start = text.index(sentence, at)
        found.append(not found or "\n" in text[at:start])
        at = start + len(sentence)
    return found


def _joined(text: str, said: Sequence[str], kept: set[int]) -> str:
    """The kept sentences with a line break wherever one of them began a line, or there was one
    between."""
    found = ""
    new_line = False
    for place, (sentence, starts) in enumerate(zip(said, _line_starts(text, said), strict=True)):
        new_line |= starts and place > 0
        if place in kept:
            found += (("\n" if new_line else " ") if found else "") + sentence
            new_line = False
    return found


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in weighty_words(text)}
