"""Sentences of several parts in German: none stays English because a "; " stands in it."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Page, expect

from specchat.ui.german import CATALOGUE
from tests.ui.chat_page import open_page
from tests.ui.conftest import WAIT_MS, Site

expect.set_options(timeout=WAIT_MS)
PLACE = re.compile(r"(?<!%)\{(\w+)(?::(\w+))?\}")
FILLED = {
    "number": ("1,234", "1.234"),
    "day": ("Monday, 23 November", "Montag, 23. November"),
    "word": ("care", "care"),
    "quote": ("a; b. c", "a; b. c"),
    "text": ("Not now", "Nicht jetzt"),
    "parts": ("Not now; Not now", "Nicht jetzt; Nicht jetzt"),
    None: ("Ann", "Ann"),
}
"""What may stand in a place, by its kind, in English and in German."""


def sentences() -> dict[str, str]:
    """Every sentence of the catalogue that has a "; ", with values in its places."""
    groups = json.loads(CATALOGUE.read_text(encoding="utf-8")).values()
    found = {}
    for english, german in ((e, g) for group in groups for e, g in group.items() if "; " in e):
        kinds = dict(PLACE.findall(english))

        def filled(text: str, language: int, kinds: dict[str, str] = kinds) -> str:
            return PLACE.sub(lambda place: FILLED[kinds[place[1]] or None][language], text)

        found[filled(english, 0)] = filled(german, 1)
    return found


def test_a_sentence_with_a_semicolon_is_german(page: Page, site: Site) -> None:
    open_page(page, site)
    page.locator("[data-language]").select_option("de")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    wanted = sentences()
    assert len(wanted) > 10
    said = page.evaluate("all => all.map((each) => specchat.say(each))", list(wanted))
    assert dict(zip(wanted, said, strict=True)) == wanted
    busy = next(each for each in wanted if each.startswith("the database is busy"))
    alert = f"The record could not be read or written: {busy}"
    told = f"Die Aufzeichnung ließ sich nicht lesen oder schreiben: {wanted[busy]}"
    assert page.evaluate("(alert) => specchat.say(alert)", alert) == told
    beside = [f"Not now · {each}" for each in wanted]
    said = page.evaluate("all => all.map((each) => specchat.say(each))", beside)
    assert said == [f"Nicht jetzt · {each}" for each in wanted.values()]
