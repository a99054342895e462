"""The page in a real Chromium: chat, race and dashboard on an engine with a fixed pace."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.ui.chat_page import ask, finished, open_page
from tests.ui.conftest import WAIT_MS, Site

expect.set_options(timeout=WAIT_MS)
FOOTER = re.compile(r"\d+ tok/s · \d+ tokens · τ \d\.\d · \d+ % drafts accepted · TTFT [\d.]+ m?s")
LAST_DRAWN = {
    "Chat": "#sc-chat .thought-group .title",
    "Race": "#sc-race-start",
    "Dashboard": "#sc-dash-tiles .sc-tile",
}
NEXT_FRAME = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
ONE_LANE_IS_DONE = """() => ["[data-phase=replaying]", "[data-lane=speculative][data-state=done]",
    "[data-lane=plain][data-state=running]"].every(part => document.querySelector(part))"""
PAYLOAD = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> **hello** order?'


@pytest.fixture(autouse=True)
def _at_the_usual_pace(site: Site) -> Iterator[None]:
    """Every test begins with an engine that works at the usual pace."""
    yield
    site.engine.full.clear()
    site.engine.flowing.set()
    site.engine.step_s, site.engine.repeats = 0.01, 1


def test_an_answer_streams_and_leaves_a_footer(page: Page, site: Site) -> None:
    site.engine.flowing.clear()
    open_page(page, site)
    ask(page, "Where is my refund?")
    bot = page.locator("#sc-chat [data-testid=bot]").first
    expect(bot).to_contain_text("I understand")
    assert "which order" not in bot.inner_text()
    site.engine.flowing.set()
    finished(page)
    expect(bot).to_contain_text("which order it was for")
    expect(page.locator("#sc-chat .thought-group .title")).to_have_text(FOOTER)
    expect(page.locator("#sc-question textarea")).to_have_value("")


def test_the_footer_opens_to_the_accepted_drafts(page: Page, site: Site) -> None:
    open_page(page, site)
    ask(page, "Where is my refund?")
    finished(page)
    page.locator("#sc-chat .thought-group .title").press("Enter")
    expect(page.locator("#sc-chat .sc-marked .sc-src-mlp").first).to_be_visible()
    mark = page.locator("#sc-chat .sc-marked .sc-src-ngram").first
    assert mark.evaluate("e => getComputedStyle(e).textDecorationStyle") == "dotted"
    expect(page.locator("#sc-chat .sc-legend")).to_contain_text("MLP speculator (solid line)")


def test_plain_mode_says_plain(page: Page, site: Site) -> None:
    open_page(page, site)
    page.get_by_role("button", name="Options").first.click()
    page.get_by_label("Speculative decoding").uncheck()
    ask(page, "Without drafts, please")
    finished(page)
    expect(page.locator("#sc-chat .thought-group .title")).to_contain_text("plain")


def test_markup_from_a_customer_stays_text(page: Page, site: Site) -> None:
    open_page(page, site)
    ask(page, PAYLOAD)
    finished(page)
    expect(page.locator("#sc-chat [data-testid=user]")).to_contain_text("<script>")
    page.get_by_role("tab", name="Race").click()
    page.locator("#sc-race-question textarea").fill(PAYLOAD)
    page.locator("#sc-race-start").click()
    expect(page.locator("#sc-race-headline")).to_contain_text("same answer ✓")
    page.get_by_role("tab", name="Dashboard").click()
    expect(page.locator("#sc-dash-headline .sc-big")).to_be_visible()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("question", ["   ", "word " * 20_000])
def test_a_question_that_cannot_be_answered_stays_in_the_box(
    page: Page, site: Site, question: str
) -> None:
    open_page(page, site)
    ask(page, question)
    expect(page.locator("#sc-alert [role=alert]")).to_be_visible()
    expect(page.locator("#sc-question textarea")).to_have_value(question)
    finished(page, 0)


def test_a_full_engine_says_so_and_keeps_the_question(page: Page, site: Site) -> None:
    site.engine.full.set()
    open_page(page, site)
    ask(page, "Are you there?")
    expect(page.locator("#sc-alert [role=alert]")).to_contain_text("Many customers")
    expect(page.locator("#sc-question textarea")).to_have_value("Are you there?")


def test_a_race_shows_both_lanes_the_verdict_and_a_replay(page: Page, site: Site) -> None:
    site.engine.step_s = 0.03
    open_page(page, site)
    page.get_by_role("tab", name="Race").click()
    page.locator("#sc-race-question textarea").fill("Where is my refund?")
    page.locator("#sc-race-start").click()
    expect(page.locator("#sc-race-headline .sc-big")).to_have_text(
        re.compile(r"\d+\.\dx faster, .+ saved, same answer ✓")
    )
    board = page.locator("#sc-race-board .sc-race")
    expect(board).to_have_attribute("data-phase", "replayed")
    lanes = page.locator("#sc-race-board .sc-lane-text")
    assert lanes.nth(0).inner_text() == lanes.nth(1).inner_text()
    expect(page.locator("#sc-race-board .sc-timeline svg[role=img]")).to_be_visible()
    total = float(page.locator("[data-lane=plain] .sc-lane-clock").inner_text().split()[0])
    slower = re.match(r"Shown (\d+) times slower", page.locator("[data-pace]").inner_text())
    assert total >= 2 or (slower and 1.9 <= total * int(slower[1]) <= 4.1)
    page.locator("[data-speed]").select_option("0.25")
    page.locator("[data-replay]").click()
    expect(page.locator("[data-pace]")).to_have_text(re.compile("Shown 4 times slower"))
    page.wait_for_function(ONE_LANE_IS_DONE)


def test_the_dashboard_shows_a_new_turn_by_itself(page: Page, site: Site) -> None:
    open_page(page, site)
    ask(page, "One more for the dashboard")
    finished(page)
    page.get_by_role("tab", name="Dashboard").click()
    tile = page.locator("#sc-dash-tiles .sc-tile b").first
    expect(tile).to_have_text(re.compile(r"\d+"))
    before = int(tile.inner_text())
    who = "f" * 32
    for _ in site.service.answer(site.service.new_conversation(who), "From elsewhere", owner=who):
        pass
    expect(tile).to_have_text(str(before + 1))
    page.get_by_role("tab", name="Engine").click()
    expect(page.locator("#sc-live")).to_contain_text("compiled 7/7")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_overflows(
    new_context: Callable[..., BrowserContext], site: Site, width: int, scheme: str
) -> None:
    page = new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()
    open_page(page, site)
    ask(page, "Does a verylongwordwithoutanyspaceinitthatgoesonandonandonandonandon fit?")
    finished(page)
    assert page.evaluate("document.body.classList.contains('dark')") is (scheme == "dark")
    for tab, drawn in LAST_DRAWN.items():
        page.get_by_role("tab", name=tab).click()
        expect(page.locator(drawn).first).to_be_visible()
        page.evaluate(NEXT_FRAME)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{tab} is {wide} px wide on a screen of {width} px"
