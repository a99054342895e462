"""Where a sheet of examples is put together: one company, its pages, its customers."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from specchat.training.assistant.examples.business import Business, Split
from specchat.training.assistant.examples.companies import Ask, CompanyKind, Page, read_companies
from specchat.training.assistant.examples.customers import as_typed
from specchat.training.assistant.examples.example import Example, Given
from specchat.training.assistant.examples.layout import (
    WrittenPage,
    with_line,
    write_entry,
    write_page,
)
from specchat.training.assistant.examples.order_talk import OrderTalk, read_order_talk
from specchat.training.assistant.examples.talk import Talk, read_talk

TWO_PAGES_SHARE = 0.4  # of page sheets: with a second page
RELATED_SHARE = 0.5  # of second pages: that with the most words in common
ENTRY_SHARE = 0.18  # of page sheets: single questions and answers instead of pages
COMMANDED_SHARE = 0.06  # of page sheets: a page tries to give orders
OLDER_SHARE = 0.25  # of conversations with an earlier turn: with one more before it
JUDGES = re.compile(
    r"\b(?:yes|no|not|nope|sure|certainly|course|afraid|unfortunately|can(?:not)?|sorry|do|does)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)
"""A lead that says yes or no. So small a model says either without having understood: the page's
own words are to say it."""
DRAWS = 4  # of a question, before one is taken that stands on the page


@dataclass(frozen=True)
class World:
    """What examples are made of."""

    companies: Sequence[CompanyKind]
    talk: Talk
    orders: OrderTalk

    @classmethod
    def read(cls, folder: Path) -> World:
        """From assets/training. Raises as the readers of its three parts do."""
        return cls(
            read_companies(folder / "companies"),
            read_talk(folder / "talk.toml"),
            read_order_talk(folder / "orders.toml"),
        )


@dataclass(frozen=True)
class Desk:
    """One sheet in the making."""

    business: Business
    world: World
    split: Split
    rng: random.Random

    def given(
        self,
        pages: Sequence[WrittenPage] = (),
        orders: Sequence[str] = (),
        history: Sequence[tuple[str, str]] = (),
    ) -> Given:
        """What stands before the questions of the sheet."""
        passages = tuple((page.title, page.text) for page in pages)
        business = self.business
        return Given(business.name, business.description, passages, tuple(orders), tuple(history))

    def asked(self, page: Page, ask: Ask, given: Given | None = None) -> str:
        """What a customer types; where it can be, not a question that stands on a page."""
        shown = [text for passage in given.passages for text in passage] if given else []
        for _ in range(DRAWS):
            question = self.business.question(page, ask, self.rng)
            if not any(question in text for text in shown):
                break
        return as_typed(question, self.rng)

    def lead(self, ask: Ask) -> str:
        """What may stand before the answer; often nothing."""
        lead = self.business.filled(self.rng.choice(ask.leads))
        return "" if JUDGES.search(lead) else lead

    def second(self, first: Page) -> Page | None:
        """Another page of the company: a close one, or any."""
        others = [page for page in self.business.kind.pages if page.id != first.id]
        if not others:
            return None
        if self.rng.random() > RELATED_SHARE:
            return self.rng.choice(others)
        few = self.rng.sample(others, min(4, len(others)))
        return max(few, key=lambda page: len(_words(page) & _words(first)))

    def pages(self) -> list[WrittenPage]:
        """What retrieval could have found: a page or two, a long one, or entries of questions."""
        page = self.rng.choice(self.business.kind.pages)
        if self.rng.random() < ENTRY_SHARE:
            asks = self.rng.sample(page.asks, min(len(page.asks), self.rng.choice((1, 1, 2))))
            return [write_entry(self.business, page, ask, self.rng) for ask in asks]
        written = write_page(self.business, page, self.rng)
        pages = self.with_second(written)
        if self.rng.random() < COMMANDED_SHARE:
            at = self.rng.randrange(len(pages))
            pages[at] = with_line(
                pages[at], self.rng.choice(self.world.talk.page_commands), self.rng
            )
        return pages

    def with_second(self, written: WrittenPage) -> list[WrittenPage]:
        """The page alone, or with another of the company before or after it."""
        other = self.second(written.page) if self.rng.random() < TWO_PAGES_SHARE else None
        if other is None:
            return [written]
        pages = [written, write_page(self.business, other, self.rng)]
        self.rng.shuffle(pages)
        return pages

    def earlier(self) -> tuple[str, str]:
        """An earlier question with its answer."""
        page = self.rng.choice(self.business.kind.pages)
        ask = self.rng.choice(page.asks)
        written = write_page(self.business, page, self.rng, ask.needs)
        answer = Example(
            "page", self.given([written]), "", self.lead(ask), quoted([written])
        ).answer
        return self.asked(page, ask), answer

    def older(self) -> tuple[tuple[str, str], ...]:
        """Sometimes, a turn before the earlier one."""
        return (self.earlier(),) if self.rng.random() < OLDER_SHARE else ()


def quoted(pages: Sequence[WrittenPage]) -> tuple[str, ...]:
    """What an answer from these pages says: all of them, for they were chosen for it."""
    return ("\n\n".join(page.said for page in pages),)


def _words(page: Page) -> set[str]:
    text = " ".join((page.titles[0], *(wordings[0] for wordings in page.say.values())))
    return {word for word in text.lower().split() if len(word) > 4}
