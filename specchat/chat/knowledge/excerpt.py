"""What an answer quotes of a page: the sentences that are nearest to the question, in the page's
order and in its words."""

from __future__ import annotations

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

_STEM = 5  # letters by which words are compared


def excerpt(text: str, nearness: Sequence[float], most: int) -> str:
    """The sentences of a text that are nearest, up to `most` words; lines stay lines.

    `nearness` has a figure for each sentence, the first ones at least.
    """
    said = sentences(text)
    lengths = [len(each.split()) for each in said]
    if sum(lengths) <= most:
        return text.strip()
    near = [*nearness, *[float("-inf")] * len(said)][: len(said)]
    kept: set[int] = set()
    left = most
    for place in sorted(range(len(said)), key=lambda place: -near[place]):
        if lengths[place] <= left or not kept:
            kept.add(place)
            left -= lengths[place]
    return _joined(text, said, kept)


def shared_words(text: str, question: str) -> list[float]:
    """The nearness of each sentence where there are no vectors: words that it has in common with
    the question."""
    asked = _stems(question)
    return [float(len(_stems(each) & asked)) for each in sentences(text)]


def _joined(text: str, said: Sequence[str], kept: set[int]) -> str:
    """The kept sentences with a line break wherever one of them began a line, or there was one
    between."""
    found = ""
    at, new_line = 0, False
    for place, sentence in enumerate(said):
        start = text.index(sentence, at)
        new_line |= "\n" in text[at:start]
        if place in kept:
            found += (("\n" if new_line else " ") if found else "") + sentence
            new_line = False
        at = start + len(sentence)
    return found


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in weighty_words(text)}
