"""What is asked for and is not on the list that answers."""

from __future__ import annotations

import pytest

from specchat.chat.company.listed import absent

COUNTRIES = "We deliver to the United States, the United Kingdom, Germany and the Netherlands."
WAYS = "You can pay by Visa, Mastercard, American Express, PayPal or bank transfer."


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("do you ship to norway, and what would that be", ["Norway"]),
        ("Liefert ihr nach Österreich oder Deutschland?", ["Austria"]),
        ("sweden? czechia?", ["Sweden", "Czechia"]),
        ("i live in holland", []),
        ("does it come to england or scotland", []),
        ("can you send it to us in America", []),
        ("Turkey", ["Turkey"]),
        ("do you deliver frozen turkey", []),
        ("Is New Jersey a problem?", []),
        ("when does it come", []),
    ],
)
def test_countries(question: str, names: list[str]) -> None:
    assert list(absent(question, [COUNTRIES], [])) == names


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("apple pay or gpay?", ["Apple Pay", "Google Pay"]),
        ("do you take amex", []),
        ("can I pay in three payments", ["Payment in instalments"]),
        ("is cash ok", ["Cash"]),
        ("is there cash back", []),
        ("may i check the bill", []),
        ("kann ich auf Rechnung kaufen", ["Payment by invoice"]),
    ],
)
def test_ways_to_pay(question: str, names: list[str]) -> None:
    assert list(absent(question, [WAYS], [])) == names


def test_in_german_they_have_german_names() -> None:
    german = "Wir liefern nach Deutschland, Frankreich und in die Niederlande."
    assert absent("Liefern Sie nach Österreich?", [german], [], german=True) == ("Österreich",)
    assert absent("Ratenzahlung?", [WAYS], [], german=True) == ("Ratenzahlung",)


@pytest.mark.parametrize(
    "text",
    [
        "We deliver to Germany and France.",  # two are no list
        "We deliver worldwide: Germany, France, Italy.",
        "We deliver to many countries, such as Germany, France and Italy.",
        "We deliver to Germany, France, Italy and all other countries of the EU.",
        "Our parcels travel by train.",
    ],
)
def test_where_the_list_is_none_or_goes_on_nothing_is_said(text: str) -> None:
    assert absent("do you deliver to norway", [text], []) == ()


def test_what_another_page_names_is_not_said_to_be_missing() -> None:
    other = ["From March on we also deliver to Norway."]
    assert absent("do you deliver to norway", [COUNTRIES], other) == ()
    assert absent("do you deliver to norway", [COUNTRIES, *other], []) == ()
