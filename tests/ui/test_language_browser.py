"""German and English in a real Chromium: changed where they stand, and kept."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from tests.ui import chat_page
from tests.ui.conftest import DESK_KEY, WAIT_MS, Site

expect.set_options(timeout=WAIT_MS)


def test_the_language_changes_where_it_stands_and_stays(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/demo?race=Where+is+it&seed=3")
    question = page.locator("#sc-race-question textarea")
    expect(question).to_have_value("Where is it")
    page.locator("[data-language]").select_option("de")
    expect(page.get_by_role("tab", name="Auswertung")).to_be_visible()
    page.locator("#sc-race-start").click()
    expect(page.locator("#sc-race-headline .sc-big")).to_contain_text("gleiche Antwort ✓")
    expect(page.locator(".sc-steps-words")).to_contain_text("angenommen")
    expect(page.locator("#sc-race-board .sc-lane-text").first).to_contain_text("I understand")
    expect(question).to_have_value("Where is it")
    page.goto(f"{site.url}/demo")
    expect(page.get_by_role("tab", name="Rennen")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "de"
    page.locator("[data-language]").select_option("en")
    expect(page.get_by_role("tab", name="Race")).to_be_visible()


GERMAN = {
    "2.05x faster with speculation": "Mit Spekulation 2,05-mal so schnell",
    "1,234 free": "1.234 frei",
    "2026-11-21 19:05:10": "2026-11-21 19:05:10",
    "code 0.1.0+gcc05508": "Code 0.1.0+gcc05508",
    "torch 2.13": "torch 2.13",
    "2.13": "2.13",
    "temperature 0, 0.5": "Temperatur 0, 0,5",
    "granite-3.1-8b": "granite-3.1-8b",
    "median of 13 prompts, 95 % interval 0.69x to 2.46x; 2 slower; 1.5 s lost over 13 races": (
        "Median aus 13 Fragen, 95-%-Intervall 0,69x bis 2,46x; 2 langsamer; in 13 Rennen 1,5 s "
        "verloren"
    ),
    "This question has 2,345 characters; at most 2,000 can be sent. Please shorten it.": (
        "Diese Frage hat 2.345 Zeichen; höchstens 2.000 sind möglich. Bitte kürzen Sie sie."
    ),
    "The longest answer must be under 2048 tokens, the model's context; got 4096.": (
        "Die längste Antwort muss unter 2048 Token bleiben, dem Kontext des Modells; es sind 4096."
    ),
    "records written; the database refuses: disk full; try again": (
        "Einträge geschrieben; die Datenbank lehnt ab: disk full; try again"
    ),
    "τ over all tokens; per turn 3.39 (median of 20)": (
        "τ über alle Token; je Antwort 3,39 (Median von 20)"
    ),
    "Ordered on Monday, 23 November.": "Bestellt am Montag, 23. November.",
    "bot's message: Open; closed · waits": "Assistent: Open; closed · waits",
    "For your privacy we did not store: 2 card numbers, 1 e-mail address.": (
        "Zu Ihrem Schutz nicht gespeichert: 2 Kartennummern, 1 E-Mail-Adresse."
    ),
}


def test_sentences_of_parts_and_numbers_are_german_and_names_are_left(
    page: Page, site: Site
) -> None:
    page.goto(f"{site.url}/demo?lang=de")
    page.wait_for_function("window.specchat?.isGerman()")
    assert {text: page.evaluate("text => specchat.say(text)", text) for text in GERMAN} == GERMAN


def test_the_shop_is_german_and_the_model_is_asked_in_english(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/demo?lang=de")
    page.locator("#sc-decline").click()
    expect(page.locator("#sc-chat")).to_contain_text(
        "Auch die Vorschläge unten fragen auf Englisch"
    )
    page.get_by_role("button", name="Beispiel 1 wählen: Wo ist Bestellung 4417?").click()
    expect(chat_page.user(page)).to_contain_text("Where is order 4417?")
    card = chat_page.bot(page).locator(".sc-card")
    expect(card).to_contain_text("Schreibtischlampe Aurel, Messing")
    expect(card).to_contain_text("86,40 $")
    chat_page.finished(page)
    chat_page.ask(page, "How do I return an item?")
    chat_page.finished(page)
    sources = page.locator("#sc-chat .sc-sources").last
    sources.locator("summary", has_text="Wie sende ich einen Artikel zurück?").click()
    expect(sources).to_contain_text("Ist der Artikel beschädigt oder falsch")


def test_the_desk_reads_and_writes_in_its_language(
    new_context: Callable[..., BrowserContext], site: Site
) -> None:
    owner = "somebody"
    conversation = site.service.new_conversation(owner)
    for _ in site.service.answer(conversation, "Where is order 4417? I paid 1,000", owner=owner):
        pass
    ticket = site.service.request_person(conversation, owner=owner).ticket
    desk = new_context().new_page()
    desk.goto(f"{site.url}/desk?lang=de")
    desk.locator("#sc-key input").fill(DESK_KEY)
    desk.locator("#sc-desk-open").click()
    desk.locator("#sc-customers label", has_text=ticket).click()
    expect(desk.locator("#sc-customers label")).to_contain_text(
        "Where is order 4417? I paid 1,000\nwartet 0 min · möchte einen Menschen"
    )
    expect(desk.locator("#sc-case small").first).to_have_text(re.compile(r"^Kunde · \d\d:\d\d$"))
    case = desk.locator("#sc-known")
    expect(case).to_contain_text("Bestellung 4417: unterwegs. Artikel: Schreibtischlampe Aurel")
    expect(case).to_contain_text("2 Stück. Summe: 86,40 $. Bestellt am ")
    expect(case).to_contain_text("Versand mit UPS, Sendungsnummer 1Z999AA10123456784.")
    expect(case).to_contain_text("- Where is order 4417? I paid 1,000")
    desk.locator("#sc-canned input").click()
    desk.get_by_role("option", name="Wird geprüft").click()
    reply = desk.locator("#sc-reply textarea")
    expect(reply).to_have_value(
        "Danke. Ich sehe nach und melde mich in wenigen Minuten wieder bei Ihnen."
    )
    expect(desk.locator("#sc-canned input")).to_have_value(re.compile("Wird geprüft"))
    desk.locator("[data-language]").select_option("en")
    desk.locator("#sc-canned input").click()
    desk.get_by_role("option", name="Refund started").click()
    expect(reply).to_have_value(
        "I have started the refund. It takes 5-7 business days and is paid back the way you paid."
    )


def test_on_a_phone_all_of_the_first_contact_is_in_view(
    new_context: Callable[..., BrowserContext], site: Site
) -> None:
    page = new_context(viewport={"width": 360, "height": 740}).new_page()
    page.goto(f"{site.url}/?lang=de")
    room = page.locator("#sc-chat .bubble-wrap")
    expect(room).to_contain_text("Wie können wir helfen?")
    expect(room.get_by_role("button")).to_have_count(6)
    page.wait_for_function(
        "room => room.scrollHeight <= room.clientHeight", arg=room.element_handle()
    )
    toggle = page.locator("#sc-sidebar button.toggle-button").bounding_box()
    logo = page.locator(".sc-logo").bounding_box()
    assert toggle
    assert logo
    assert toggle["x"] + toggle["width"] <= logo["x"]  # it lies on nothing
