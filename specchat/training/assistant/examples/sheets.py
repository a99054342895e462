"""Examples without end: what the assistant is given, what a customer asks, what it answers.

Examples come in sheets: several questions about the same pages. A sheet is learned in one pass, its
pages read once, and the same page with different questions teaches to look for what was asked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from specchat.chat.answer.instructions import grounded_question, system_text
from specchat.chat.company.orders import OrderLookup, facts
from specchat.chat.slots.message import Message
from specchat.training.assistant.examples.business import Business, Split, draw_business, kinds_of
from specchat.training.assistant.examples.companies import Ask, CompanyKind, Page, read_companies
from specchat.training.assistant.examples.customers import as_typed
from specchat.training.assistant.examples.layout import (
    WrittenPage,
    joined_pages,
    with_line,
    write_page,
)
from specchat.training.assistant.examples.order_talk import OrderTalk, read_order_talk
from specchat.training.assistant.examples.talk import UNKNOWN, Talk, read_talk, two_questions

TWO_PAGES_SHARE = 0.55  # of page sheets: with a second page
LONG_SHARE = 0.12  # of page sheets: two pages of the company written as one
RELATED_SHARE = 0.5  # of second pages: that with the most words in common
COMMANDED_SHARE = 0.06  # of page sheets: a page tries to give orders
MOST_QUESTIONS = 8  # of a page sheet
DRAWS = 4  # of a question, before one is taken that stands on the page


@dataclass(frozen=True)
class Given:
    """What stands before the question."""

    name: str  # of the company
    description: str
    passages: tuple[tuple[str, str], ...] = ()  # title, text
    orders: tuple[str, ...] = ()
    history: tuple[tuple[str, str], ...] = ()  # earlier questions and their answers


@dataclass(frozen=True)
class Example:
    """One question with the answer to learn."""

    kind: str  # of question, for reports
    given: Given
    question: str
    lead: str
    says: tuple[str, ...]  # the sentences of the answer, as they stand in what was given

    @property
    def answer(self) -> str:
        """The answer in one piece."""
        return " ".join(filter(None, (self.lead, *self.says)))

    @property
    def grounded(self) -> bool:
        """Whether something was found that answers."""
        return bool(self.given.passages or self.given.orders)

    def messages(self) -> list[Message]:
        """The conversation up to the question, as the chat builds it."""
        given = self.given
        system = Message.of("system", system_text(given.name, given.description))
        earlier = [
            message
            for question, answer in given.history
            for message in (Message.of("user", question), Message.of("assistant", answer))
        ]
        asked = grounded_question(self.question, given.passages, given.orders)
        return [system, *earlier, Message.of("user", asked)]


Sheet = tuple[Example, ...]
"""Examples that share what is given."""


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

    def sheets(self, split: Split, seed: int) -> Iterator[Sheet]:
        """Sheets without end, the same for the same seed.

        Raises `ValueError` when no kind of company belongs to the split.
        """
        kinds = kinds_of(self.companies, split)
        if not kinds:
            raise ValueError(f"none of the {len(self.companies)} kinds of companies is {split!r}")
        rng = random.Random(f"{split} {seed}")
        makers, weights = zip(*_MAKERS, strict=True)
        while True:
            make = rng.choices(makers, weights)[0]
            sheet = make(_Desk(draw_business(kinds, split, rng), self, split, rng))
            if sheet:
                yield sheet


@dataclass(frozen=True)
class _Desk:
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
        passages = tuple((page.title, page.text) for page in pages)
        business = self.business
        return Given(business.name, business.description, passages, tuple(orders), tuple(history))

    def asked(self, page: Page, ask: Ask, given: Given | None = None) -> str:
        """What a customer types; where it can be, not a question that stands on a page."""
        shown = [text for _, text in given.passages] if given else []
        for _ in range(DRAWS):
            question = self.business.question(page, ask, self.rng)
            if not any(question in text for text in shown):
                break
        return as_typed(question, self.rng)

    def lead(self, ask: Ask) -> str:
        return self.business.filled(self.rng.choice(ask.leads))

    def second(self, first: Page) -> Page | None:
        """Another page of the company: a close one, or any."""
        others = [page for page in self.business.kind.pages if page.id != first.id]
        if not others:
            return None
        if self.rng.random() > RELATED_SHARE:
            return self.rng.choice(others)
        few = self.rng.sample(others, min(4, len(others)))
        return max(few, key=lambda page: len(_words(page) & _words(first)))


def _page_sheet(desk: _Desk) -> Sheet:
    """One or two pages, and what they answer."""
    pages = _pages(desk)
    given = desk.given(pages)
    pairs = [(page, ask) for page in pages for ask in page.page.asks if page.holds(ask)]
    desk.rng.shuffle(pairs)
    commanded = any(command in page.text for page in pages for command in _commands(desk))
    sheet: list[Example] = []
    while pairs and len(sheet) < MOST_QUESTIONS:
        chance = desk.rng.random()
        if chance < 0.16 and len(pairs) > 1:
            sheet.append(_both(desk, given, pairs.pop(), pairs.pop()))
            continue
        page, ask = pairs.pop()
        question, lead = desk.asked(page.page, ask, given), desk.lead(ask)
        kind = "page" if len(pages) == 1 else "page of two"
        if chance < 0.24:
            kind, lead = "complaint", desk.rng.choice(desk.world.talk.sympathy)
            question = desk.world.talk.complaint(question, desk.split, desk.rng)
        elif chance < 0.29:
            kind = "injection"
            question = desk.world.talk.injected(question, desk.split, desk.rng)
        elif commanded:
            kind = "injection"
        sheet.append(Example(kind, given, question, lead, page.quote(ask)))
    if sheet and desk.rng.random() < 0.08:
        sheet.append(_small_talk(desk, given))
    return tuple(sheet)


def _follow_sheet(desk: _Desk) -> Sheet:
    """What is asked after an answer: on the same subject, or on another."""
    starts = [page for page in desk.business.kind.pages if page.follows]
    if not starts:
        return ()
    page = desk.rng.choice(starts)
    follow = desk.rng.choice(page.follows)
    firsts = [ask for ask in page.asks if follow.after in ask.needs]
    if not firsts:
        return ()
    first = desk.rng.choice(firsts)
    written = write_page(desk.business, page, desk.rng, (*first.needs, *follow.needs))
    answer = " ".join(filter(None, (desk.lead(first), *written.quote(first))))
    pages = _with_second(desk, written)
    given = desk.given(pages, history=((desk.asked(page, first), answer),))
    asks = [ask for ask in page.follows if ask.after in first.needs and written.holds(ask)]
    sheet = [
        Example(
            "follow-up", given, desk.asked(page, ask, given), desk.lead(ask), written.quote(ask)
        )
        for ask in desk.rng.sample(asks, min(3, len(asks)))
    ]
    others = [
        (found, ask)
        for found in pages
        for ask in found.page.asks
        if found.holds(ask) and ask is not first
    ]
    for found, ask in desk.rng.sample(others, min(2, len(others))):
        question = desk.asked(found.page, ask, given)
        sheet.append(Example("new subject", given, question, desk.lead(ask), found.quote(ask)))
    return tuple(sheet)


def _talk_sheet(desk: _Desk) -> Sheet:
    """No page: small talk, persons, other topics, and what is not known."""
    history = (_earlier(desk),) if desk.rng.random() < 0.4 else ()
    given = desk.given(history=history)
    sheet: list[Example] = []
    for _ in range(desk.rng.randint(4, 7)):
        sheet.append(_unknown(desk, given) if desk.rng.random() < 0.5 else _small_talk(desk, given))
    return tuple(sheet)


def _order_sheet(desk: _Desk) -> Sheet:
    """Order records, alone or with a page."""
    rng, talk = desk.rng, desk.world.orders
    lookups = [talk.lookup(rng) for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))]
    pages = _pages(desk)[:1] if rng.random() < 0.35 else []
    history: tuple[tuple[str, str], ...] = ()
    if len(lookups) == 1 and lookups[0].order and rng.random() < 0.3:
        before = talk.ask(lookups[0], desk.split, rng)
        history = ((before.question, before.answer),)
    given = desk.given(pages, [facts(lookup) for lookup in lookups], history)
    ask = talk.ask_on if history else talk.ask
    sheet: list[Example] = []
    for _ in range(rng.randint(2, 4)):
        lookup = rng.choice(lookups)
        asked = ask(lookup, desk.split, rng)
        kind = "order" if lookup.order else "no such order"
        sheet.append(Example(kind, given, as_typed(asked.question, rng), asked.lead, asked.says))
    if len(lookups) > 1:
        asked = talk.ask_about_all(lookups, desk.split, rng)
        sheet.append(Example("orders", given, asked.question, asked.lead, asked.says))
    return (*sheet, *_order_and_page(desk, given, lookups[0], pages))


_MAKERS: tuple[tuple[Callable[[_Desk], Sheet], float], ...] = (
    (_page_sheet, 0.58),
    (_follow_sheet, 0.16),
    (_talk_sheet, 0.13),
    (_order_sheet, 0.13),
)


def _pages(desk: _Desk) -> list[WrittenPage]:
    page = desk.rng.choice(desk.business.kind.pages)
    written = write_page(desk.business, page, desk.rng)
    other = desk.second(page)
    if other and desk.rng.random() < LONG_SHARE:
        return [joined_pages(written, write_page(desk.business, other, desk.rng))]
    pages = _with_second(desk, written)
    if desk.rng.random() < COMMANDED_SHARE:
        at = desk.rng.randrange(len(pages))
        pages[at] = with_line(pages[at], desk.rng.choice(_commands(desk)), desk.rng)
    return pages


def _with_second(desk: _Desk, written: WrittenPage) -> list[WrittenPage]:
    """The page alone, or with another of the company before or after it."""
    other = desk.second(written.page) if desk.rng.random() < TWO_PAGES_SHARE else None
    if other is None:
        return [written]
    pages = [written, write_page(desk.business, other, desk.rng)]
    desk.rng.shuffle(pages)
    return pages


def _both(
    desk: _Desk, given: Given, first: tuple[WrittenPage, Ask], second: tuple[WrittenPage, Ask]
) -> Example:
    """Two questions in one message, answered one after the other."""
    one, other = (desk.asked(page.page, ask, given) for page, ask in (first, second))
    question = two_questions(one, other, desk.rng)
    quotes = first[0].quote(first[1]) + second[0].quote(second[1])
    says = tuple(dict.fromkeys(quotes))
    kind = "two questions" if first[0] is second[0] else "two pages"
    return Example(kind, given, question, desk.lead(first[1]), says)


def _order_and_page(
    desk: _Desk, given: Given, lookup: OrderLookup, pages: Sequence[WrittenPage]
) -> list[Example]:
    """An order and a page's matter in one message, and the page's matter alone."""
    pairs = [(page, ask) for page in pages for ask in page.page.asks if page.holds(ask)]
    if not pairs:
        return []
    page, ask = desk.rng.choice(pairs)
    asked = desk.asked(page.page, ask, given)
    about = desk.world.orders.ask(lookup, desk.split, desk.rng)
    question = two_questions(about.question, asked, desk.rng)
    says = (*about.says, *page.quote(ask))
    return [
        Example("order and page", given, question, about.lead, says),
        Example("page beside order", given, asked, desk.lead(ask), page.quote(ask)),
    ]


def _small_talk(desk: _Desk, given: Given) -> Example:
    topic = desk.rng.choice([t for t in desk.world.talk.topics if t.id != UNKNOWN])
    if given.passages:  # found by mistake: what needs no page
        topic = desk.world.talk.topic(desk.rng.choice(("thanks", "greeting", "goodbye", "person")))
    question = as_typed(topic.question(desk.split, desk.rng), desk.rng)
    return Example(topic.id, given, question, topic.answer(given.name, desk.rng), ())


def _unknown(desk: _Desk, given: Given) -> Example:
    """A question of this or another company's customers, for which no page was found."""
    topic = desk.world.talk.topic(UNKNOWN)
    if desk.rng.random() < 0.25:
        question = topic.question(desk.split, desk.rng)
    else:
        kinds = kinds_of(desk.world.companies, desk.split)
        other = draw_business(kinds, desk.split, desk.rng)
        page = desk.rng.choice(other.kind.pages)
        question = other.question(page, desk.rng.choice(page.asks), desk.rng)
    return Example(
        UNKNOWN, given, as_typed(question, desk.rng), topic.answer(given.name, desk.rng), ()
    )


def _earlier(desk: _Desk) -> tuple[str, str]:
    """An earlier question with its answer."""
    page = desk.rng.choice(desk.business.kind.pages)
    ask = desk.rng.choice(page.asks)
    written = write_page(desk.business, page, desk.rng, ask.needs)
    answer = " ".join(filter(None, (desk.lead(ask), *written.quote(ask))))
    return desk.asked(page, ask), answer


def _commands(desk: _Desk) -> tuple[str, ...]:
    return desk.world.talk.page_commands


def _words(page: Page) -> set[str]:
    text = " ".join((page.titles[0], *(wordings[0] for wordings in page.say.values())))
    return {word for word in text.lower().split() if len(word) > 4}
