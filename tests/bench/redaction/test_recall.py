"""The figures on redaction that the README states, and the ruler they are measured with."""

from __future__ import annotations

import json
import time

import pytest
from typer.testing import CliRunner

from specchat.bench.redaction import hard_messages, recall
from specchat.bench.redaction.recall import Item, Labelled, messages, score
from specchat.chat.redaction.family_names import FAMILY_NAMES, SOFT_FAMILY_NAMES
from specchat.chat.redaction.given_names import GIVEN_NAMES, SOFT_GIVEN_NAMES
from specchat.chat.redaction.redact import redact
from specchat.commands.main import app


def test_known_phrasings_are_found_and_little_else() -> None:
    found = score(messages(1_500))
    for kind in ("card", "iban", "email"):
        assert found.recall(kind) == 1.0, found.missed
    assert found.recall("phone") >= 0.98
    assert found.recall("address") >= 0.98
    assert found.recall("name") >= 0.97
    assert found.precision() >= 0.97, found.wrong


def test_phrasings_that_came_later_are_found_too() -> None:
    found = score(messages(1_000, of="later"))
    for kind in ("card", "iban", "email", "phone", "address"):
        assert found.recall(kind) >= 0.97, found.missed
    assert found.recall("name") >= 0.95
    assert found.precision() >= 0.97, found.wrong


def test_of_hard_phrasings_and_rare_names_the_greater_part_is_found() -> None:
    found = score(messages(1_500, of="hard"))
    for kind in ("card", "iban", "email", "phone", "id", "birth"):
        assert found.recall(kind) >= 0.98, found.missed
    assert found.recall("address") >= 0.73
    assert found.recall("name") >= 0.6
    assert found.recall() >= 0.74
    assert found.precision() >= 0.91, found.wrong


def test_the_rare_names_of_the_sets_are_on_no_list() -> None:
    listed = GIVEN_NAMES | SOFT_GIVEN_NAMES | FAMILY_NAMES | SOFT_FAMILY_NAMES
    rare = {*recall._RARE, *hard_messages.RARE_GIVEN, *hard_messages.RARE_FAMILY}
    assert rare.isdisjoint(listed)


def test_the_ruler_counts_what_is_missed_and_what_is_taken_without_need() -> None:
    text = "Qwxyz: then Anna had 4111 1111 1111 1111"
    found = score([Labelled(text, (Item(0, 5, "name"), Item(21, 40, "card")))])
    assert found.missed == ["name: Qwxyz"]
    assert found.wrong == ["name: Anna"]
    assert (found.recall(), found.precision()) == (0.5, 0.5)
    assert messages(5, 3) == messages(5, 3) != messages(5, 4)


def test_the_command_prints_the_figures() -> None:
    done = CliRunner().invoke(app, ["data", "redaction", "--messages", "60", "--json"])
    report = json.loads(done.output)
    assert report["known templates"]["messages"] == 60
    assert 0 < report["hard templates"]["kinds"]["name"]["recall"] <= 1
    shown = CliRunner().invoke(app, ["data", "redaction", "--messages", "60", "--missed"])
    assert "later templates: 60 messages" in shown.output
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
        ("I spoke with Tendai yesterday", "I spoke with [name] yesterday"),
        ("Nkechi told me to write again", "[name] told me to write again"),
        ("our manager, Sunniva Okafor, knows", "our manager, [name], knows"),
        ("a lamp for Oyelaran Petrov", "a lamp for [name]"),
        ("it is Tendai's parcel", "it is [name]'s parcel"),
        ("Anna and Tendai ordered it", "[name] and [name] ordered it"),
        ("its priya sharma, why?", "its [name], why?"),
        ("RAHUL KUMAR, order 4417", "[name], order 4417"),
        ("no J. Achterberg lives here", "no [name] lives here"),
        ("It never came.\n\nYetunde", "It never came.\n\n[name]"),
        ("Dear Wiremu, where is it?", "Dear [name], where is it?"),
        ("Mit freundlichen Grüßen\nZdenka Vlk", "Mit freundlichen Grüßen\n[name]"),
        ("Ich heiße Tove, wo ist es?", "Ich heiße [name], wo ist es?"),
        ("Hauptplatz 4, 8010 Graz", "[address]"),
        ("B-12, Sunrise Apartments, Pune 411045", "[address]"),
        ("7 Kangaroo Ct, Dubbo NSW 2830", "[address]"),
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
        "a Ralph Lauren shirt and a Calvin Klein belt for 30.00",
        "our holiday in Charlotte or in Santa Barbara",
        "Can Amazon deliver it with Premium Shipping?",
        "Contact Us says Error 12. We tried Twice",
        "my name is right everything else is not",
        "Mark it as delivered. Will you?",
        "Die Lieferung der Bestellung 407-1234567 mit Ihrer Rechnung",
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
     "Av. A ", "Mr. A. ", "Al and ", "Bo's ",
     "J. ", "maria ", "B-1, A ", "A 1, 1 ", "Qu Qu, ", "Cad. ", "address is 1 ", "for Bo de ",
     "N W ", "Anna de "],
)  # fmt: skip
def test_people_and_places_of_the_greatest_length_are_read_in_time(unit: str) -> None:
    started = time.thread_time()
    redact(unit * (20_000 // len(unit)))
    assert time.thread_time() - started < 2
