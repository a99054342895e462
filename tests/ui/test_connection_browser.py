"""When the network or the server goes away: a calm notice, and nothing typed is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.ui.chat_page import ask, bot, finished, open_page, user
from tests.ui.conftest import WAIT_MS, Site, free_port, whole_app

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(autouse=True)
def _at_the_usual_pace(site: Site) -> Iterator[None]:
    yield
    site.engine.flowing.set()


def notice(page: Page) -> Locator:
    """What the page says about the connection."""
    return page.locator(".sc-connection")


def question(page: Page) -> Locator:
    """The box in which customers ask."""
    return page.locator("#sc-question textarea")


def test_a_cut_network_is_said_and_the_question_stays(page: Page, site: Site) -> None:
    open_page(page, site, consent=True)
    question(page).fill("Where is my parcel?")
    page.context.set_offline(True)
    expect(notice(page)).to_contain_text("You are offline")
    expect(notice(page)).to_have_attribute("aria-live", "polite")
    expect(question(page)).to_have_value("Where is my parcel?")
    page.context.set_offline(False)
    expect(notice(page)).to_be_hidden()
    expect(question(page)).to_have_value("Where is my parcel?")
    page.locator("#sc-send").click()
    finished(page)


def test_a_question_sent_without_a_network_comes_back_on_a_phone_in_german(
    new_context: Callable[..., BrowserContext], site: Site
) -> None:
    phone = new_context(viewport={"width": 360, "height": 740}, color_scheme="dark")
    page = open_page(phone.new_page(), site, consent=True)
    page.locator("[data-language]").select_option("de")
    phone.set_offline(True)
    ask(page, "Where is my parcel?")
    expect(notice(page)).to_contain_text("Ihre Eingaben bleiben erhalten")
    expect(page.locator(".toast-body")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    phone.set_offline(False)
    expect(notice(page)).to_be_hidden()
    expect(question(page)).to_have_value("Where is my parcel?")
    page.locator("#sc-send").click()
    finished(page)


def test_a_question_that_was_being_answered_is_not_lost(page: Page, site: Site) -> None:
    open_page(page, site, consent=True)
    site.engine.flowing.clear()
    ask(page, "Where is my parcel?")
    expect(bot(page).first).to_contain_text("I understand")
    page.context.set_offline(True)
    expect(notice(page)).to_contain_text("You are offline")
    site.engine.flowing.set()
    page.context.set_offline(False)
    expect(notice(page)).to_be_hidden()
    finished(page)
    expect(user(page)).to_have_text("Where is my parcel?")
    expect(question(page)).to_have_value("")


def test_a_server_that_ends_and_comes_back(
    page: Page, tiny_model_dir: Path, tmp_path: Path
) -> None:
    port = free_port()
    parts = (tiny_model_dir, "ngram", tmp_path / "again.db", port)
    with whole_app(*parts) as url:
        page.goto(f"{url}/demo")
        page.locator("#sc-agree").click()
        expect(page.locator("#sc-consent")).to_have_count(0)
        question(page).fill("Where is my parcel?")
        page.get_by_role("tab", name="Race").click()
        page.locator("#sc-race-question textarea").fill("And how fast is it?")
    expect(notice(page)).to_contain_text("The server does not answer")
    expect(page.locator(".toast-body")).to_be_hidden()
    expect(page.locator("#sc-race-question textarea")).to_have_value("And how fast is it?")
    with whole_app(*parts):
        expect(notice(page)).to_be_hidden()
        expect(page.get_by_role("tab", name="Race")).to_have_attribute("aria-selected", "true")
        expect(page.locator("#sc-race-question textarea")).to_have_value("And how fast is it?")
        page.get_by_role("tab", name="Chat").click()
        expect(question(page)).to_have_value("Where is my parcel?")
        page.locator("#sc-send").click()
        finished(page)
