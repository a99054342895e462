"""Where a sentence ends."""

from __future__ import annotations

import pytest

from specchat.chat.knowledge.sentences import sentences


@pytest.mark.parametrize(
    "text",
    [
        "Delivery costs $4.90 and takes 3.5 days.",
        "Call us until 8 p.m. Monday to Friday.",
        "Write to someone, e.g. Ann.",
        "See www.shop.example/help or help@shop.example.",
        "Rufen Sie z. B. Anna an.",
    ],
)
def test_a_full_stop_inside_ends_nothing(text: str) -> None:
    assert sentences(text) == [text]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is free. Sign in first!", ["It is free.", "Sign in first!"]),
        ("We close at 8 p.m. The desk is open longer.", None),
        ("“Is it free?” Yes. 30 days.", ["“Is it free?”", "Yes.", "30 days."]),
        ("- one\n- two. Three", ["- one", "- two.", "Three"]),
        ("Gut. Über uns.", ["Gut.", "Über uns."]),
    ],
)
def test_sentences_are_told_apart(text: str, found: list[str] | None) -> None:
    assert sentences(text) == (found or ["We close at 8 p.m.", "The desk is open longer."])


def test_nothing_is_no_sentence() -> None:
    assert sentences(" \n ") == []
