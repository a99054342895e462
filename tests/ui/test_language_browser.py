"""German and English in a real Chromium: changed where they stand, and kept."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from .conftest import WAIT_MS, Site

expect.set_options(timeout=WAIT_MS)


def test_the_language_changes_where_it_stands_and_stays(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/?race=Where+is+it&seed=3")
    question = page.locator("#sc-race-question textarea")
    expect(question).to_have_value("Where is it")
    page.locator("[data-language]").select_option("de")
    expect(page.get_by_role("tab", name="Auswertung")).to_be_visible()
    page.locator("#sc-race-start").click()
    expect(page.locator("#sc-race-headline .sc-big")).to_contain_text("gleiche Antwort ✓")
    expect(page.locator(".sc-steps-words")).to_contain_text("angenommen")
    expect(page.locator("#sc-race-board .sc-lane-text").first).to_contain_text("I understand")
    expect(question).to_have_value("Where is it")
    page.goto(site.url)
    expect(page.get_by_role("tab", name="Rennen")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "de"
    page.locator("[data-language]").select_option("en")
    expect(page.get_by_role("tab", name="Race")).to_be_visible()


GERMAN = {
    "2.05x faster with speculation": "Mit Spekulation 2,05-mal so schnell",
    "1,234 free": "1.234 frei",
    "2026-11-21 19:05:10": "2026-11-21 19:05:10",
    "code 0.1.0+gcc05508": "Code 0.1.0+gcc05508",
    "granite-3.1-8b": "granite-3.1-8b",
    "median of 13 prompts, 95 % interval 0.69x to 2.46x; 2 slower; 1.5 s lost over 13 races": (
        "Median aus 13 Fragen, 95-%-Intervall 0,69x bis 2,46x; 2 langsamer; in 13 Rennen 1,5 s "
        "verloren"
    ),
    "Hidden in the record: 2 card numbers, 1 e-mail address.": (
        "In der Aufzeichnung geschwärzt: 2 Kartennummern, 1 E-Mail-Adresse."
    ),
}


def test_sentences_of_parts_and_numbers_are_german_and_names_are_left(
    page: Page, site: Site
) -> None:
    page.goto(f"{site.url}/?lang=de")
    page.wait_for_function("window.specchat")
    assert {text: page.evaluate("text => specchat.say(text)", text) for text in GERMAN} == GERMAN
