"""Made-up companies with questions whose page is known: read, and written out once by chance."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FACT = re.compile(r"\{(\w+)\}")
MOST_SENTENCES = 9


@dataclass(frozen=True, slots=True)
class Page:
    """One help page of a made-up company."""

    id: str
    title: str
    sentences: dict[str, str]  # by the key that questions name

    @property
    def text(self) -> str:
        """All sentences."""
        return " ".join(self.sentences.values())


@dataclass(frozen=True, slots=True)
class Asked:
    """One question whose page is known."""

    question: str
    page: str  # its id
    earlier: tuple[tuple[str, str], ...] = ()  # (question, answer), the oldest first


@dataclass(frozen=True, slots=True)
class Shop:
    """A company, written out."""

    kind: str
    name: str
    pages: tuple[Page, ...]
    asked: tuple[Asked, ...] = field(repr=False)


def shops(folders: Sequence[Path], seed: int) -> list[Shop]:
    """Every company of the TOML files in `folders`, with names, facts and wordings by `seed`."""
    files = sorted(file for folder in folders for file in folder.glob("*.toml"))
    return [written(tomllib.loads(file.read_text(encoding="utf-8")), seed) for file in files]


def written(data: dict[str, Any], seed: int) -> Shop:
    """One company with one name, one value of each fact and one wording of each sentence."""
    dice = random.Random(f"{seed} {data['kind']}")
    name = dice.choice(data["names"])
    facts = {"name": name, **{key: dice.choice(values) for key, values in data["facts"].items()}}
    pages = tuple(_page(page, facts, dice) for page in data["page"])
    asked = [
        one
        for page, plan in zip(pages, data["page"], strict=True)
        for one in _asked(page, plan, facts, dice)
    ]
    return Shop(kind=data["kind"], name=name, pages=pages, asked=tuple(asked))


def _page(plan: dict[str, Any], facts: dict[str, str], dice: random.Random) -> Page:
    """Sentences in their order, mostly in one style; what is over `MOST_SENTENCES` is left out."""
    style = dice.randrange(3)
    sentences = {}
    for key, ways in list(plan["say"].items())[:MOST_SENTENCES]:
        way = ways[style % len(ways)] if dice.random() < 0.8 else dice.choice(ways)
        sentences[key] = _filled(way, facts)
    return Page(plan["id"], _filled(dice.choice(plan["titles"]), facts), sentences)


def _asked(
    page: Page, plan: dict[str, Any], facts: dict[str, str], dice: random.Random
) -> Iterator[Asked]:
    """Questions that a kept sentence answers, and follow-ups behind a question they follow on."""
    first: dict[str, list[str]] = {}
    for ask in plan.get("ask", ()):
        if not all(key in page.sentences for key in ask["needs"]):
            continue
        for question in ask["q"]:
            yield Asked(_filled(question, facts), page.id)
        for key in ask["needs"]:
            first.setdefault(key, []).extend(ask["q"])
    for follow in plan.get("follow", ()):
        after = follow["after"]
        if after not in first or not all(key in page.sentences for key in follow["needs"]):
            continue
        for question in follow["q"]:
            before = (_filled(dice.choice(first[after]), facts), page.sentences[after])
            yield Asked(_filled(question, facts), page.id, (before,))


def _filled(text: str, facts: dict[str, str]) -> str:
    return _FACT.sub(lambda match: facts.get(match[1], match[0]), text)
