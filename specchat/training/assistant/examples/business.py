"""One company drawn from its kind: a name, a description, and its own facts.

What training never sees, so that evaluation can ask it: whole kinds of companies
(`HELD_OUT_KINDS`), one wording of every sentence, and one wording of every question.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from specchat.training.assistant.examples.companies import Ask, CompanyKind, Page

Split = Literal["train", "seen", "unseen"]
"""`train`; `seen`: kinds that training has, in the wordings it has not; `unseen`: other kinds."""

HELD_OUT_KINDS = frozenset({"dental_clinic", "railway", "streaming_service"})
VARIED_SHARE = 0.5  # of facts with one plain number: that number is drawn anew

_SLOT = re.compile(r"\{(\w+)\}")
_ONE_NUMBER = re.compile(r"[^\d:]*?[1-9]\d{0,3}(?:[.,]\d\d?)?(?: ?%|[^\d:%]{3,}|)")


def kinds_of(kinds: Sequence[CompanyKind], split: Split) -> list[CompanyKind]:
    """The kinds of companies that belong to a split."""
    return [kind for kind in kinds if (kind.id in HELD_OUT_KINDS) == (split == "unseen")]


@dataclass(frozen=True)
class Business:
    """One company, and which wordings may be used of it."""

    kind: CompanyKind
    name: str
    description: str
    facts: Mapping[str, str]
    split: Split

    def filled(self, text: str) -> str:
        """A text of the kind with this company's name and facts in it."""
        return _SLOT.sub(lambda slot: self.facts[slot.group(1)], text)

    def sentence(self, page: Page, key: str, style: int) -> str:
        """A sentence of a page; `style` chooses among the wordings that the split may use."""
        wordings = page.say[key]
        usable = allowed(wordings, f"{self.kind.id}/{page.id}/{key}", self.split)
        return self.filled(usable[style % len(usable)])

    def question(self, page: Page, ask: Ask, rng: random.Random) -> str:
        """One of the ways in which customers ask this, of those the split may use."""
        name = f"{self.kind.id}/{page.id}/{ask.after}>{'+'.join(ask.needs)}"
        return self.filled(rng.choice(allowed(ask.questions, name, self.split)))


def draw_business(kinds: Sequence[CompanyKind], split: Split, rng: random.Random) -> Business:
    """A company of one of the kinds."""
    kind = rng.choice(kinds)
    name = rng.choice(kind.names)
    facts = {fact: varied(rng.choice(values), rng) for fact, values in kind.facts.items()}
    facts["name"] = name
    description = rng.choice(kind.descriptions).replace("{name}", name)
    description = _SLOT.sub(lambda slot: facts.get(slot.group(1), ""), description)
    return Business(kind, name, description, facts, split)


def varied(value: str, rng: random.Random) -> str:
    """A fact with one plain number, such as "14 days" or "€2.99", often with another number, so
    that numbers are read and not remembered. Times, phone numbers and names stay."""
    if not _ONE_NUMBER.fullmatch(value) or _is_time(value) or rng.random() > VARIED_SHARE:
        return value
    digits = iter(rng.randint(1 if first else 0, 9) for first in _firsts(value))
    return re.sub(r"\d", lambda _: str(next(digits)), value)


def allowed(values: Sequence[str], name: str, split: Split) -> Sequence[str]:
    """The texts that a split may use of the variants that are known as `name`."""
    if split == "unseen" or len(values) < 2:
        return values
    kept = zlib.crc32(name.encode()) % len(values)
    return [value for i, value in enumerate(values) if (i == kept) == (split == "seen")]


def _is_time(value: str) -> bool:
    return bool(re.search(r"\b[ap]\.?m\b|:|o'clock|noon", value))


def _firsts(value: str) -> list[bool]:
    """Of each digit: whether it opens a number, where no 0 may stand."""
    return [not value[: found.start()][-1:].isdigit() for found in re.finditer(r"\d", value)]
