"""What tests do on the chat tab."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.ui.conftest import Site


def open_page(page: Page, site: Site, *, consent: bool | None = None) -> Page:
    """Open the page; answer the question for consent when it is to be answered."""
    page.goto(site.url)
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


def finished(page: Page, count: int = 1) -> None:
    """Wait until so many answers are there to their end."""
    expect(page.locator("#sc-chat .thought-group .title")).to_have_count(count)


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
