"""How well are pages found, and how well is it known that none answers? On made-up companies.

Every question is searched three times: with all pages of its company there, with its own page left
out while the neighbours stay (nobody can answer then), and in another kind of company. Follow-ups
are searched behind what was said before; so are questions that leave the subject.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from specchat.chat.knowledge.asked import Exchange, Query, queries
from specchat.chat.knowledge.index import Index, Vectors, passage_vectors
from specchat.chat.knowledge.judge import WITH_VECTORS, Calibration, chances, judged
from specchat.chat.knowledge.knowledge import LOOKED_AT
from specchat.chat.knowledge.passage import Found, Passage
from specchat.training.retrieval.shops import Asked, Shop

Group = Literal["answerable", "left out", "stranger", "follow-up", "switched"]
ANSWERABLE: tuple[Group, ...] = ("answerable", "follow-up", "switched")
QUANTILES = (0.02, 0.05, 0.1, 0.15, 0.2)
"""Of the answerable questions, how many may be declined: the points of the curve."""


@dataclass(frozen=True, slots=True)
class Case:
    """One search whose right page is known."""

    group: Group
    kind: str  # of company
    scores: tuple[float, ...]  # of what was looked at, best first
    place: int | None  # of the right page among them, from 0; None: it is not there
    given: int  # passages that the judge would answer from
    right: bool  # the right page is one of them


def measured(shops: Sequence[Shop], vectors: Vectors | None, seed: int = 0) -> list[Case]:
    """Every question of every company, searched in every way."""
    dice = random.Random(seed)
    indexes = [_indexed(shop, vectors) for shop in shops]
    return [
        case
        for place, shop in enumerate(shops)
        for case in _cases(shop, indexes[place], indexes[place - 1], vectors, dice)
    ]


def report(cases: Iterable[Case]) -> dict[str, object]:
    """recall@1 to 3 and MRR of each answerable group, what the judge does, and the curve."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case)
    found: dict[str, object] = {
        group: _recalled(groups[group]) for group in ANSWERABLE if group in groups
    }
    found["judged"] = {group: _judged(each) for group, each in groups.items()}
    if "answerable" in groups:
        found["declined"] = _curve(groups)
    return found


def calibrated(cases: Sequence[Case]) -> Calibration:
    """What makes these cases likeliest. Half of the weight have questions with all pages there; a
    quarter each those whose page is left out and those put to another kind of company."""
    used = [
        case
        for case in cases
        if case.group in ("left out", "stranger")
        or (case.group == "answerable" and case.place is not None)
    ]
    scores = torch.tensor([_padded(case.scores) for case in used], dtype=torch.float64)
    gold = torch.tensor([LOOKED_AT if case.place is None else case.place for case in used])
    counts = Counter(case.group for case in used)
    share = {"answerable": 0.5, "left out": 0.25, "stranger": 0.25}
    weights = torch.tensor([share[case.group] / counts[case.group] for case in used])
    free = torch.tensor([10.0, 5.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([free], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        logits = torch.cat([scores * free[0], free[1].expand(len(used), 1)], 1)
        each = torch.nn.functional.cross_entropy(logits, gold, reduction="none")
        value = (each * weights).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value.item()

    optimizer.step(loss)
    scale, none = free.tolist()
    return Calibration(scale, none / scale)


def _indexed(shop: Shop, vectors: Vectors | None) -> Index:
    passages = [
        Passage(id=page.id, source=shop.kind, title=page.title, text=page.text)
        for page in shop.pages
    ]
    encoded = None if vectors is None else passage_vectors(passages, vectors)
    return Index(passages, encoded)


def _cases(
    shop: Shop, index: Index, other: Index, vectors: Vectors | None, dice: random.Random
) -> Iterator[Case]:
    follow_ups = [asked for asked in shop.asked if asked.earlier]
    asked_of = {asked: queries(asked.question, _exchanges(asked)) for asked in shop.asked}
    known = _encoded([query for each in asked_of.values() for query in each], vectors)
    for asked, split in asked_of.items():
        if asked.earlier:
            yield _case("follow-up", shop.kind, asked.page, _searched(split, index, known))
            continue
        searches = _searched(split, index, known)
        yield _case("answerable", shop.kind, asked.page, searches)
        yield _case("left out", shop.kind, None, _without(searches, asked.page))
        if other is not index:
            yield _case("stranger", shop.kind, None, _searched(split, other, known))
    for asked in dice.sample([each for each in shop.asked if not each.earlier], len(follow_ups)):
        before = dice.choice([each for each in follow_ups if each.page != asked.page] or follow_ups)
        split = queries(asked.question, _exchanges(before))
        known = _encoded(split, vectors)
        yield _case("switched", shop.kind, asked.page, _searched(split, index, known))


_Searches = list[tuple[Query, list[Found]]]
_Known = Mapping[str, NDArray[np.float32]]


def _exchanges(asked: Asked) -> list[Exchange]:
    return [Exchange(question, answer) for question, answer in asked.earlier]


def _encoded(asked: Sequence[Query], vectors: Vectors | None) -> _Known:
    if vectors is None:
        return {}
    own = sorted({query.text for query in asked})
    behind = sorted({text for query in asked for text, _ in query.texts[1:]})
    known = dict(zip(own, vectors.encode_questions(own), strict=True))
    return known | dict(zip(behind, vectors.encode(behind), strict=True))


def _searched(split: Sequence[Query], index: Index, known: _Known) -> _Searches:
    return [
        (query, index.search(query.texts, _rows(query, known), LOOKED_AT + 1)) for query in split
    ]


def _rows(query: Query, known: _Known) -> NDArray[np.float32] | None:
    return np.stack([known[text] for text, _ in query.texts]) if known else None


def _without(searches: _Searches, page: str) -> _Searches:
    return [
        (query, [each for each in found if each.passage.id != page]) for query, found in searches
    ]


def _case(group: Group, kind: str, page: str | None, searches: _Searches) -> Case:
    """`page` is the right one; None where no page answers."""
    shown = [(query, found[:LOOKED_AT]) for query, found in searches]
    vectors = any(each.similarity for _, found in shown for each in found)
    judgement = judged(shown, vectors=vectors)
    first = shown[0][1]
    ids = [each.passage.id for each in first]
    return Case(
        group=group,
        kind=kind,
        scores=tuple(each.score for each in first),
        place=ids.index(page) if page in ids else None,
        given=len(judgement.passages),
        right=page in {each.id for each in judgement.passages},
    )


def _recalled(cases: Sequence[Case]) -> dict[str, float]:
    places = np.array([LOOKED_AT if case.place is None else case.place for case in cases])
    ranks = np.array([0.0 if case.place is None else 1 / (1 + case.place) for case in cases])
    found = {f"recall@{most}": round(float((places < most).mean()), 3) for most in (1, 2, 3)}
    return {"questions": len(cases), **found, "mrr": round(float(ranks.mean()), 3)}


def _judged(cases: Sequence[Case]) -> dict[str, float]:
    return {
        "declined": round(sum(not case.given for case in cases) / len(cases), 3),
        "right page given": round(sum(case.right for case in cases) / len(cases), 3),
        "passages given": round(sum(case.given for case in cases) / len(cases), 2),
    }


def _curve(groups: Mapping[str, Sequence[Case]]) -> list[dict[str, float]]:
    """At each share of answerable questions declined: the chance, and how many others are."""
    chance = {group: np.array([_chance(case) for case in cases]) for group, cases in groups.items()}
    found: list[dict[str, float]] = []
    for share in QUANTILES:
        level = float(np.quantile(chance["answerable"], share))
        others: dict[str, float] = {
            group: round(float((chance[group] < level).mean()), 3)
            for group in ("left out", "stranger")
            if group in chance
        }
        found.append({"of answerable": share, "chance": round(level, 3)} | others)
    return found


def _chance(case: Case) -> float:
    """That one of the two best passages answers."""
    found = [Found(Passage("", "", "", ""), score, 0.0, 0.0) for score in case.scores]
    return sum(each.chance for each in chances(found, WITH_VECTORS)[:2])


def _padded(scores: Sequence[float]) -> list[float]:
    return [*scores, *[-99.0] * (LOOKED_AT - len(scores))]
