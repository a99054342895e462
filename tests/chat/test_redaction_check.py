"""The figures on redaction that the README states, and the ruler they are measured with."""

from __future__ import annotations

import json
import time

import pytest
from typer.testing import CliRunner

from specchat.chat.redact import redact
from specchat.chat.redaction_check import Item, Labelled, messages, score
from specchat.cli import app


def test_known_phrasings_are_found_and_little_else() -> None:
    found = score(messages(1_500))
    for kind in ("card", "iban", "email"):
        assert found.recall(kind) == 1.0, found.missed
    assert found.recall("phone") >= 0.98
    assert found.recall("address") >= 0.98
    assert found.recall("name") >= 0.97
    assert found.precision() >= 0.97, found.wrong


def test_phrasings_nobody_had_in_view_are_found_but_for_unlisted_names() -> None:
    found = score(messages(1_000, unseen=True))
    for kind in ("card", "iban", "email", "phone", "address"):
        assert found.recall(kind) >= 0.97, found.missed
    assert found.recall("name") >= 0.4
    assert found.precision() >= 0.95, found.wrong


def test_the_ruler_counts_what_is_missed_and_what_is_taken_without_need() -> None:
    text = "Qwxyz told Anna about 4111 1111 1111 1111"
    found = score([Labelled(text, (Item(0, 5, "name"), Item(22, 41, "card")))])
    assert found.missed == ["name: Qwxyz"]
    assert found.wrong == ["name: Anna"]
    assert (found.recall(), found.precision()) == (0.5, 0.5)
    assert messages(5, 3) == messages(5, 3) != messages(5, 4)


def test_the_command_prints_the_figures() -> None:
    done = CliRunner().invoke(app, ["data", "redaction", "--messages", "60", "--json"])
    report = json.loads(done.output)
    assert report["known templates"]["messages"] == 60
    assert 0 < report["unseen templates"]["kinds"]["name"]["recall"] <= 1
    shown = CliRunner().invoke(app, ["data", "redaction", "--messages", "60", "--missed"])
    assert "unseen templates: 60 messages" in shown.output
    assert "not found: name: " in shown.output


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("my name is Ada Byron and I wait", "my name is [name] and I wait"),
        ("my name is ada, sorry", "my name is [name], sorry"),
        ("I'm Tendai, where is it?", "I'm [name], where is it?"),
        ("Kind regards,\nSaoirse O'Brien", "Kind regards,\n[name]"),
        ("ask Maria about it", "ask [name] about it"),
        ("Mr. van der Berg called", "[name] called"),
        ("I live at 12 Elm Street, Springfield, IL 62704", "I live at [address]"),
        ("Hauptstraße 5, 10115 Berlin", "[address]"),
        ("221B Baker Street, London NW1 6XE please", "[address] please"),
        ("my address is Hill Farm 3, Nowhere.", "my address is [address]."),
        ("Maria Lopez\nCalle Mayor 3, 28013 Madrid", "[name]\n[address]"),
    ],
)
def test_names_and_addresses_are_taken_out(text: str, stored: str) -> None:
    assert redact(text).text == stored


@pytest.mark.parametrize(
    "text",
    [
        "deliver it to New York or to Germany",
        "I am on the way to the store in Paris",
        "my name is wrong on invoice 00108",
        "I want a Premium account, not the Free one",
        "5 parcels on the way, 10 minutes drive",
        "This is Urgent. Please help",
    ],
)
def test_places_and_ordinary_words_stay(text: str) -> None:
    assert redact(text).text == text


def test_what_was_said_about_oneself_goes_wherever_it_is_repeated() -> None:
    known = {"Zyx": "name", "D": "name"}
    assert redact("Dear Zyx, ZyxCo is no D", known=known).text == "Dear [name], ZyxCo is no D"


@pytest.mark.parametrize(
    "unit",
    ["Aa ", "1 a ", "my name is A ", "Street ", "1 Ab ", "12 rue de ", "de la ", "Flat 1 ",
     "Av. A ", "Mr. A. ", "Cad. ", "address is 1 ", "for Bo de ", "N W ", "Anna de "],
)  # fmt: skip
def test_people_and_places_of_the_greatest_length_are_read_in_time(unit: str) -> None:
    started = time.thread_time()
    redact(unit * (20_000 // len(unit)))
    assert time.thread_time() - started < 2
