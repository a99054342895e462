"""What must not be stored, and what has to stay readable."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specchat.chat.redaction import redact as module
from specchat.chat.redaction.redact import WITHHELD, describe, redact


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("my card is 4111 1111 1111 1111, thanks", "my card is [card], thanks"),
        ("4111-1111-1111-1111", "[card]"),
        ("5500000000000004.", "[card]."),
        ("amex 3782 822463 10005", "amex [card]"),
        ("card number 4111 1111 1111 1112 (mistyped)", "card number [card] (mistyped)"),
        ("the cvv is 123", "the cvv is [card]"),
        ("pay to DE89 3704 0044 0532 0130 00 please", "pay to [iban] please"),
        ("GB82WEST12345698765432", "[iban]"),
        ("IBAN: de89370400440532013001", "IBAN: [iban]"),
        ("write to ann.b+x@mail.example.com!", "write to [email]!"),
        ("ann at mail dot example", "[email]"),
        ("ann(at)mail(dot)example", "[email]"),
        ("call +44 20 7946 0123 today", "call [phone] today"),
        ("call me on 503-555-0117", "call me on [phone]"),
        ("(503) 555-0117", "[phone]"),
        ("my mobile is 0170 1234567", "my mobile is [phone]"),
        ("its 98765 43210 now", "its [phone] now"),
        ("my bank account number is 12345678", "my bank account number is [iban]"),
        ("passport no. C01X00T47 expired", "passport no. [id] expired"),
        ("SSN 078-05-1120", "SSN [id]"),
        ("date of birth: 12.03.1984, ok?", "date of birth: [birth], ok?"),
        ("I was born on 3 March 1990", "I was born on [birth]"),
        ("write to me@mail.example.com. seriously", "write to [email]. seriously"),
        ("call me on 0151 2345678", "call me on [phone]"),
        ("+49 151 23456789", "[phone]"),
        ("it is 5035550117", "it is [phone]"),
        ("my order, I mean +49 151 23456789", "my order, I mean [phone]"),
        ("tracking is +1 503 555 0117", "tracking is [phone]"),
        ("order 4417, 5035550117", "order 4417, [phone]"),
        ("Where is my parcel? 5035550117", "Where is my parcel? [phone]"),
        ("I want my package.\n5035550117", "I want my package.\n[phone]"),
        ("where is my package\n5035550117", "where is my package\n[phone]"),
        ("send the tracking to 5035550117", "send the tracking to [phone]"),
        ("orders 4417, 4418, 5035550117", "orders 4417, 4418, [phone]"),
        ("use these numbers 5035550117 and 5035550118", "use these numbers [phone] and [phone]"),
    ],
)
def test_personal_data_is_taken_out(text: str, stored: str) -> None:
    assert redact(text).text == stored


@pytest.mark.parametrize(
    "text",
    [
        "where is my refund for order 4417?",
        "order #407-5678901-2345678 is late",
        "order number 113542617735902",
        "Order ID: 205-5678901-2345678 is late",
        "405-2739174-7392647 refund still pending",
        "my card was declined for order 555-4443332-1110001",
        "bank code UTIB0000123, transaction id is 2987456321",
        "purchase 5035550117 has not come",
        "tracking number 1Z999AA10123456784",
        "tracking number 4417200931",
        "can you track 4417200931 for me",
        "the tracking number you gave me is 4417200931",
        "the code 4417200931 does not work on the carrier's page",
        "order number:\n1234567890",
        "order 1234567890",
        "#1234567890",
        "my package (no. 1234567890) is lost",
        "waybill 4417200931, ref. 123 456 7890",
        "orders 4417 and 1234567890",
        "order numbers 1234567890, 1234567891 and 1234567892",
        "Bestell-Nr.: 1234567890, Paketnummer 4417200931, Auftragsnummer 1234567891",
        "Die Sendungsnummer lautet 4417200931",
        "invoice #00108 of 12 May 2024 about $1,250.50",
        "we are open 8-20, delivery takes 3-5 days, 24/7",
        "it was 2024-05-12 at 10:45:30",
        "I would like 12 lamps for 30.00 each",
        "meet me at the store dot dot dot",
    ],
)
def test_what_a_record_is_about_stays(text: str) -> None:
    redaction = redact(text)
    assert redaction.text == text
    assert not redaction.found


def test_the_shops_own_contacts_stay() -> None:
    text = "Call +1 503-555-0142 or write to help@shop.example, not to me@shop.example"
    kept = redact(text, keep=("+1 503-555-0142", "help@shop.example"))
    assert kept.text == ("Call +1 503-555-0142 or write to help@shop.example, not to [email]")


def test_what_was_found_is_counted() -> None:
    redaction = redact("a@b.example, c@d.example and 4111 1111 1111 1111")
    assert redaction.counts == {"email": 2, "card": 1}
    assert describe(redaction.counts) == "2 e-mail addresses, 1 card number"


def test_a_failing_check_withholds_the_whole_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(module, "phone_numbers", broken)
    assert redact("call me").text == WITHHELD


def test_every_card_of_a_synthetic_set_is_found_in_any_spelling() -> None:
    dice = random.Random(7)
    for _ in range(300):
        digits = dice.choice("23456") + "".join(dice.choices("0123456789", k=14))
        doubled = sum(int(d) * 2 - 9 * (int(d) > 4) for d in digits[-1::-2])
        digits += str(-(doubled + sum(map(int, digits[-2::-2]))) % 10)
        group = dice.choice(["", " ", "-", ".", "  "])
        spelled = group.join(digits[i : i + 4] for i in range(0, 16, 4))
        stored = redact(f"please charge {spelled} now").text
        assert stored == "please charge [card] now", spelled


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_hostile_text_never_raises(text: str) -> None:
    assert isinstance(redact(text).text, str)
