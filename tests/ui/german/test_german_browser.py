"""Nothing that the English page says is left on the German one: every tab is read in both."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from specchat.evidence.scenario import SCENARIOS
from tests.ui import chat_page
from tests.ui.conftest import DESK_KEY, WAIT_MS, Site
from tests.ui.double import ANSWER
from tests.ui.made_up import fill_charts

expect.set_options(timeout=WAIT_MS)

SAID = """() => {
  // Every text that can be seen, heard or hovered over.
  const found = new Set();
  const take = (text) => {
    const line = (text || "").replace(/\\s+/g, " ").trim();
    if (line) found.add(line);
  };
  const seen = (element) => element && element.checkVisibility({ visibilityProperty: true });
  const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
    const parent = node.parentElement;
    if (parent.closest("script, style, code, .sc-lane-text, .sc-node text, .sc-marked")) continue;
    if (parent.closest(".plotly text") && !parent.closest(".xtick, .ytick")) continue; // see below
    if (seen(parent)) take(node.data);
  }
  for (const element of document.querySelectorAll("[aria-label], [placeholder], [title]")) {
    if (!seen(element)) continue;
    for (const name of ["aria-label", "placeholder", "title"]) take(element.getAttribute(name));
  }
  for (const menu of document.querySelectorAll("input[role=combobox]")) {
    take(Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").get.call(menu));
  }
  const plain = (text) => take(String(text).replace(/<br>/g, " ").replace(/<[^>]*>/g, " · "));
  for (const plot of document.querySelectorAll(".js-plotly-plot")) {
    for (const trace of plot.data) {
      for (const name of ["name", "text", "hovertemplate", "x", "y"]) {
        [trace[name]].flat().forEach((value) => { if (typeof value === "string") plain(value); });
      }
    }
    const { title, xaxis, yaxis } = plot.layout;
    for (const each of [title, xaxis.title, yaxis.title]) if (each && each.text) plain(each.text);
  }
  take(document.title);
  return [...found];
}"""

SAME = {
    # terms that are the same in German, and names
    "Chat", "Chats", "Seed", "TPOT", "TTFT", "E2E", "Median", "Status", "Hardware", "min",
    "English", "Deutsch", "specchat", "logo", "float32", "cpu", "care", "scripted", "mlp", "ngram",
    "suffix", "bfloat16", "AMD", "EPYC", "Fernhollow", "Filter", "JSON", "Markdown",
}  # fmt: skip
WORD = re.compile(r"[A-Za-zÄÖÜäöüß]{3,}[0-9]*")
"""What has no word of three letters is a number, a unit or a sign."""
ENGLISH = re.compile(
    r"\b(?:the|of|and|or|is|are|not|this|that|with|over|from|to|for|your|you|saved|lost|slower|"
    r"accepted|tokens|turns|races|threads|interval)\b"
)
"""Words that no German sentence has."""


@pytest.fixture(scope="module", autouse=True)
def _filled(site: Site) -> None:
    """Enough races for every chart, alarms, and two configurations."""
    fill_charts(site.store)
    assert site.store.flush()


@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_english_is_left(
    new_context: Callable[..., BrowserContext], site: Site, width: int
) -> None:
    page = new_context(
        viewport={"width": width, "height": 800}, reduced_motion="reduce", locale="en-GB"
    ).new_page()
    seen = {name: (english, german) for name, english, german in views(page, site)}
    left = {
        name: sorted(
            text
            for text in german
            if (text in english or ENGLISH.search(text)) and not may_stay(text)
        )
        for name, (english, german) in seen.items()
    }
    assert {name: texts for name, texts in left.items() if texts} == {}
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def said(page: Page) -> set[str]:
    """All that can be read, once it stays as it is."""
    before: set[str] = set()
    for _ in range(50):
        now = set(page.evaluate(SAID))
        if now == before:
            break
        before = now
        page.wait_for_timeout(200)
    return before


def views(page: Page, site: Site) -> list[tuple[str, set[str], set[str]]]:
    """Every view by name, with what it says in English and in German."""
    found = []

    def look(name: str) -> None:
        english = said(page)
        page.locator("[data-language]").select_option("de")
        expect(page.locator("html")).to_have_attribute("lang", "de")
        page.wait_for_function(
            "() => !document.querySelector('.js-plotly-plot .plot-container:empty')"
        )
        german = said(page)
        page.locator("[data-language]").select_option("en")
        assert english, name
        found.append((name, english, german))

    chat_page.open_page(page, site)
    look("first contact")
    page.locator("#sc-agree").click()
    expect(page.locator("#sc-consent")).to_have_count(0)
    chat_page.ask(page, "Where is my order 4417? Write to jane.doe@example.org")
    chat_page.finished(page)
    page.locator("#sc-chat .thought-group .title").press("Enter")
    chat_page.ask_for_person(page)
    expect(page.locator(".sc-handoff")).to_be_visible()
    page.get_by_role("button", name="Options").first.click()
    look("chat")
    chat_page.ask(page, "Where is order 999999?")
    chat_page.finished(page, 2)
    page.locator("#sc-back").click()
    page.locator("#sc-end").click()
    expect(page.locator("#sc-rating")).to_be_visible()
    page.locator("#sc-rate").click()
    expect(page.locator("#sc-alert [role=alert]")).to_be_visible()
    look("rating")
    chat_page.open_sidebar(page)
    page.locator("#sc-data button").first.click()
    page.locator("#sc-forget").click()
    look("sidebar")
    page.locator("#sc-sidebar button.toggle-button").click()
    page.get_by_role("tab", name="Race").click()
    look("race, first visit")
    page.get_by_role("button", name="Options").last.click()
    page.locator("#sc-race-start").click()
    expect(page.locator("#sc-race-alert [role=alert]")).to_be_visible()
    look("race without a question")
    page.locator("#sc-race-all").click()
    expect(page.locator("#sc-race-results tbody tr")).to_have_count(5)
    expect(page.locator("#sc-race-start")).to_be_visible()
    expect(page.locator("#sc-race-board .sc-timeline svg[role=img]")).to_be_visible()
    page.locator("[data-share-link]").click()
    look("race")
    page.get_by_role("tab", name="Dashboard").click()
    expect(page.locator(".js-plotly-plot:visible")).to_have_count(2)
    page.locator("#sc-dash-filter button").first.click()
    page.locator("#sc-compare button").first.click()
    expect(page.locator("#sc-compared table")).to_be_visible()
    page.locator("#sc-savings button").first.click()
    expect(page.locator("#sc-saved .sc-big")).to_be_visible()
    page.locator("#sc-export-csv").click()
    expect(page.locator("#sc-export-said")).to_contain_text("exported")
    look("dashboard")
    page.locator("#sc-filters").get_by_label("Time", exact=True).click()
    look("an open menu")
    page.keyboard.press("Escape")
    for view, charts in (("Speed", 3), ("Engine", 1), ("Turns", 0)):
        chat_page.open_tab(page, view)
        expect(page.locator(".js-plotly-plot:visible")).to_have_count(charts)
        look(view)
    chat_page.open_tab(page, "Under load")
    expect(page.locator("#sc-load .js-plotly-plot:visible").nth(3)).to_be_visible()
    look("under load")
    chat_page.open_tab(page, "Drafts")
    page.locator("#sc-speculators button").first.click()
    expect(page.locator("#sc-speculators-words table")).to_be_visible()
    look("drafts")
    page.goto(f"{site.url}/desk")
    expect(page.locator("#sc-key input")).to_be_visible()
    look("the desk's door")
    page.locator("#sc-key input").fill("wrong")
    page.locator("#sc-desk-open").click()
    expect(page.locator("#sc-desk-alert [role=alert]")).to_be_visible()
    look("a wrong key")
    page.locator("#sc-key input").fill(DESK_KEY)
    page.locator("#sc-desk-open").click()
    expect(page.locator("#sc-desk-room")).to_be_visible()
    look("the desk")
    return found


def may_stay(text: str) -> bool:
    """True for what is the same in German: names, terms, what the model or a customer said."""
    return set(WORD.findall(text)) <= SAME or any(
        text in said or said in text for said in content()
    )


def content() -> set[str]:
    """What is no interface: questions and answers. The shop's own words have their German."""
    return {
        "Where is my order 4417? Write to [email]",
        "Where is my order 4417? Write to jane.doe@example.org",
        "Where is order 999999?",
        "jane.doe@example.org",
        "UPS",
        *(scenario.question for scenario in SCENARIOS),
        ANSWER.strip(),
    }
