"""What was found wrong once: F6 to F8 and F16 to F18 of the list of faults."""

from __future__ import annotations

import pytest

from specchat.chat.redaction.redact import redact


@pytest.mark.parametrize(
    "gap", ["\u00a0", "\u2009", "\u202f", "\n", " \n", "\u2011", "\u2013", "\u200b"]
)
def test_f6_numbers_go_whatever_separates_their_groups(gap: str) -> None:
    card = gap.join(("4111", "1111", "1111", "1111"))
    iban = gap.join(("DE89", "3704", "0044", "0532", "0130", "00"))
    assert redact(f"it is {card}, right").text == "it is [card], right"
    assert redact(f"to {iban} please").text == "to [iban] please"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("anna\uff20example.com", "[email]"),
        ("a\u200bnna@exam\u00adple.com", "[email]"),
        ("４１１１ １１１１ １１１１ １１１１", "[card]"),
        ("call +٤٩ ١٥١ ٢٣٤٥٦٧٨٩", "call [phone]"),
    ],
)
def test_f6_other_forms_of_characters_hide_nothing(text: str, stored: str) -> None:
    assert redact(text).text == stored


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("my password is Sommer2024!", "my password is [secret]"),
        ("the code from the text is 834221", "the code from the text is [code]"),
        ("sk-live-51Hx0aBcDeFgHiJk", "[key]"),
        (
            "https://x.example/reset?token=abcDEF123456&id=4",
            "https://x.example/reset?token=[key]&id=4",
        ),
        ("ftp://bob:hunter2@x.example/a", "ftp://[key]@x.example/a"),
        ("I was at 84.12.7.33", "I was at [ip]"),
        ("from 2001:db8::ff00:42:8329", "from [ip]"),
    ],
)
def test_f7_what_lets_somebody_in_goes(text: str, stored: str) -> None:
    assert redact(text).text == stored


def test_f8_a_right_card_goes_whatever_is_said_before_it() -> None:
    text = "I paid my order with 4111 1111 1111 1111"
    assert redact(text).text == "I paid my order with [card]"


@pytest.mark.parametrize(
    "text", ["Здравствуйте!\nГде мой заказ", "你好\n我的订单在哪里", "مرحبا\nأين طلبي"]
)
def test_f16_ordinary_words_of_other_scripts_stay(text: str) -> None:
    assert redact(text).text == text


def test_f16_a_name_in_a_claimed_script_goes() -> None:
    assert redact("Меня зовут Иван Петров, где заказ?").text == "Меня зовут [name], где заказ?"


@pytest.mark.parametrize(
    "text",
    [
        "item 3074185296 arrived broken",
        "IMEI 356938035643809",
        "EAN 4006381333931 is not in your shop",
        "Artikelnummer 3074185296 ist kaputt",
        "the serial number is 4929123412341",
    ],
)
def test_f17_numbers_of_articles_and_devices_stay(text: str) -> None:
    assert redact(text).text == text


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("Ich heiße Jürgen von der Lippe", "Ich heiße [name]"),
        ("call me Al", "call me [name]"),
        ("Unter den Linden 77", "[address]"),
        ("12 Rue de la Paix, 75002 Paris", "[address]"),
        ("NI number QQ123456C", "NI number [id]"),
    ],
)
def test_f18_names_addresses_and_numbers_of_other_countries_go(text: str, stored: str) -> None:
    assert redact(text).text == stored
