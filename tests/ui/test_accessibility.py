"""axe finds nothing serious on any tab, wide and on a phone, in light and dark."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from tests.ui import chat_page
from tests.ui.conftest import WAIT_MS, Site

expect.set_options(timeout=WAIT_MS)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}


def faults(page: Page) -> list[str]:
    """Serious and critical findings: the elements that have them, and what to mend."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{node['target']}: {node['failureSummary']}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_no_tab_has_a_serious_fault(
    new_context: Callable[..., BrowserContext], site: Site, scheme: str, width: int
) -> None:
    screen = {"width": width, "height": 800}
    page = new_context(viewport=screen, color_scheme=scheme, reduced_motion="reduce").new_page()
    chat_page.open_page(page, site)
    found = {"consent": faults(page)}
    page.locator("#sc-agree").click()
    chat_page.ask(page, "Where is my refund?")
    chat_page.finished(page)
    found["chat"] = faults(page)
    page.get_by_role("tab", name="Race").click()
    page.locator("#sc-race-question textarea").fill("Where is my refund?")
    page.locator("#sc-race-start").click()
    expect(page.locator("#sc-race-headline .sc-big")).to_contain_text("same answer")
    expect(page.locator(".sc-steps-tree svg")).to_be_visible()
    found["race"] = faults(page)
    page.get_by_role("tab", name="Dashboard").click()
    expect(page.locator("#sc-dash-headline .sc-big")).to_be_visible()
    found["dashboard"] = faults(page)
    for view in ("Speed", "Drafts", "Engine", "Under load", "Turns"):
        chat_page.open_tab(page, view)
        found[view] = faults(page)
    page.goto(f"{site.url}/desk")
    expect(page.locator("#sc-key input")).to_be_visible()
    found["desk"] = faults(page)
    page.goto(site.url)
    expect(page.locator("#sc-question textarea")).to_be_visible()
    chat_page.finished_for_customer(page)
    found["customer"] = faults(page)
    assert {tab: list for tab, list in found.items() if list} == {}
