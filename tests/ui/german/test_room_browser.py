"""Room for German words: what a menu says ends before its arrow, and buttons in a row are alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.ui.conftest import WAIT_MS, Site
from tests.ui.made_up import fill_charts

expect.set_options(timeout=WAIT_MS)
SPACE = """(menu) => {
  const style = getComputedStyle(menu), box = menu.getBoundingClientRect();
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = style.font;
  const value = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
  const shown = menu.matches("select") ? menu.selectedOptions[0].textContent : value.get.call(menu);
  const icon = menu.parentElement.querySelector(".icon-wrap svg");
  const arrow = icon ? icon.getBoundingClientRect().left : box.right - 18;
  return [shown, arrow - (box.left + parseFloat(style.paddingLeft) + pen.measureText(shown).width)];
}"""
"""What a menu shows, and the pixels between its words and its arrow."""


@pytest.fixture(params=["de", "en"])
def demo(
    new_context: Callable[..., BrowserContext], site: Site, request: pytest.FixtureRequest
) -> Page:
    page = new_context(viewport={"width": 1366, "height": 768}).new_page()
    page.goto(f"{site.url}/demo?lang={request.param}")
    expect(page.locator("html")).to_have_attribute("lang", request.param)
    expect(page.locator("#sc-question textarea")).to_be_visible()
    return page


def heights(page: Page, buttons: str) -> set[int]:
    """Of buttons that stand beside and below each other."""
    expect(page.locator(buttons).first).to_be_visible()
    boxes = [each.bounding_box() for each in page.locator(buttons).all()]
    assert len(boxes) > 4
    return {round(box["height"]) for box in boxes if box}


def test_menus_and_buttons_have_room(demo: Page, site: Site) -> None:
    fill_charts(site.store)
    assert site.store.flush()
    assert len(heights(demo, "#sc-chat .example")) == 1
    demo.get_by_role("tab").nth(1).click()
    assert len(heights(demo, "#sc-race-scenarios button")) == 1
    menus = demo.locator(".sc-race-controls select, [data-language]").all()
    space = [menu.evaluate(SPACE) for menu in menus]
    demo.get_by_role("tab").nth(2).click()
    demo.locator("#sc-dash-filter button").first.click()
    expect(demo.locator("#sc-filters input[role=combobox]").first).to_be_visible()
    menus = demo.locator("#sc-filters input[role=combobox]").all()
    space += [menu.evaluate(SPACE) for menu in menus]
    assert len(space) == 9
    assert {shown: left for shown, left in space if left < 2} == {}
