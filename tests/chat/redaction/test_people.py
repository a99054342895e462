"""Names and addresses, and what only sounds like them."""

from __future__ import annotations

import pytest

from specchat.chat.redaction.redact import redact


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
        ("tell jennifer martinez i called", "tell [name] i called"),
        ('the name on the box says "Pat Quigley"', 'the name on the box says "[name]"'),
        ("change my surname from Hartley to Moss", "change my surname from [name] to [name]"),
        ("10 Downing St", "[address]"),
        ("1234 NW 5th St, Miami FL 33125", "[address]"),
        ("Flat 3/1, 48 Byres Road, Glasgow, G11 5RG", "[address]"),
        ("ul. Marszałkowskiej 12/34, 00-590 Warszawa", "[address]"),
        ("je suis Mme Lefebvre-Duchamp", "je suis [name]"),
        ("Saludos cordiales, Iñaki Goikoetxea", "Saludos cordiales, [name]"),
        ("Met vriendelijke groet,\nSanne Hoekstra", "Met vriendelijke groet,\n[name]"),
        ("nazywam się Zbigniew Brzęczyszczykiewicz", "nazywam się [name]"),
    ],
)
def test_names_and_addresses_are_taken_out(text: str, stored: str) -> None:
    assert redact(text).text == stored


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("my name is anna kowalska", "my name is [name]"),
        ("its peter jones here", "its [name] here"),
        ("this is maria garcia, i want my money", "this is [name], i want my money"),
        ("this is grace butler again", "this is [name] again"),
        ("its mieszko wierzchoń", "its [name]"),
        ("this is jaylinn van cuijck again", "this is [name] again"),
        ("name: grace legrand", "name: [name]"),
        ("where is it?\nregards\njohn smith", "where is it?\nregards\n[name]"),
        ("where is it?\nthanks\ngaja stosik", "where is it?\nthanks\n[name]"),
        ("ich heiße jürgen müller", "ich heiße [name]"),
        ("hier ist jürgen müller", "hier ist [name]"),
        ("mi nombre es lucía fernández", "mi nombre es [name]"),
        ("je m'appelle chloé dubois", "je m'appelle [name]"),
        ("ik heet sanne hoekstra", "ik heet [name]"),
        ("nazywam się anna kowalska", "nazywam się [name]"),
    ],
)
def test_a_name_in_small_letters_goes_where_somebody_says_that_it_is_one(
    text: str, stored: str
) -> None:
    assert redact(text).text == stored


@pytest.mark.parametrize(
    "text",
    [
        "this is ridiculous tho",
        "this is realy anoying",
        "its compltely unaceptable",
        "i am soooooo frustrated",
        "i'm expeccting somthing extra",
        "this is irritating coz i waited",
        "thanks\nplease hurry",
        "ich bin sehr enttäuscht",
        "je suis vraiment très déçu",
    ],
)
def test_a_slip_of_the_pen_is_no_name(text: str) -> None:
    assert redact(text).text == text


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
        "Is Click & Collect available in Milton Keynes?",
        "My Samsung Galaxy S24 Ultra won't charge",
        "Ich hätte gern den Couchtisch Eiche Massiv in Grau",
        "Öffnen Sie die Seite der Bestellung und drucken Sie das Etikett",
        "Die Lieferung der Bestellung 407-1234567 mit Ihrer Rechnung",
    ],
)
def test_places_and_ordinary_words_stay(text: str) -> None:
    assert redact(text).text == text


def test_what_was_said_about_oneself_goes_wherever_it_is_repeated() -> None:
    known = {"Zyx": "name", "D": "name"}
    assert redact("Dear Zyx, ZyxCo is no D", known=known).text == "Dear [name], ZyxCo is no D"
