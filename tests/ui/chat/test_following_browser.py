"""What of a growing conversation is in view, in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from tests.ui.chat_page import (
    ask,
    finished,
    finished_for_customer,
    open_page,
    open_sidebar,
    user,
)
from tests.ui.conftest import WAIT_MS, Site

expect.set_options(timeout=WAIT_MS)
PHONE = {"viewport": {"width": 360, "height": 640}, "has_touch": True}
New = Callable[..., BrowserContext]

_PLACES = """() => {
  const pane = document.querySelector("#sc-chat .bubble-wrap");
  const asked = [...document.querySelectorAll("#sc-chat [data-testid=user]")].pop();
  return [asked.getBoundingClientRect().top - pane.getBoundingClientRect().top,
          pane.scrollTop, pane.scrollHeight - pane.clientHeight];
}"""
_COVERED_BY = """(arrow) => {
  const { x, y, width, height } = arrow.getBoundingClientRect();
  const over = document.elementFromPoint(x + width / 2, y + height / 2);
  return over.closest("#sc-sidebar, #sc-chat").id;
}"""


def _asked(page: Page) -> tuple[float, float, float]:
    """Where the last question begins in the window of messages, how far that is scrolled, and how
    far it can be."""
    page.wait_for_timeout(1_000)
    top, scrolled, most = page.evaluate(_PLACES)
    return top, scrolled, most


def test_the_question_stays_in_view_while_its_answer_grows(new_context: New, site: Site) -> None:
    page = open_page(new_context(**PHONE).new_page(), site, consent=False, view="")
    for count, question in enumerate(("Where is order 4417?", "And where is order 4210?"), 1):
        ask(page, question)
        finished_for_customer(page, count)
        top, scrolled, most = _asked(page)
        assert top >= 0
        assert top < 20 or most - scrolled < 2
    assert scrolled > 0
    page.locator("#sc-chat .bubble-wrap").hover()
    page.mouse.wheel(0, -4_000)
    expect(user(page).first).to_be_in_viewport()
    page.wait_for_timeout(500)
    assert page.evaluate(_PLACES)[1] < scrolled


def test_what_is_opened_comes_into_view(new_context: New, site: Site) -> None:
    window = {"viewport": {"width": 1366, "height": 560}}
    page = open_page(new_context(**window).new_page(), site, consent=False)
    ask(page, "Where is order 4417?")
    finished(page)
    facts = page.locator("#sc-chat .thought-group .sc-facts")
    expect(facts).not_to_be_in_viewport()
    page.locator("#sc-chat .thought-group .title").click()
    expect(facts).to_be_in_viewport(ratio=0.9)


def test_the_arrow_to_the_newest_message_stays_under_the_sidebar(
    new_context: New, site: Site
) -> None:
    page = open_page(new_context(**PHONE).new_page(), site, consent=False)
    for count in (1, 2):
        ask(page, "Where is order 4417?")
        finished(page, count)
    page.locator("#sc-chat .bubble-wrap").hover()
    page.mouse.wheel(0, -4_000)
    arrow = page.locator("#sc-chat .scroll-down-button-container")
    expect(arrow).to_be_visible()
    open_sidebar(page)
    expect(page.locator("#sc-new")).to_be_in_viewport(ratio=1)
    assert arrow.evaluate(_COVERED_BY) == "sc-sidebar"
