"""Orders: which numbers are looked up, and what is said about them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from specchat.chat.company.orders import OrderLookup, facts, numbers_in, opening, values
from specchat.chat.company.profile import Company
from specchat.chat.slots.message import joined

TODAY = date(2026, 3, 2)  # a Monday


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("where is order 4417?", ("4417",)),
        ("orders #4417 and #4418 please", ("4417", "4418")),
        ("order number 4417, 4418", ("4417", "4418")),
        ("ORDER A-4417 is late", ("A-4417",)),
        ("I want 12 lamps for 30 dollars", ()),
        ("call 503-555-0117", ()),
    ],
)
def test_order_numbers_in_a_question(text: str, numbers: tuple[str, ...]) -> None:
    assert numbers_in(text) == numbers


def test_a_bare_number_is_one_when_it_was_asked_for() -> None:
    assert numbers_in("4417", asked="What is your order number?") == ("4417",)
    assert numbers_in("4417") == ()


def test_asking_on_means_the_order_named_before() -> None:
    assert numbers_in("and when does it arrive?", before="4417") == ("4417",)
    assert numbers_in("thank you", before="4417") == ()
    assert numbers_in("and order 4418?", before="4417") == ("4418",)


def lookup(company: Company, number: str) -> OrderLookup:
    found = {order.number: order.on(TODAY) for order in company.orders}
    return OrderLookup(number, found.get(number))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("4417", "Your order {{order_number}} is on its way and should arrive on {{date}}."),
        ("4418", "Your order {{order_number}} is being prepared and should arrive on {{date}}."),
        ("4302", "Your order {{order_number}} was delivered on {{date}}."),
        ("4405", "Your order {{order_number}} has been cancelled."),
        ("4190", "The refund for your order {{order_number}} was paid on {{date}}."),
        ("9999", "I could not find an order with the number {{order_number}} in our records."),
    ],
)
def test_the_first_sentence_says_how_it_stands(company: Company, number: str, said: str) -> None:
    assert joined(opening([lookup(company, number)])) == said


def test_what_the_slots_stand_for(company: Company) -> None:
    found: Any = values([lookup(company, "4417")])
    assert found["date"] == "Wednesday, 4 March"
    assert found["tracking_number"] == "1Z999AA10123456784"
    assert values([]) == {}
    assert opening([]) == ()


def test_facts_name_everything_a_model_may_need(company: Company) -> None:
    text = facts(lookup(company, "4417"))
    for part in ("Order 4417: on its way", "Desk lamp", "$86.40", "UPS", "Wednesday, 4 March"):
        assert part in text
    assert facts(lookup(company, "9999")) == "There is no order 9999 in the shop's records."
