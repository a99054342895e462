"""Slots: canonical spellings, UI labels as words, unknown slots refused."""

import re

import pytest

from specchat.chat.slots.vocabulary import (
    BITEXT_SLOTS,
    SLOT_TOKENS,
    SLOTS,
    canonical_text,
    slot_token,
)


def test_every_bitext_spelling_maps_to_a_slot_that_exists() -> None:
    assert set(BITEXT_SLOTS.values()) <= set(SLOTS)


def test_slot_names_are_snake_case_and_have_a_meaning() -> None:
    assert all(re.fullmatch(r"[a-z_]+", name) and meaning for name, meaning in SLOTS.items())


def test_slot_token_refuses_an_unknown_name() -> None:
    with pytest.raises(KeyError, match="no slot is named 'shoe_size'"):
        slot_token("shoe_size")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("order {{Order Number}}", "order {{order_number}}"),
        ("order {{order number}}", "order {{order_number}}"),
        ("{{order_number}}", "{{order_number}}"),
        ("from {{Salutation}} {{Client Last Name}}.", "from {{person_name}}."),
        ("Mr. {{Client Last Name}}", "{{person_name}}"),
        ("tap '{{Forgot Password}}'", "tap 'Forgot Password'"),
        ("{{Currency Symbol}}{{Refund Amount}}", "{{currency}}{{refund_amount}}"),
    ],
)
def test_spellings_become_canonical(text: str, expected: str) -> None:
    assert canonical_text(text) == expected


def test_two_labels_joined_by_or_differ() -> None:
    label = "{{Online Order Interaction}}"
    text = canonical_text(f"navigate to the '{label}' or '{label}' section")
    assert text is not None
    first, second = re.findall(r"'([^']+)'", text)
    assert first != second


def test_the_button_that_cancels_says_so() -> None:
    text = canonical_text(
        "Initiate the cancellation: look for the option labeled '{{Online Order Interaction}}'"
    )
    assert text is not None
    assert "Cancel" in text.split("labeled")[1]


@pytest.mark.parametrize("text", ["{{Explanation of Feature 1}}", "{{Upgrade to {{Account Type}}"])
def test_a_slot_without_meaning_here_refuses_the_text(text: str) -> None:
    assert canonical_text(text) is None


def test_tokens_are_one_per_slot() -> None:
    assert len(set(SLOT_TOKENS)) == len(SLOTS)
