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
