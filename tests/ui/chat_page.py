"""What tests do on the chat tab."""

from __future__ import annotations

from contextlib import suppress

from playwright.sync_api import Locator, Page, TimeoutError, expect

from tests.ui.conftest import Site


def open_page(page: Page, site: Site, *, consent: bool | None = None, view: str = "demo") -> Page:
    """Open a view; answer the question for consent when it is to be answered."""
    page.goto(f"{site.url}/{view}")
    expect(page.locator("#sc-question textarea")).to_be_visible()
    expect(page.locator("#sc-chat")).to_be_visible()
    if consent is not None:
        page.locator("#sc-agree" if consent else "#sc-decline").click()
        expect(page.locator("#sc-consent")).to_have_count(0)
    return page


def ask(page: Page, question: str) -> None:
    """Type a question and send it."""
    page.locator("#sc-question textarea").fill(question)
    page.locator("#sc-send").click()


def ask_for_person(page: Page) -> None:
    """Takes whichever way to a person is shown: the button, or the offer in its place."""
    page.locator("#sc-person:visible, #sc-accept:visible").first.click()


def open_tab(page: Page, name: str) -> None:
    """Opens a tab of the dashboard, which on a narrow screen stands in the menu of those that have
    no room."""
    tab = page.get_by_role("tab", name=name, exact=True).first
    entry = page.locator(".overflow-dropdown button", has_text=name).first
    for _ in range(20):  # a tab moves into the menu, or out of it, while the page is laid out
        with suppress(TimeoutError):
            if tab.is_visible():
                tab.click(timeout=6_000)
                return
            if not entry.is_visible():
                page.locator(".overflow-menu > button:visible").last.click(timeout=6_000)
            entry.click(timeout=6_000)
            return
    raise AssertionError(f"no tab {name!r} can be opened")


def finished(page: Page, count: int = 1) -> None:
    """Wait until so many answers are there to their end."""
    expect(page.locator("#sc-chat .thought-group .title")).to_have_count(count)


def finished_for_customer(page: Page, count: int = 1) -> None:
    """The same in the customers' view, where an answer says how long it took."""
    expect(page.locator("#sc-chat .sc-answered")).to_have_count(count)


def bot(page: Page) -> Locator:
    """What the shop says, message by message."""
    return page.locator("#sc-chat [data-testid=bot]")


def user(page: Page) -> Locator:
    """What the customer says, message by message."""
    return page.locator("#sc-chat [data-testid=user]")


def open_sidebar(page: Page) -> None:
    """Slide the sidebar in."""
    page.locator("#sc-sidebar button.toggle-button").click()
    expect(page.locator("#sc-new")).to_be_visible()
