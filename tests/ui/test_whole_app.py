"""`python app.py` as its own process, with the bundled model, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from tests.ui.conftest import WAIT_MS, whole_app

expect.set_options(timeout=WAIT_MS)


def test_a_customer_asks_races_and_finds_both_after_a_restart(
    new_context: Callable[..., BrowserContext],
    tmp_path: Path,
) -> None:
    database = tmp_path / "whole.db"
    context = new_context()
    with whole_app("care-mini", "mlp,ngram", database) as url:
        _ask(context.new_page(), url)
        _race(context.new_page(), url)
    with whole_app("care-mini", "mlp,ngram", database) as url:
        _find_both(context.new_page(), url)


def _ask(page: Page, url: str) -> None:
    page.goto(f"{url}/demo")
    page.locator("#sc-question textarea").fill("where is my refund for order 4417?")
    page.locator("#sc-send").click()
    title = page.locator("#sc-chat .thought-group .title")
    expect(title).to_contain_text(re.compile(r"\d+ tokens? · .*TTFT"))
    assert "{{" not in page.locator("#sc-chat [data-testid=bot]").first.inner_text()


def _race(page: Page, url: str) -> None:
    page.goto(f"{url}/demo")
    page.get_by_role("tab", name="Race").click()
    page.locator("#sc-race-question textarea").fill("where is my refund for order 4417?")
    page.locator("#sc-race-start").click()
    expect(page.locator("#sc-race-headline .sc-big")).to_contain_text("same answer ✓")
    expect(page.locator("#sc-race-board .sc-race")).to_have_attribute("data-phase", "replayed")
    lanes = page.locator("#sc-race-board .sc-lane-text").all_inner_texts()
    assert len(lanes) == 2
    assert "{{" not in "".join(lanes)  # the passes below show raw tokens


def _find_both(page: Page, url: str) -> None:
    page.goto(f"{url}/demo")
    page.get_by_role("tab", name="Dashboard").click()
    expect(page.locator("#sc-dash-tiles .sc-tile").first).to_contain_text("3")
    expect(page.locator("#sc-dash-tiles .sc-tile").first).to_contain_text("turns, 1 race")
    page.get_by_role("tab", name="Turns", exact=True).click()
    table = page.locator("#sc-table")
    expect(table).to_contain_text("Chat")
    expect(table).to_contain_text("plain")
    page.get_by_role("tab", name="Engine", exact=True).click()
    expect(page.locator("#sc-live")).to_contain_text("eager")
