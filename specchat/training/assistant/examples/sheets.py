"""Examples without end: what the assistant is given, what a customer asks, what it answers.

Examples come in sheets: several questions about the same pages. A sheet is learned in one pass, its
pages read once, and the same page with different questions teaches to look for what was asked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from specchat.chat.company.orders import OrderLookup, facts
from specchat.training.assistant.examples.business import Split, draw_business, kinds_of
from specchat.training.assistant.examples.companies import Ask
from specchat.training.assistant.examples.customers import as_typed
from specchat.training.assistant.examples.desk import Desk, World, quoted
from specchat.training.assistant.examples.example import Example, Given, Sheet
from specchat.training.assistant.examples.layout import WrittenPage, write_page
from specchat.training.assistant.examples.talk import UNKNOWN, two_questions

MOST_QUESTIONS = 8  # of a page sheet
SECOND_SHARE = 0.35  # of what the second page answers: retrieval puts the right one first


def draw_sheets(world: World, split: Split, seed: int) -> Iterator[Sheet]:
    """Sheets without end, the same for the same seed.

    Raises `ValueError` when no kind of company belongs to the split.
    """
    kinds = kinds_of(world.companies, split)
    if not kinds:
        raise ValueError(f"none of the {len(world.companies)} kinds of companies is {split!r}")
    rng = random.Random(f"{split} {seed}")
    makers, weights = zip(*_MAKERS, strict=True)
    while True:
        make = rng.choices(makers, weights)[0]
        sheet = make(Desk(draw_business(kinds, split, rng), world, split, rng))
        if sheet:
            yield sheet


def _page_sheet(desk: Desk) -> Sheet:
    """One or two pages, and what they answer."""
    pages = desk.pages()
    given = desk.given(pages)
    pairs = [
        (page, ask)
        for page, ask in _answered(pages)
        if page is pages[0] or desk.rng.random() < SECOND_SHARE
    ]
    desk.rng.shuffle(pairs)
    says = quoted(pages)
    commanded = any(
        command in page.text for page in pages for command in desk.world.talk.page_commands
    )
    sheet: list[Example] = []
    while pairs and len(sheet) < MOST_QUESTIONS:
        chance = desk.rng.random()
        if chance < 0.16 and len(pairs) > 1:
            sheet.append(_both(desk, given, says, pairs.pop(), pairs.pop()))
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
        sheet.append(Example(kind, given, question, lead, says, page.needed(ask)))
    if sheet and desk.rng.random() < 0.08:
        sheet.append(_small_talk(desk, given))
    return tuple(sheet)


def _follow_sheet(desk: Desk) -> Sheet:
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
    before = Example("page", desk.given([written]), "", desk.lead(first), quoted([written]))
    pages = desk.with_second(written)
    says = quoted(pages)
    history = (*desk.older(), (desk.asked(page, first), before.answer))
    given = desk.given(pages, history=history)
    asks = [ask for ask in page.follows if ask.after in first.needs and written.holds(ask)]
    sheet = [
        Example(
            "follow-up",
            given,
            desk.asked(page, ask, given),
            desk.lead(ask),
            says,
            written.needed(ask),
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
        needs = found.needed(ask)
        sheet.append(Example("new subject", given, question, desk.lead(ask), says, needs))
    return tuple(sheet)


def _talk_sheet(desk: Desk) -> Sheet:
    """No page: small talk, persons, other topics, and what is not known."""
    history = (*desk.older(), desk.earlier()) if desk.rng.random() < 0.4 else ()
    given = desk.given(history=history)
    sheet: list[Example] = []
    for _ in range(desk.rng.randint(4, 7)):
        sheet.append(_unknown(desk, given) if desk.rng.random() < 0.5 else _small_talk(desk, given))
    return tuple(sheet)


def _order_sheet(desk: Desk) -> Sheet:
    """Order records, alone or with a page."""
    rng, talk = desk.rng, desk.world.orders
    lookups = [talk.lookup(rng) for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))]
    pages = desk.pages()[:1] if rng.random() < 0.35 else []
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


_MAKERS: tuple[tuple[Callable[[Desk], Sheet], float], ...] = (
    (_page_sheet, 0.58),
    (_follow_sheet, 0.16),
    (_talk_sheet, 0.13),
    (_order_sheet, 0.13),
)


def _both(
    desk: Desk,
    given: Given,
    says: tuple[str, ...],
    first: tuple[WrittenPage, Ask],
    second: tuple[WrittenPage, Ask],
) -> Example:
    """Two questions in one message."""
    one, other = (desk.asked(page.page, ask, given) for page, ask in (first, second))
    question = two_questions(one, other, desk.rng)
    needs = tuple(dict.fromkeys((*first[0].needed(first[1]), *second[0].needed(second[1]))))
    kind = "two questions" if first[0] is second[0] else "two pages"
    return Example(kind, given, question, desk.lead(first[1]), says, needs)


def _order_and_page(
    desk: Desk, given: Given, lookup: OrderLookup, pages: Sequence[WrittenPage]
) -> list[Example]:
    """An order and a page's matter in one message, and the page's matter alone."""
    pairs = _answered(pages)
    if not pairs:
        return []
    page, ask = desk.rng.choice(pairs)
    asked = desk.asked(page.page, ask, given)
    about = desk.world.orders.ask(lookup, desk.split, desk.rng)
    question = two_questions(about.question, asked, desk.rng)
    says, needs = quoted(pages), page.needed(ask)
    both, both_needed = (*about.says, *says), (*about.says, *needs)
    return [
        Example("order and page", given, question, about.lead, both, both_needed),
        Example("page beside order", given, asked, desk.lead(ask), says, needs),
    ]


def _small_talk(desk: Desk, given: Given) -> Example:
    topic = desk.rng.choice([t for t in desk.world.talk.topics if t.id != UNKNOWN])
    if given.passages:  # found by mistake: what needs no page
        topic = desk.world.talk.topic(desk.rng.choice(("thanks", "greeting", "goodbye", "person")))
    question = as_typed(topic.question(desk.split, desk.rng), desk.rng)
    return Example(topic.id, given, question, topic.answer(given.name, desk.rng), ())


def _unknown(desk: Desk, given: Given) -> Example:
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


def _answered(pages: Sequence[WrittenPage]) -> list[tuple[WrittenPage, Ask]]:
    """What the pages answer, each question once."""
    found = {
        (page.page.id, ask): (page, ask)
        for page in pages
        for ask in page.page.asks
        if page.holds(ask)
    }
    return list(found.values())
