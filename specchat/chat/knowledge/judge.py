"""Does a passage answer the question? A calibrated chance, and none, one or two passages.

The chance that a passage is the one that answers is a softmax over the passages found and "none of
them" (a conditional logit, McFadden 1974). A passage must stand out: "none" is the likelier, the
nearer the question is to the average page of the company. The language model is never asked: a
small one believes what stands before it, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from specchat.chat.knowledge.asked import Query
from specchat.chat.knowledge.passage import Found, Passage, Ranking


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where scores turn into chances: "none" weighs as a passage of the score
    `level + mean * (mean of all scores) + spread * (their standard deviation)`."""

    scale: float
    level: float
    mean: float = 0.0
    spread: float = 0.0


WITH_VECTORS = Calibration(scale=22.85, level=0.153, mean=0.91, spread=0.75)
WORDS_ALONE = Calibration(scale=6.7, level=0.64)
DECLINE = 0.27
SECOND = 0.15
TWIN = 0.8
MOST_PASSAGES = 2


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known about a question."""

    passages: tuple[Passage, ...]  # those to answer from, the likeliest first; () is "not known"
    chance: float  # that one of them answers, 0 to 1
    found: tuple[Found, ...]  # all that was looked at, with each one's chance, the likeliest first
    searched_for: tuple[str, ...]  # a text for each question in the message
    unanswered: tuple[str, ...]  # those of `searched_for` that nothing was found for


def judged(searches: Sequence[tuple[Query, Ranking]], *, vectors: bool) -> Judgement:
    """The judgement of one message: `searches` are its questions with what each one found.

    Of a message with several questions each gives its likeliest passage.
    """
    calibration = WITH_VECTORS if vectors else WORDS_ALONE
    parts = [(query.text, chances(found, calibration)) for query, found in searches]
    chosen = {text: tuple(_chosen(found)) for text, found in parts}
    seen: dict[str, Found] = {}
    for _, found in parts:
        for each in found:
            if each.passage.id not in seen or each.chance > seen[each.passage.id].chance:
                seen[each.passage.id] = each
    taken = _in_turn(list(chosen.values()))[:MOST_PASSAGES]
    return Judgement(
        passages=tuple(each.passage for each in taken),
        chance=max((sum(each.chance for each in found) for found in chosen.values()), default=0.0),
        found=tuple(sorted(seen.values(), key=lambda each: -each.chance)),
        searched_for=tuple(chosen),
        unanswered=tuple(text for text, found in chosen.items() if not found),
    )


def chances(ranked: Ranking, calibration: Calibration) -> list[Found]:
    """The passages with the chance of each to be the one that answers."""
    if not ranked.found:
        return []
    none = calibration.level + calibration.mean * ranked.mean + calibration.spread * ranked.spread
    scores = np.array([each.score for each in ranked.found])
    powers = np.exp(np.minimum(calibration.scale * (scores - none), 50.0))
    shares = powers / (1.0 + powers.sum())
    pairs = zip(ranked.found, shares, strict=True)
    return [replace(each, chance=float(share)) for each, share in pairs]


def _chosen(found: Sequence[Found]) -> Iterator[Found]:
    """The likeliest passage and a likely second; nothing where none of both is likely enough.

    What says the same as the first is no second: its chance is the first's.
    """
    different = _without_twins(found)
    if sum(each.chance for each in different[:MOST_PASSAGES]) < DECLINE:
        return
    yield different[0]
    for each in different[1:MOST_PASSAGES]:
        if each.chance >= SECOND * different[0].chance:
            yield each


def _without_twins(found: Sequence[Found]) -> list[Found]:
    kept: list[Found] = []
    for each in found:
        twin = next((place for place, one in enumerate(kept) if _same(one, each)), None)
        if twin is None:
            kept.append(each)
        else:
            kept[twin] = replace(kept[twin], chance=kept[twin].chance + each.chance)
    return sorted(kept, key=lambda each: -each.chance)


def _same(one: Found, other: Found) -> bool:
    """True when nearly all words of the shorter text stand in the longer one."""
    first, second = (set(each.passage.text.lower().split()) for each in (one, other))
    return len(first & second) >= TWIN * min(len(first), len(second))


def _in_turn(lists: Sequence[Sequence[Found]]) -> list[Found]:
    """The first of each list, then the second of each; each passage once."""
    longest = max(map(len, lists), default=0)
    order = [each[place] for place in range(longest) for each in lists if place < len(each)]
    return list({each.passage.id: each for each in reversed(order)}.values())[::-1]
