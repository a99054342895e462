"""Numbers of banks, papers, tax and insurance in several countries."""

from __future__ import annotations

import pytest

from specchat.chat.redaction.redact import redact


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("routing number 021000021, account 123456789", "routing number [bank], account [iban]"),
        ("sort code 12-34-56 account 12345678", "sort code [bank] account [iban]"),
        ("12-34-56 12345678", "[bank] [iban]"),
        ("BIC: DEUTDEFF500", "BIC: [bank]"),
        ("Kontonummer 1234567890, BLZ 370 400 44", "Kontonummer [iban], BLZ [bank]"),
        ("SSN is 078 05 1120", "SSN is [id]"),
        ("86 095 742 719", "[id]"),
        ("Steuer-ID 86095742719", "Steuer-ID [id]"),
        ("my number 2 83 03 74 010 873 82", "my number [id]"),
        ("4111 1111 1111 1111 12/26 123", "[card] 12/26 [card]"),
        ("+48 512-345-678 or 512345678", "[phone] or [phone]"),
        ("USt-IdNr. DE123456789", "USt-IdNr. [id]"),
        ("BSN 111222333", "BSN [id]"),
        ("PESEL 44051401359", "PESEL [id]"),
        ("54362315K", "[id]"),
        ("X-5253868-R", "[id]"),
        ("geboren am 3. März 1990", "geboren am [birth]"),
        ("née le 12/03/1984", "née le [birth]"),
        ("(0131) 496 0275", "[phone]"),
        ("757.444.7621x6827", "[phone]"),
        ("zadzwoń 512 345 678", "zadzwoń [phone]"),
        ("06 12 34 56 78", "[phone]"),
    ],
)
def test_numbers_that_are_personal_go(text: str, stored: str) -> None:
    assert redact(text).text == stored


@pytest.mark.parametrize(
    "text",
    [
        "order 86095742719",
        "tracking 1Z 999 AA1 01 2345 6784",
        "my order is 111222333",
        "zamówienie 44051401359",
        "commande 2830374010",
        "pedido 54362315",
        "I was charged 1,250.50 EUR on 12.03.2024",
        "I was ordering 3 lamps during 2024 for my iPad 10",
        "I swift handled 3 orders",
        "DHL says 0802788655 was delivered",
        "it's 2043090154, ordered on Monday",
    ],
)
def test_numbers_that_a_record_is_about_stay(text: str) -> None:
    assert redact(text).text == text
