"""Who is at the browser: one customer in all of its tabs, and nobody where nothing is stored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from specchat.ui.chat.view import ChatView
from specchat.ui.chat.view_state import ChatViewState
from specchat.ui.shared.identity import Identity
from tests.ui.chat_page import ask, bot, finished, open_page, open_sidebar, user
from tests.ui.conftest import WAIT_MS, Site, eventually, wait_for_rows

expect.set_options(timeout=WAIT_MS)
New = Callable[..., BrowserContext]
BLOCKED = """for (const name of ["localStorage", "sessionStorage"]) {
  const get = () => { throw new DOMException("blocked", "SecurityError"); };
  Object.defineProperty(window, name, { get });
}"""


@pytest.fixture(autouse=True)
def _nobody_waits(site: Site) -> Iterator[None]:
    """Every test leaves an empty desk and an engine that goes on."""
    yield
    site.engine.flowing.set()
    for row in site.service.handoffs.queue():
        site.service.handoffs.close(row.handoff_id)


def forget(page: Page) -> None:
    open_sidebar(page)
    page.locator("#sc-data button").first.click()
    page.locator("#sc-forget").click()
    page.locator("#sc-forget-yes").click()
    expect(page.locator("#sc-notes")).to_contain_text("has been erased")


def test_an_answer_to_consent_outlives_a_late_load(
    page: Page, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed, loaded, show = threading.Event(), threading.Event(), ChatView.show

    def late(view: ChatView, who: Identity) -> ChatViewState:
        shown = show(view, who)
        agreed.wait(WAIT_MS / 1000)
        loaded.set()
        return shown

    monkeypatch.setattr(ChatView, "show", late)
    page.goto(site.url)
    page.locator("#sc-agree").click()
    expect(page.locator("#sc-consent")).to_have_count(0)
    agreed.set()
    assert loaded.wait(WAIT_MS / 1000)
    page.wait_for_timeout(500)  # what the load says arrives
    expect(page.locator("#sc-consent")).to_have_count(0)


def test_two_tabs_of_a_fresh_browser_are_one_customer(new_context: New, site: Site) -> None:
    context = new_context()
    first, second = context.new_page(), context.new_page()
    for page in (first, second):
        page.goto(f"{site.url}/demo")
    for page, question in ((first, "Where is my cerise sofa?"), (second, "And my ochre mirror?")):
        page.locator("#sc-agree").click()
        expect(page.locator("#sc-consent")).to_have_count(0)
        ask(page, question)
        finished(page)
    eventually(lambda: site.store.flush() and site.holds("cerise") and site.holds("ochre"))
    first.reload()
    finished(first)
    expect(user(first)).to_have_text("Where is my cerise sofa?")  # each tab keeps its own open
    forget(first)
    assert site.store.wait_for_clean_log()
    assert not site.holds("cerise")
    assert not site.holds("ochre")

    ask(second, "Is anybody there?")
    expect(second.locator("#sc-notes")).to_contain_text("no longer there")
    finished(second)
    third = context.new_page()
    third.goto(f"{site.url}/demo")
    open_sidebar(third)
    expect(third.locator("#sc-conversations label")).to_have_count(1)


def test_agreeing_counts_for_what_is_sent_right_after_it(page: Page, site: Site) -> None:
    open_page(page, site)
    page.locator("#sc-question textarea").fill("Where is my taupe armchair?")
    before = len(site.store.metrics())
    page.evaluate("""() => {
        document.querySelector("#sc-agree").click();
        document.querySelector("#sc-send").click();
    }""")
    finished(page)
    wait_for_rows(site, before + 1)
    assert site.holds("taupe armchair")
    expect(page.locator("#sc-consent")).to_have_count(0)
    ask(page, "And its cushion?")  # the same conversation goes on
    finished(page, 2)
    page.reload()
    finished(page, 2)
    expect(page.locator("#sc-consent")).to_have_count(0)
    open_sidebar(page)
    expect(page.locator("#sc-conversations label")).to_have_count(1)
    page.locator("#sc-data button").first.click()
    expect(page.locator("#sc-keep input")).to_be_checked()


def test_an_answer_to_the_question_for_consent_is_not_taken_back_by_an_earlier_event(
    page: Page, site: Site
) -> None:
    """An answer that was asked for before the click ends after it."""
    site.engine.flowing.clear()
    open_page(page, site)
    ask(page, "Where is my puce table?")
    expect(bot(page).first).to_contain_text("I understand")
    page.locator("#sc-agree").click()
    expect(page.locator("#sc-consent")).to_have_count(0)
    site.engine.flowing.set()
    finished(page)
    expect(page.locator("#sc-consent")).to_have_count(0)
    eventually(lambda: site.store.flush() and site.holds("puce table"))
    open_sidebar(page)
    page.locator("#sc-data button").first.click()
    expect(page.locator("#sc-keep input")).to_be_checked()


def test_declining_counts_for_what_is_sent_right_after_it(page: Page, site: Site) -> None:
    open_page(page, site, consent=True)
    ask(page, "Where is my lilac stool?")
    finished(page)
    open_sidebar(page)
    page.locator("#sc-data button").first.click()
    page.locator("#sc-question textarea").fill("Where is my maroon bench?")
    before = len(site.store.metrics())
    page.evaluate("""() => {
        document.querySelector("#sc-keep input").click();
        document.querySelector("#sc-send").click();
    }""")
    wait_for_rows(site, before + 1)
    assert site.holds("lilac stool")
    assert not site.holds("maroon bench")


def test_a_browser_that_stores_nothing_is_told_and_nothing_is_kept(
    new_context: New, site: Site
) -> None:
    context = new_context()
    context.add_init_script(BLOCKED)
    page = context.new_page()
    page.goto(f"{site.url}/demo")
    expect(page.locator("#sc-keeps-nothing")).to_contain_text("is not kept")
    expect(page.locator("#sc-consent")).to_have_count(0)
    before = len(site.store.metrics())
    for count, question in enumerate(("Where is my khaki rug?", "And my khaki lamp?"), start=1):
        ask(page, question)
        finished(page, count)
    open_sidebar(page)
    page.locator("#sc-data button").first.click()
    page.locator("#sc-keep input").click()
    expect(page.locator("#sc-alert")).to_contain_text("store nothing")
    expect(page.locator("#sc-keep input")).not_to_be_checked()
    ask(page, "My khaki curtain?")
    finished(page, 3)
    wait_for_rows(site, before + 3)
    assert not site.holds("khaki")
    expect(page.locator("#sc-listed")).to_contain_text("No conversation is kept")


def test_a_browser_that_stores_shows_no_such_notice(page: Page, site: Site) -> None:
    open_page(page, site)
    expect(page.locator("#sc-keeps-nothing")).to_be_hidden()


@pytest.mark.parametrize(
    ("question", "button", "reason"),
    [
        ("Where is order 4417?", "#sc-person", "asked"),
        ("Which moons orbit the planet Saturn?", "#sc-accept", "unsure"),
    ],
)
def test_who_asks_for_a_person_has_asked_and_who_takes_the_offer_was_unsure(
    page: Page, site: Site, question: str, button: str, reason: str
) -> None:
    open_page(page, site, consent=True)
    expect(page.locator("#sc-accept")).to_have_count(0)
    ask(page, question)
    finished(page)
    ways = page.locator("#sc-person:visible, #sc-accept:visible")
    expect(ways).to_have_count(1)
    expect(ways).to_have_id(button.removeprefix("#"))
    ways.click()
    expect(page.locator("#sc-panel")).to_contain_text("You are next")
    assert [row.reason for row in site.service.handoffs.queue()] == [reason]
    expect(page.locator("#sc-accept")).to_have_count(0)
    expect(bot(page).first).to_be_visible()
