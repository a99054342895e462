"""Customers type carelessly, but numbers, names and addresses stay."""

from __future__ import annotations

import random
import re

from specchat.training.assistant.examples.customers import as_typed

QUESTION = "Is it true that order WEB4417 costs £12.50 at Leaf & Co? My mail is a@b.example"


def test_numbers_and_addresses_stay() -> None:
    for seed in range(100):
        typed = as_typed(QUESTION, random.Random(seed))
        assert "WEB4417" in typed
        assert "£12.50" in typed
        assert "a@b.example" in typed


def test_many_questions_change_and_many_do_not() -> None:
    typed = [as_typed(QUESTION, random.Random(seed)) for seed in range(200)]
    same = sum(text == QUESTION for text in typed)
    assert 50 < same < 150
    assert len(set(typed)) > 50


def test_typing_is_the_same_for_the_same_seed() -> None:
    assert as_typed(QUESTION, random.Random(4)) == as_typed(QUESTION, random.Random(4))


def test_words_stay_recognisable() -> None:
    for seed in range(50):
        typed = as_typed("please return everything quickly", random.Random(seed))
        assert len(re.findall(r"\w+", typed)) >= 4
