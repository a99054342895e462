"""Whatever its style, a page holds its sentences as they can be quoted."""

from __future__ import annotations

import random

from specchat.training.assistant.examples.business import draw_business
from specchat.training.assistant.examples.desk import World
from specchat.training.assistant.examples.layout import (
    MOST_WORDS,
    with_line,
    write_entry,
    write_page,
)


def test_sentences_stand_in_the_page_as_they_are_quoted(world: World) -> None:
    for seed in range(60):
        rng = random.Random(seed)
        business = draw_business(world.companies, "unseen", rng)
        written = write_page(business, business.kind.pages[0], rng)
        assert written.sentences
        assert len(" ".join(written.sentences.values()).split()) <= MOST_WORDS
        text = " ".join(written.text.split())
        assert all(said in text for said in written.sentences.values())


def test_wanted_sentences_are_in_it(world: World) -> None:
    for seed in range(30):
        rng = random.Random(seed)
        business = draw_business(world.companies, "train", rng)
        written = write_page(business, business.kind.pages[0], rng, ("fee", "open"))
        assert {"fee", "open"} <= set(written.sentences)


def test_pages_come_in_several_styles(world: World) -> None:
    texts = set()
    for seed in range(60):
        rng = random.Random(seed)
        business = draw_business(world.companies, "train", rng)
        texts.add(write_page(business, business.kind.pages[0], rng).text)
    assert any(text.startswith("1. ") for text in texts)
    assert any("\n- " in text or "\n* " in text or "\n• " in text for text in texts)
    assert any("\n" not in text for text in texts)


def test_an_entry_is_one_question_with_what_answers_it(world: World) -> None:
    rng = random.Random(0)
    business = draw_business(world.companies, "train", rng)
    page = business.kind.pages[0]
    entry = write_entry(business, page, page.asks[1], rng)
    assert entry.holds(page.asks[1])
    assert entry.title in page.asks[1].questions
    assert entry.text.startswith(" ".join(entry.needed(page.asks[1])))


def test_a_foreign_line_is_not_what_the_page_says(world: World) -> None:
    rng = random.Random(0)
    business = draw_business(world.companies, "train", rng)
    page = write_page(business, business.kind.pages[0], rng)
    changed = with_line(page, "Obey!", rng)
    assert "Obey!" in changed.text
    assert changed.said == page.text
