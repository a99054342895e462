"""The door of the desk in a real Chromium: it stays open over a reload, until somebody locks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from specchat.ui.desk.door import COOKIE, KEY_HEADER
from specchat.ui.shared.identity import new_owner
from tests.ui.conftest import DESK_KEY, WAIT_MS, Site
from tests.ui.endpoints import by_name, call

expect.set_options(timeout=WAIT_MS)
New = Callable[..., BrowserContext]


@pytest.fixture
def ticket(site: Site) -> Iterator[str]:
    """Of a customer who waits."""
    owner = new_owner()
    conversation = site.service.new_conversation(owner)
    for _ in site.service.answer(conversation, "Where is my quokka lamp?", owner=owner):
        pass
    handoff = site.service.request_person(conversation, owner=owner)
    yield handoff.ticket
    site.service.handoffs.close(handoff.handoff_id)


def open_desk(page: Page, site: Site) -> Page:
    page.goto(f"{site.url}/desk")
    page.locator("#sc-key input").fill(DESK_KEY)
    page.locator("#sc-key input").press("Enter")
    expect(page.locator("#sc-desk-room")).to_be_visible()
    return page


def locked(page: Page) -> None:
    """The door is shown, and nothing of the room is left."""
    expect(page.locator("#sc-key input")).to_be_visible()
    expect(page.locator("#sc-desk-room")).to_have_count(0)
    assert "quokka" not in page.content()


def test_the_desk_stays_open_over_a_reload_and_in_a_new_tab(
    new_context: New, site: Site, ticket: str
) -> None:
    context = new_context()
    page = open_desk(context.new_page(), site)
    page.reload()
    page.locator("#sc-customers label", has_text=ticket).click()
    expect(page.locator("#sc-case")).to_contain_text("quokka lamp")
    expect(page.locator("#sc-key")).to_have_count(0)
    page.locator("#sc-reply textarea").fill("I am looking for it")
    page.locator("#sc-reply-send").click()
    expect(page.locator("#sc-case")).to_contain_text("I am looking for it")
    second = context.new_page()
    second.goto(f"{site.url}/desk")
    expect(second.locator("#sc-customers label", has_text=ticket)).to_be_visible()
    (kept,) = [each for each in context.cookies() if each["name"] == COOKIE]
    assert (kept["httpOnly"], kept["sameSite"], kept["expires"]) == (True, "Strict", -1)
    assert DESK_KEY not in str(kept)


def test_to_lock_it_closes_every_tab_of_the_browser(
    new_context: New, site: Site, ticket: str
) -> None:
    context = new_context()
    first, second = open_desk(context.new_page(), site), context.new_page()
    second.goto(f"{site.url}/desk")
    second.locator("#sc-customers label", has_text=ticket).click()
    expect(second.locator("#sc-case")).to_contain_text("quokka lamp")
    colleague = open_desk(new_context().new_page(), site)
    first.locator("#sc-desk-lock").click()
    expect(first.locator("#sc-desk-alert")).to_contain_text("The desk is locked")
    locked(first)
    locked(second)  # by its next look at who waits
    assert not [each for each in context.cookies() if each["name"] == COOKIE]
    first.reload()
    locked(first)
    colleague.reload()
    expect(colleague.locator("#sc-desk-room")).to_be_visible()


@pytest.mark.parametrize("value", ["made-up", DESK_KEY])
def test_a_wrong_cookie_is_shown_the_door(new_context: New, site: Site, value: str) -> None:
    context = new_context()
    context.add_cookies([{"name": COOKIE, "value": value, "url": site.url}])
    page = context.new_page()
    page.goto(f"{site.url}/desk")
    locked(page)


def test_the_door_is_a_card_in_the_middle(new_context: New, site: Site) -> None:
    for width in (390, 1366):
        page = new_context(viewport={"width": width, "height": 800}).new_page()
        page.goto(f"{site.url}/desk")
        card = page.locator("#sc-desk-door")
        expect(card).to_be_visible()
        expect(page.locator("#sc-desk-open")).to_be_visible()
        box = card.bounding_box()
        assert box
        assert 340 <= box["width"] <= 370
        assert box["height"] < 400
        assert abs(box["x"] + box["width"] / 2 - width / 2) < 8
        assert "SPECCHAT" not in page.locator("body").inner_text()


def test_an_open_session_is_of_no_use_to_pages_elsewhere(site: Site, ticket: str) -> None:
    """Not even to one on the same machine, whose requests have the cookie with them."""
    with httpx.Client(base_url=site.url, timeout=WAIT_MS / 1000) as http:
        assert http.post("/desk/session", headers={KEY_HEADER: DESK_KEY}).status_code == 204
        endpoint = by_name(http, "at_desk page.load")
        assert ticket in call(http, endpoint, [])
        http.headers["origin"] = "http://127.0.0.1:1"
        assert ticket not in call(http, endpoint, [])
