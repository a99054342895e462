"""Passwords, codes and keys, and the words around them that are none."""

from __future__ import annotations

import pytest

from specchat.chat.redaction.redact import redact


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("my password is hunter2, help", "my password is [secret], help"),
        ("pw: hunter", "pw: [secret]"),
        (
            "the password for my account is still Blau_7",
            "the password for my account is still [secret]",
        ),
        ('password is "open sesame"', 'password is "[secret]"'),
        ("I use Tr0ub4dor as my password", "I use [secret] as my password"),
        ("Passwort hunter2 geht nicht", "Passwort [secret] geht nicht"),
        ("mijn wachtwoord is Kaas12", "mijn wachtwoord is [secret]"),
        ("OTP 4711", "OTP [code]"),
        ("my PIN is 4711", "my PIN is [code]"),
        ("834221 is the code you sent me", "[code] is the code you sent me"),
        ("the sms says 834 221", "the sms says [code]"),
        ("Bestätigungscode: 834221", "Bestätigungscode: [code]"),
        ("the three digits on the back are 123", "the three digits on the back are [card]"),
        ("Authorization: Bearer abcdefghijkl0123456789", "Authorization: Bearer [key]"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "[key]"),
        ("api key: 0f1e2d3c4b5a", "api key: [key]"),
    ],
)
def test_what_lets_somebody_in_goes(text: str, stored: str) -> None:
    assert redact(text).text == stored


@pytest.mark.parametrize(
    "text",
    [
        "my password is wrong",
        "my password is not working, can I reset it?",
        "I forgot my password. Order 4417 is mine",
        "password reset for order AB-12345",
        "Choose Forgot Password at {{login_url}}",
        "promo code SAVE20 does not work",
        "Error code 40412",
        "the tracking code you sent me is 44172009",
        "version 10.0.19.1 of the app",
        "firmware 1.2.3.4",
        "it was 10:45:30 on 2024-05-12",
        "an iPhone15ProMax256GBBlack",
        "the key to my garden house is lost",
        "I lost the PIN code of my account",
    ],
)
def test_words_around_them_stay(text: str) -> None:
    assert redact(text).text == text
