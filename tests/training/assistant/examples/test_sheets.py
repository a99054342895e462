"""Examples: the same for the same seed, answers that stand in what is given, parts held out."""

from __future__ import annotations

import itertools
import random
import re

import pytest

from specchat.evidence.declines import declines
from specchat.training.assistant.examples.business import (
    Split,
    allowed,
    draw_business,
    kinds_of,
    varied,
)
from specchat.training.assistant.examples.desk import JUDGES, World
from specchat.training.assistant.examples.example import Example
from specchat.training.assistant.examples.sheets import draw_sheets


def drawn(world: World, split: Split = "train", sheets: int = 150, seed: int = 1) -> list[Example]:
    return [
        example
        for sheet in itertools.islice(draw_sheets(world, split, seed), sheets)
        for example in sheet
    ]


def test_the_same_seed_gives_the_same_examples(world: World) -> None:
    assert drawn(world, sheets=30) == drawn(world, sheets=30)
    assert drawn(world, sheets=30) != drawn(world, sheets=30, seed=2)


def test_a_sheet_shares_what_is_given(world: World) -> None:
    for sheet in itertools.islice(draw_sheets(world, "train", 3), 50):
        assert len({example.given for example in sheet}) == 1


def test_answers_quote_the_pages_word_for_word(world: World) -> None:
    quoting = {"page", "page of two", "two questions", "two pages", "follow-up", "complaint"}
    for example in drawn(world):
        if example.kind in quoting:
            pages = "\n\n".join(text for _, text in example.given.passages)
            assert example.says
            assert all(said in pages for text in example.says for said in text.split("\n\n"))
            answer = " ".join(example.answer.split())
            assert all(sentence in answer for sentence in example.needed)
            assert not JUDGES.search(example.lead) or example.kind == "complaint"


def test_it_declines_only_where_nothing_is_given(world: World) -> None:
    examples = drawn(world)
    unknown = [example for example in examples if example.kind == "unknown"]
    assert unknown
    assert all(not example.grounded and declines(example.answer) for example in unknown)
    assert not any(declines(example.answer) for example in examples if example.given.passages)


def test_every_kind_occurs(world: World) -> None:
    kinds = {example.kind for example in drawn(world, sheets=400)}
    assert kinds >= {
        "page", "page of two", "two questions", "follow-up", "new subject", "complaint",
        "injection", "unknown", "person", "thanks", "order", "orders", "no such order",
        "order and page",
    }  # fmt: skip


def test_follow_ups_stand_behind_the_turn_they_lean_on(world: World) -> None:
    followed = [example for example in drawn(world) if example.kind == "follow-up"]
    assert followed
    assert all(example.given.history for example in followed)


def test_order_answers_say_what_the_record_says(world: World) -> None:
    for example in drawn(world):
        if example.kind == "order":
            days = re.findall(r"[A-Z]\w+day, \d+ \w+", example.answer)
            assert all(day in "\n".join(example.given.orders) for day in days)


def test_no_fact_is_left_open(world: World) -> None:
    for example in drawn(world):
        texts = [example.question, example.answer, *(text for _, text in example.given.passages)]
        assert not any(re.search(r"\{\w+\}", text) for text in texts)


def test_held_out_kinds_are_not_trained_on(world: World) -> None:
    assert [kind.id for kind in kinds_of(world.companies, "train")] == ["tea_shop"]
    assert [kind.id for kind in kinds_of(world.companies, "seen")] == ["tea_shop"]
    assert [kind.id for kind in kinds_of(world.companies, "unseen")] == ["railway"]


def test_wordings_are_divided_between_training_and_evaluation() -> None:
    wordings = ("one", "two", "three")
    train, seen = allowed(wordings, "a/b", "train"), allowed(wordings, "a/b", "seen")
    assert len(train) == 2
    assert {*train, *seen} == {*wordings}
    assert allowed(wordings, "a/b", "unseen") == wordings


def test_a_split_without_companies_is_refused(world: World) -> None:
    lone = World(kinds_of(world.companies, "train"), world.talk, world.orders)
    with pytest.raises(ValueError, match="unseen"):
        next(draw_sheets(lone, "unseen", 0))


@pytest.mark.parametrize("value", ["8 am to 8 pm", "+1 555-0117", "18:00", "noon"])
def test_facts_that_are_no_plain_number_stay(value: str) -> None:
    assert all(varied(value, random.Random(seed)) == value for seed in range(20))


def test_plain_numbers_vary_and_keep_their_shape() -> None:
    values = {varied("€2.99", random.Random(seed)) for seed in range(20)}
    assert len(values) > 5
    assert all(re.fullmatch(r"€[1-9]\.\d\d", value) for value in values)


def test_a_company_is_drawn_with_its_facts(world: World) -> None:
    business = draw_business(world.companies[:1], "train", random.Random(0))
    assert business.name in business.description
    assert business.filled("{name}: {mail}") == f"{business.name}: help@leaf.example"
