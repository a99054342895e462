"""Filling slots while an answer streams: values, neutral words, and never a brace."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from specchat.chat.company.profile import load_company
from specchat.chat.slots.filler import SlotFiller, SlotValues
from specchat.chat.slots.phrases import FALLBACKS
from specchat.chat.slots.vocabulary import SLOTS, slot_token

NOTHING = SlotValues.of(load_company())
SAID = NOTHING.with_customer(
    {"order_number": "4417", "customer_name": "Anna", "refund_amount": "250", "currency": "€"}
)


def filled(text: str, values: SlotValues = NOTHING) -> str:
    return SlotFiller(values).fill(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Order {{order_number}} is on its way.", "Order 4417 is on its way."),
        ("order number #{{order_number}}.", "order number #4417."),
        ("tell me the {{order_number}} again", "tell me the order number 4417 again"),
        ("Dear {{customer_name}}, hello", "Dear Anna, hello"),
        ("a refund of {{currency}}{{refund_amount}}.", "a refund of €250."),
        ("a refund of ${{refund_amount}}.", "a refund of €250."),
        ("you paid {{refund_amount}} dollars.", "you paid €250."),
        ("call {{support_phone}} now", "call +1 503-555-0142 now"),
        ("on our {{website_url}}.", "on our website www.fernhollow.example."),
        ("visit our website at {{website_url}}.", "visit our website at www.fernhollow.example."),
        ("log in to your {{portal}} first", "log in to your Fernhollow account first"),
        (
            "we are here during {{support_hours}} for you",
            "we are here during our support hours (Monday to Saturday, 8 a.m. to 8 p.m.) for you",
        ),
        ("at {{company_name}}, we care", "at Fernhollow, we care"),
    ],
)
def test_a_known_slot_becomes_its_value(text: str, shown: str) -> None:
    assert filled(text, SAID) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cancel order {{order_number}} now", "cancel your order now"),
        ("cancel order number #{{order_number}}.", "cancel your order."),
        ("your order number {{order_number}}.", "your order."),
        ("your recent order {{order_number}}.", "your recent order."),
        ("your order with the order number {{order_number}}. I", "your order. I"),
        ("the bill associated with the number #{{invoice_number}}.", "the bill."),
        ("the bill with the number #{{invoice_number}}. Let", "the bill. Let"),
        ("give me the {{tracking_number}} or {{order_number}}? Then",
         "give me the tracking number or order number? Then"),
        ("{{order_number}} is late", "Your order number is late"),
        ("Order number {{order_number}}: sent", "Your order: sent"),
        ("Dear {{customer_name}}, hello", "Dear customer, hello"),
        ("Thank you, {{customer_name}}. Bye", "Thank you. Bye"),
        ("the bill from Mr. {{person_name}}.", "the bill from the seller."),
        ("a refund of ${{refund_amount}}.", "a refund of the amount shown on your order."),
        ("a refund of {{currency}}{{refund_amount}} dollars.",
         "a refund of the amount shown on your order."),
        ("open a {{account_type}} account", "open a customer account"),
        ("Choose the '{{account_type}}' option", "Choose the 'account type' option"),
        ("within {{date_range}} business days", "within 3-5 business days"),
        ("order from {{delivery_city}}, yes", "order from your city, yes"),
        ("in the city of {{delivery_city}}.", "in your city."),
        ("sent to your {{customer_email}} today", "sent to your e-mail address today"),
    ],
)  # fmt: skip
def test_an_unknown_slot_leaves_a_sentence_that_reads_right(text: str, shown: str) -> None:
    assert filled(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Open {{Live Chat}}.", "Open Live Chat."),
        ("{{Order Number}} is late", "Your order number is late"),
        ("an end that {{never", "an end that never"),
        ("{{{{order_number}}}} x", "Your order number x"),
        ("{{" + "a" * 80 + "}}", "a" * 80),
        ("a }} b {{ c", "a  b  c"),
        ('{"json": {"a": 1} }', '{"json": {"a": 1} }'),
    ],
)
def test_broken_and_foreign_slots_lose_their_braces(text: str, shown: str) -> None:
    assert filled(text) == shown


def test_every_slot_has_neutral_words() -> None:
    assert set(FALLBACKS) == set(SLOTS)
    for name in SLOTS:
        shown = SlotFiller(SlotValues()).fill(f"We see {slot_token(name)} here.")
        assert "{" not in shown
        assert "  " not in shown, name
        assert not re.search(r"\d", shown)


def test_what_was_said_last_counts_and_the_company_is_not_overruled() -> None:
    values = SAID.with_customer({"order_number": "9921", "company_name": "Evil"})
    assert (
        filled("Order {{order_number}} at {{company_name}}", values) == "Order 9921 at Fernhollow"
    )


def test_the_source_of_a_slot_token_is_kept() -> None:
    filler = SlotFiller(SAID)
    pieces = filler.feed(
        [("Order", "target"), (" ", "mlp"), ("{{order_number}}", "ngram"), (" left", "target")]
    )
    assert [*pieces, *filler.flush()] == [
        ("Order", "target"), (" ", "mlp"), ("4417", "ngram"), (" left", "target"),
    ]  # fmt: skip


def test_a_slot_split_over_pieces_is_filled() -> None:
    filler = SlotFiller(SAID)
    pieces = [piece for part in ("Or", "der {", "{order_", "number}", "} left") for piece in
              filler.feed([(part, "target")])]  # fmt: skip
    assert "".join(text for text, _ in [*pieces, *filler.flush()]) == "Order 4417 left"


def test_text_is_not_held_back_without_need() -> None:
    filler = SlotFiller(SAID)
    assert filler.feed([("Hello there!", "target")]) == [("Hello there!", "target")]


def test_a_filler_that_is_off_changes_nothing() -> None:
    filler = SlotFiller(SAID, enabled=False)
    assert filler.feed([("use {{order_number}} {{ x", "t")]) == [("use {{order_number}} {{ x", "t")]
    assert filler.flush() == []


fragments = st.lists(
    st.one_of(
        st.sampled_from(["{", "{{", "}", "}}", "order number ", "#", "$", "the ", "your ", ", "]),
        st.sampled_from([slot_token(name) for name in SLOTS]),
        st.text("ab {}\n", max_size=6),
    ),
    max_size=25,
)
values = st.sampled_from([SlotValues(), NOTHING, SAID, SAID.with_customer({"date": "{{x}} }}{{"})])


@given(fragments, values)
@example(["{", "{{order_number}}"], SAID)
@example(["{", " {{customer_name}}", "{"], NOTHING)
@settings(max_examples=150, deadline=None)
def test_no_pair_of_braces_ever_leaves(parts: list[str], known: SlotValues) -> None:
    filler = SlotFiller(known)
    shown = "".join(t for part in parts for t, _ in filler.feed([(part, "x")]))
    shown += "".join(t for t, _ in filler.flush())
    assert "{{" not in shown
    assert "}}" not in shown


@given(fragments, values)
@settings(max_examples=60, deadline=None)
def test_little_is_held_back(parts: list[str], known: SlotValues) -> None:
    filler = SlotFiller(known)
    for part in parts:
        filler.feed([(part, "x")])
        assert len(filler._text) <= SlotFiller.HOLD
