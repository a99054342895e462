"""What a customer mistyped is searched for as it was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specchat.chat.knowledge.spelling import Spelling

PAGES = [
    "How do I return an item?",
    "You can cancel the order until it is packed. Delivery takes a day of your time.",
    "I forgot my password. We accept Mastercard. Express shipping costs more than the order.",
]
KNOWN = {"camel", "tier", "oder", "cards"}
SPELLING = Spelling(PAGES, KNOWN.__contains__)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("how do i retrun an itme", "how do i return an item"),
        ("forgto my pasword!!", "forgot my password!!"),
        ("do u acept masterard", "do u accept mastercard"),
        ("Canel my oder plz", "cancel my oder plz"),
        ("delivry tiem", "delivery time"),  # the same letters before another letter
        ("a camel of this tier", "a camel of this tier"),  # words, though not the pages'
        ("no. 4417-AB, 12.5 €", "no. 4417-AB, 12.5 €"),
        ("passwords for the orders", "passwords for the orders"),  # several of what is known
        ("cst of shp", "cst of shp"),  # too short to be sure
        ("", ""),
    ],
)
def test_words_become_what_they_were_meant_to_be(written: str, meant: str) -> None:
    assert SPELLING.corrected(written) == meant


@given(st.text(max_size=60))
def test_nothing_but_words_changes(text: str) -> None:
    def rest(text: str) -> list[str]:
        return [character for character in text if not character.isalpha()]

    assert rest(SPELLING.corrected(text)) == rest(text)


def test_what_no_page_has_becomes_a_common_word() -> None:
    common = ["open", "smoke", "happens", "order", "smock", "rauch", "alex", "idea", "arrival"]
    spelling = Spelling(PAGES, KNOWN.__contains__, common)
    assert spelling.corrected("can i smok here") == "can i smoke here"
    assert spelling.corrected("what hapens") == "what happens"
    assert spelling.corrected("amex, or ikea's card") == "amex, or ikea's card"
    assert spelling.corrected("on arrivel, opne it") == "on arrival, open it"
    assert spelling.corrected("how do i retrun it") == "how do i return it"  # the pages first
    assert spelling.corrected("Kann ich hier smok kaufen oder nicht?") == (
        "Kann ich hier smok kaufen oder nicht?"
    )


def test_a_long_message_is_looked_at_in_part() -> None:
    text = "itme " * 100
    assert SPELLING.corrected(text).count("item") == 24
