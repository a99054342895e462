"""The check: what supports a specific, and what an answer should not say."""

from __future__ import annotations

import pytest

from specchat.chat.answer.check import (
    check,
    claims_to_be_a_person,
    copies_instruction,
    promises,
)

DELIVERY = (
    "Standard delivery takes 3-5 business days and costs $4.90, free from $1,060. "
    "Orders before 2 p.m. leave the same day. Call +1 503-555-0142, Monday to Saturday, "
    "or write to help@fernhollow.example or www.fernhollow.example/help."
)
ORDER = (
    "Order 4417: on its way. Expected on Wednesday, 4 March. "
    "Carrier: UPS, tracking number 1Z999AA10123456784."
)


@pytest.mark.parametrize(
    "answer",
    [
        "It takes 3 to 5 days and costs 4.90 dollars.",
        "It takes three to five working days.",
        "It is free from 1060 dollars.",
        "Order before 14:00, before 2 pm.",
        "We answer on Fridays at 503-555-0142 or help@fernhollow.example.",
        "See fernhollow.example.",
        "1. Order it.\n2. Wait for it.",
        "One of our colleagues can help you.",
        "If your order has been shipped, it takes 3 days.",
    ],
)
def test_what_a_page_says_may_be_said_in_other_ways(answer: str) -> None:
    assert check(answer, [DELIVERY]).unsupported == ()


@pytest.mark.parametrize(
    ("answer", "unsupported"),
    [
        ("It takes 7 days.", ("7 days",)),
        ("It takes 3 hours.", ("3 hours",)),
        ("It costs €4.90.", ("€4.90",)),
        ("You get 10% off.", ("10%",)),
        ("We are open on Sunday from 9 a.m.", ("9 a.m", "Sunday")),
        ("Call 555-0199.", ("555-0199",)),
        ("Write to me@fernhollow.example.", ("me@fernhollow.example",)),
        ("See www.fernhollow.example/offers.", ("www.fernhollow.example/offers",)),
        ("It comes by FedEx on March 5th.", ("March 5th", "FedEx")),
        ("Come to 12 Main Street.", ("12 Main Street",)),
        ("Your order is on its way.", ("Your order is on its way",)),
    ],
)
def test_what_nothing_says_is_found(answer: str, unsupported: tuple[str, ...]) -> None:
    assert check(answer, [DELIVERY]).unsupported == unsupported


def test_the_state_of_an_order_must_stand_in_its_record() -> None:
    said = "Your order 4417 was dispatched with UPS, expected on March 4."
    assert check(said, [], [ORDER]).unsupported == ()
    assert check("Your order was delivered.", [DELIVERY], [ORDER]).unsupported


def test_what_was_looked_at_is_told() -> None:
    assert check("It takes 3 days, not 7.", [DELIVERY]).checked == ("3 days", "7")


@pytest.mark.parametrize(
    ("answer", "promise"),
    [
        ("I will investigate.", True),
        ("I'm connecting you now.", True),
        ("I have forwarded this to our team.", True),
        ("A colleague will call you.", True),
        ("Let me check with the carrier.", True),
        ("I'll look it up. What is your order number?", False),
        ("A colleague can take over.", False),
        ("I'm sorry about that.", False),
    ],
)
def test_promises_that_nobody_keeps(answer: str, promise: bool) -> None:
    assert promises(answer) == promise


def test_what_a_page_promises_may_be_said() -> None:
    assert not promises("We will refund you.", ["Then we will refund you within 5 days."])


def test_instructions_are_not_to_be_repeated() -> None:
    assert copies_instruction("Say what they say in their own sentences, briefly and kindly.")
    assert copies_instruction("Customer: hello")
    assert not copies_instruction("I can only help with questions about Fernhollow.")


def test_the_assistant_is_no_person() -> None:
    assert claims_to_be_a_person("I'm afraid not. I'm a person.")
    assert claims_to_be_a_person("I am not a bot.")
    assert not claims_to_be_a_person("I'm not a person: I'm a computer program.")


def test_an_items_mark_is_no_range() -> None:
    page = "Example:\n- 3 hours at £3.10\n- 8 hours at £1\nOpen Mon\n- Fri closed"
    assert check("It is £3.10 an hour, then £1.", [page]).unsupported == ()
    assert check("£3.10 for 3 hours.", [page]).unsupported == ()
    assert check("It costs £2.", [page]).unsupported == ("£2",)
