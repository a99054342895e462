"""Slots in the place of what a customer typed: found with evidence, never without."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specchat.chat.slots.message import Slot
from specchat.chat.slots.rewrite import currency_of, rewrite_input
from specchat.chat.slots.vocabulary import SLOTS


@pytest.mark.parametrize(
    ("typed", "seen", "values"),
    [
        (
            "where is my refund for order 4417?",
            "where is my refund for order {{order_number}}?",
            {"order_number": "4417"},
        ),
        ("cancel order #A-4417 please", "cancel order #{{order_number}} please",
         {"order_number": "A-4417"}),
        ("my order number is: 99", "my order number is: {{order_number}}",
         {"order_number": "99"}),
        ("purchase no. 113542617735902 is late", "purchase no. {{order_number}} is late",
         {"order_number": "113542617735902"}),
        ("orders 4417 and 4418 are late", "orders {{order_number}} are late",
         {"order_number": "4417 and 4418"}),
        ("My order is late, the number is 407-5678901-2345678",
         "My order is late, the number is {{order_number}}",
         {"order_number": "407-5678901-2345678"}),
        ("#4417 has not arrived", "#{{order_number}} has not arrived", {"order_number": "4417"}),
        ("show me invoice #00108", "show me invoice #{{invoice_number}}",
         {"invoice_number": "00108"}),
        ("tracking number 1Z999AA10123456784 says nothing",
         "tracking number {{tracking_number}} says nothing",
         {"tracking_number": "1Z999AA10123456784"}),
        ("ticket number 88123", "ticket number {{reference_number}}",
         {"reference_number": "88123"}),
        ("I paid $1,250.50 for it", "I paid {{currency}}{{refund_amount}} for it",
         {"currency": "$", "refund_amount": "1,250.50"}),
        ("I paid 20 euros", "I paid {{refund_amount}} euros", {"refund_amount": "20"}),
        ("it cost 30€", "it cost {{currency}}{{refund_amount}}",
         {"currency": "€", "refund_amount": "30"}),
        ("My name is Anna Smith and I wait", "My name is {{customer_name}} and I wait",
         {"customer_name": "Anna Smith"}),
        ("my name is anna.", "my name is {{customer_name}}.", {"customer_name": "anna"}),
        ("the invoice from Mr. John Doe please", "the invoice from {{person_name}} please",
         {"person_name": "Mr. John Doe"}),
        ("mail me at ann.b@mail.example", "mail me at {{customer_email}}",
         {"customer_email": "ann.b@mail.example"}),
        ("call me at 503-555-0117 please", "call me at {{customer_phone}} please",
         {"customer_phone": "503-555-0117"}),
        ("my zip code is 97201", "my zip code is {{postal_code}}", {"postal_code": "97201"}),
        ("do you ship to New York, United States?",
         "do you ship to {{delivery_city}}, {{delivery_country}}?",
         {"delivery_city": "New York", "delivery_country": "United States"}),
        ("can I order from germany", "can I order from {{delivery_country}}",
         {"delivery_country": "germany"}),
        ("open a premium account", "open a {{account_type}} account",
         {"account_type": "Premium"}),
        ("from a free account to a Premium account",
         "from a {{account_type}} account to a {{account_category}} account",
         {"account_type": "Free", "account_category": "Premium"}),
    ],
)  # fmt: skip
def test_what_a_customer_names_becomes_a_slot(
    typed: str, seen: str, values: dict[str, str]
) -> None:
    rewrite = rewrite_input(typed)
    assert rewrite.text == seen
    assert dict(rewrite.values) == values


@pytest.mark.parametrize(
    "typed",
    [
        "I want to order 100 chairs",
        "I would like to order 250 please",
        "where is my order?",
        "in order to pay, what do I do in 2024?",
        "my order is 3 days late",
        "I ordered 2 lamps on 12 May",
        "you are the #1 shop",
        "the 1234 people before me",
        "my name is not on the label",
        "my name is wrong on the invoice",
        "can you ship it to me by Monday",
        "I order from you every year, sent from my phone",
        "tell us, and ship to us",
        "open 24/7, 100% sure, 5 stars",
        "is it free? I have a basic question",
        "the bill from May was high",
        "I'm Angry",
        "call center is closed at 18:00",
        "it is 4417",
    ],
)
def test_ordinary_words_stay_as_they_are(typed: str) -> None:
    rewrite = rewrite_input(typed)
    assert rewrite.parts == (typed,)
    assert not rewrite.values


def test_a_bare_number_that_replies_to_the_question_for_it_is_an_order_number() -> None:
    asked = "Could you please tell me your order number?"
    assert rewrite_input("it's 4417, thanks", asked=asked).values == {"order_number": "4417"}
    assert rewrite_input("4417", asked="Anything else?").values == {}


def test_of_two_values_for_one_slot_the_first_is_the_slot() -> None:
    rewrite = rewrite_input("order 4417 came, where is order 9921?")
    assert rewrite.text == "order {{order_number}} came, where is order 9921?"
    assert rewrite.values == {"order_number": "4417"}


def test_typed_braces_are_words() -> None:
    rewrite = rewrite_input("what is {{order_number}}?")
    assert rewrite.parts == ("what is {{order_number}}?",)


def test_the_currency_word_behind_an_amount_is_known() -> None:
    assert currency_of("I paid 20 euros") == "€"
    assert currency_of("I paid 20 USD") == "$"
    assert currency_of("I paid 20 times") is None


@given(st.text(max_size=200))
@settings(max_examples=80, deadline=None)
def test_the_words_around_the_slots_are_never_altered(typed: str) -> None:
    rewrite = rewrite_input(typed, asked="What is your order number?")
    pattern = "".join(
        rewrite.values[part.name] if isinstance(part, Slot) else part for part in rewrite.parts
    )
    assert pattern.replace(" ", "") == typed.replace(" ", "")
    assert set(rewrite.values) <= set(SLOTS)


@pytest.mark.parametrize(
    "unit", ["order ", "1-", "my order number is ", "a@a.", "is ", "$1,", "# "]
)
def test_a_hostile_question_of_the_greatest_length_is_read_in_time(unit: str) -> None:
    started = time.thread_time()
    rewrite_input(unit * (20_000 // len(unit)), asked="your order number?")
    assert time.thread_time() - started < 2
