"""Does a passage answer the question? A calibrated chance, and none, one or two passages.

The chance that a passage is the one that answers is a softmax over the passages found and "none of
them" (a conditional logit, McFadden 1974). The language model is never asked: a small one believes
what stands before it, or nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from specchat.chat.company.faq_search import weighty_words
from specchat.chat.knowledge.asked import Query
from specchat.chat.knowledge.passage import Found, Passage


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where scores turn into chances."""

    scale: float
    none: float  # "none of them" weighs as a passage of this score


WITH_VECTORS = Calibration(scale=20.4, none=0.362)
WORDS_ALONE = Calibration(scale=6.7, none=0.64)  # on bm25 / (bm25 + 2)
DECLINE = 0.2
UNSURE = 0.5
SECOND = 0.25
"""Below `DECLINE` nothing is given, below `UNSURE` the answer says that it is not sure; a second
passage is given from `SECOND` of the first one's chance. The chance is that of both together.

Of 186 single questions to three companies that no example had, by search alone:

| chance below | of 151 answerable | of these the best two answered | of 35 unanswerable |
|---|---|---|---|
| 0.1 | 3 % | 4 of 4 | 31 % |
| 0.2 | 5 % | 7 of 7 | 37 % |
| 0.3 | 6 % | 9 of 9 | 43 % |
| 0.5 | 23 % | 24 of 34 | 60 % |
| 0.7 | 42 % | 49 of 64 | 77 % |

Where two passages were given (65 questions) they held the answer in 51; where one was (79), in 74.
With a second passage from 0.15 of the first one's chance it was 75 questions and not one more that
held the answer. On 1,071 made-up questions to three kinds of company: from 0.15 two passages for
41 %, the right one given to 82.4 %; from 0.25 for 30 %, to 81.0 %; from 0.4 for 21 %, to 78.7 %.
There, where 5 % of the answerable are below, so are 32 % of those whose page was left out and 56 %
of those to another company (`specchat.training.retrieval`).
"""

READ = 4
SURE = 0.9
READ_WEIGHT = 0.15
"""The first `READ` passages are read by the target, unless the first is `SURE` to answer; each nat
by which the question is likelier behind one than behind the others counts `READ_WEIGHT`.

The right page first, and among the first two, of questions whose page is among the first eight, at
weights 0, 0.15 and 0.5 (SmolLM2-135M-Instruct as it is, all eight read): Fernhollow 70 questions
.83 .93, .86 .93, .81 .90; Tollgrove 79 .71 .84, .76 .89, .79 .90; Harwick 42 .79 .91, .86 .95,
.86 .98. Whether any page answers it does not tell (AUC .55; the vectors' score .84).
"""

_LEAST_ROOM = 0.02

TWIN = 0.8
"""Of the words of weight of the shorter passage, how many the other has when both say the same."""

_FIGURE = re.compile(r"\d+")

MOST_PASSAGES = 2


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known about a question."""

    passages: tuple[Passage, ...]  # those to answer from, the likeliest first; () is "not known"
    chance: float  # that one of them answers, 0 to 1
    found: tuple[Found, ...]  # all that was looked at, with each one's chance, the likeliest first
    searched_for: tuple[str, ...]  # a text for each question in the message
    unanswered: tuple[str, ...]  # those of `searched_for` that nothing was found for


def judged(searches: Sequence[tuple[Query, Sequence[Found]]], *, vectors: bool) -> Judgement:
    """The judgement of one message: `searches` are its questions with what each one found.

    Of a message with several questions each gives its likeliest passage.
    """
    calibration = WITH_VECTORS if vectors else WORDS_ALONE
    parts = [(query.text, chances(found, calibration)) for query, found in searches]
    different = {text: _without_twins(found) for text, found in parts}
    chosen = {text: tuple(_chosen(found)) for text, found in different.items()}
    best: dict[str, Found] = {}
    for _, found in parts:
        for each in found:
            other = best.get(each.passage.id, each)
            best[each.passage.id] = max(each, other, key=lambda one: one.chance)
    taken = _in_turn(list(chosen.values()))[:MOST_PASSAGES]
    return Judgement(
        passages=tuple(each.passage for each in taken),
        chance=max(map(_chance, different.values()), default=0.0),
        found=tuple(sorted(best.values(), key=lambda each: -each.chance)),
        searched_for=tuple(chosen),
        unanswered=tuple(text for text, found in chosen.items() if not found),
    )


Likelihoods = Callable[[str, Sequence[Passage]], Sequence[float]]
"""Of a question behind each of some passages: mean log-probabilities, or none at all."""


def read(
    query: Query, found: Sequence[Found], likelihoods: Likelihoods, *, vectors: bool
) -> list[Found]:
    """What was found in the order in which the target believes it. Whether any of it answers is the
    search's to say, so the best stay as likely as the best were; what leans on an earlier turn is
    left as it is."""
    first = list(found[:READ])
    calibration = WITH_VECTORS if vectors else WORDS_ALONE
    sure = chances(found, calibration)[:1]
    if len(first) < 2 or len(query.texts) > 1 or sure[0].chance >= SURE:
        return list(found)
    likely = likelihoods(query.text, [each.passage for each in first])
    if len(likely) != len(first) or not all(map(math.isfinite, likely)):
        return list(found)
    likely = [*likely, *[min(likely)] * len(found[READ:])]  # what was not read is no likelier
    weighed = [
        replace(each, score=each.score + READ_WEIGHT * how)
        for each, how in zip(found, likely, strict=True)
    ]
    weighed.sort(key=lambda each: -each.score)
    shift = _levelled(weighed, _chance(chances(found, calibration)), calibration)
    return [replace(each, score=each.score + shift) for each in weighed]


def _levelled(weighed: Sequence[Found], chance: float, calibration: Calibration) -> float:
    """What added to all scores, the best first, makes `chance` that of the best that could be
    given; where they are too much alike for that, it stays below."""
    scores = np.array([each.score for each in weighed])
    powers = np.exp(calibration.scale * (scores - scores[0]))
    best, total = float(powers[:MOST_PASSAGES].sum()), float(powers.sum())
    room = max(best - chance * total, _LEAST_ROOM * total)
    return math.log(chance / room) / calibration.scale + calibration.none - float(scores[0])


def chances(found: Sequence[Found], calibration: Calibration) -> list[Found]:
    """The passages with the chance of each to be the one that answers."""
    if not found:
        return []
    scores = np.array([each.score for each in found])
    powers = np.exp(np.minimum(calibration.scale * (scores - calibration.none), 50.0))
    shares = powers / (1.0 + powers.sum())
    return [replace(each, chance=float(share)) for each, share in zip(found, shares, strict=True)]


def _chosen(different: Sequence[Found]) -> Iterator[Found]:
    """The likeliest passage and a likely second; nothing where none of both is likely enough."""
    if _chance(different) < DECLINE:
        return
    yield different[0]
    for each in different[1:MOST_PASSAGES]:
        if each.chance >= SECOND * different[0].chance:
            yield each


def _chance(different: Sequence[Found]) -> float:
    """That one of the passages that could be given answers."""
    return sum(each.chance for each in different[:MOST_PASSAGES])


def _without_twins(found: Sequence[Found]) -> list[Found]:
    """The passages, the likeliest first; what says the same as a better one adds to its chance."""
    kept: list[Found] = []
    for each in found:
        twin = next((place for place, one in enumerate(kept) if _same(one, each)), None)
        if twin is None:
            kept.append(each)
        else:
            kept[twin] = replace(kept[twin], chance=kept[twin].chance + each.chance)
    return sorted(kept, key=lambda each: -each.chance)


def _same(one: Found, other: Found) -> bool:
    """True when nearly all words of weight of the shorter text, and all its figures, stand in the
    longer one."""
    texts = sorted((one.passage.text, other.passage.text), key=len)
    short, long = (set(weighty_words(text)) for text in texts)
    fewer, more = (set(_FIGURE.findall(text)) for text in texts)
    return bool(short) and fewer <= more and len(short & long) >= TWIN * len(short)


def _in_turn(lists: Sequence[Sequence[Found]]) -> list[Found]:
    """The first of each list, then the second of each; each passage once."""
    longest = max(map(len, lists), default=0)
    order = [each[place] for place in range(longest) for each in lists if place < len(each)]
    return list({each.passage.id: each for each in reversed(order)}.values())[::-1]
