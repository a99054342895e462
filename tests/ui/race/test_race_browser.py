"""The race in a real Chromium: walk-through, sets, passes, sharing, and links that open it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.ui.conftest import WAIT_MS, Site, eventually

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(autouse=True)
def _at_the_usual_pace(site: Site) -> Iterator[None]:
    yield
    site.engine.step_s = 0.01


def open_race(page: Page, url: str) -> Page:
    page.goto(f"{url}/demo")
    page.get_by_role("tab", name="Race").click()
    expect(page.locator("#sc-race-question textarea")).to_be_visible()
    return page


def raced(page: Page) -> None:
    expect(page.locator("#sc-race-headline .sc-big")).to_contain_text("same answer ✓")


def test_the_walk_through_comes_when_asked_for_and_works_by_keyboard(
    page: Page, site: Site
) -> None:
    open_race(page, site.url)
    card = page.locator(".sc-tour")
    expect(card).to_be_hidden()
    page.locator("[data-open]").press("Enter")
    expect(card).to_contain_text("Pick a question")
    page.keyboard.press("Enter")
    expect(card).to_contain_text("2 / 4")
    expect(page.locator(".sc-lanes.sc-tour-target")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(page.locator("[data-open]")).to_be_visible()


def test_passes_are_shown_and_a_race_is_shared(page: Page, site: Site, tmp_path: Path) -> None:
    open_race(page, site.url)
    page.get_by_role("button", name="Delivery").click()  # which starts the race
    expect(page.locator("#sc-race-question textarea")).to_have_value(re.compile("delivery"))
    raced(page)
    words = page.locator(".sc-steps-words")
    expect(words).to_have_text(re.compile(r"Pass \d+ of \d+, .+ 4 drafted, 3 accepted: 4 tokens"))
    tree = page.locator(".sc-steps-tree")
    expect(tree.locator(".sc-node-rejected")).to_have_count(1)
    expect(tree.locator(".sc-node-accepted.sc-node-mlp")).to_have_count(3)
    expect(tree.locator(".sc-node-own")).to_have_count(1)
    room, drawn = page.locator("section.sc-steps").bounding_box(), tree.bounding_box()
    assert room
    assert drawn
    assert drawn["width"] > 0.8 * room["width"]
    page.locator("[data-step-next]").press("Enter")
    expect(words).to_contain_text("Pass 2")
    page.locator("[data-share-link]").click()
    expect(page.locator("[data-share-address]")).to_have_value(re.compile("seed="))
    link = page.locator("[data-share-address]").input_value()
    asked = parse_qs(urlsplit(link).query)
    with page.expect_download() as saved:
        page.locator("[data-share-json]").click()
    file = json.loads(Path(saved.value.path()).read_text())
    assert file["identical"] is True
    assert len(file["lanes"]["plain"]["pieces"]) > 10
    assert asked["seed"] == [str(file["settings"]["seed"])]
    with page.expect_download() as saved:
        page.locator("[data-share-image]").click()
    assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")
    page.goto(link)
    expect(page.get_by_role("tab", name="Race")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#sc-race-question textarea")).to_have_value(file["question"])
    page.get_by_role("button", name="Options").last.click()
    expect(page.get_by_label("Seed").last).to_have_value(asked["seed"][0])


def test_all_five_are_raced_on_a_phone_in_the_dark(
    new_context: Callable[..., BrowserContext], site: Site
) -> None:
    site.engine.step_s = 0.002
    phone = new_context(viewport={"width": 360, "height": 740}, color_scheme="dark")
    page = open_race(phone.new_page(), site.url)
    before = len(site.store.races())
    page.locator("#sc-race-all").click()
    expect(page.locator("#sc-race-headline")).to_contain_text("same answer in 5 of 5")
    expect(page.locator("#sc-race-results tbody tr")).to_have_count(5)
    expect(page.locator("#sc-race-start")).to_be_visible()
    board = page.locator("#sc-race-board .sc-race")
    expect(board).to_have_attribute("data-phase", "replayed")
    page.locator("#sc-race-results [data-run]").first.click()
    expect(board).to_have_attribute("data-phase", "replaying")
    expect(board).to_have_attribute("data-phase", "replayed")
    expect(page.locator("#sc-race-legend")).to_contain_text("MLP speculator")
    eventually(lambda: site.store.flush() and len(site.store.races()) == before + 5)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_race_draws_its_tokens_over_time_without_a_library_of_charts(
    new_context: Callable[..., BrowserContext], site: Site
) -> None:
    page = new_context(viewport={"width": 1366, "height": 768}).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_race(page, site.url)
    page.get_by_role("button", name="Refund").click()
    expect(page.locator("#sc-race-board .sc-race")).to_have_attribute("data-phase", "replayed")
    chart = page.locator(".sc-timeline").get_by_role("img", name="Tokens over time")
    expect(chart).to_have_attribute(
        "aria-label",
        re.compile(r"plain: \d+ tokens, TTFT \d.* s · speculative: \d+ tokens, TTFT \d.* s$"),
    )
    for arm in ("plain", "speculative"):
        line = chart.locator(f".sc-curve-{arm}")
        assert line.get_attribute("d").count("V") == len(site.engine.words(64))  # type: ignore[union-attr]
        expect(chart.locator(f".sc-first-{arm}")).to_have_count(1)
    dashes = [
        chart.locator(f".sc-curve-{arm}").evaluate("e => getComputedStyle(e).strokeDasharray")
        for arm in ("plain", "speculative")
    ]
    assert dashes[0] != dashes[1] == "none"
    assert asked
    assert not [url for url in asked if "plotly" in url.lower()]
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.querySelector('.sc-timeline svg[role=img]').clientWidth < 390")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_letters_and_line_styles_tell_sources_without_colour(page: Page, site: Site) -> None:
    open_race(page, site.url)
    page.locator("#sc-race-question textarea").fill("Where is it?")
    page.locator("#sc-race-start").click()
    raced(page)
    page.get_by_label("With letters").check()
    mark = page.locator("#sc-race-board .sc-src-mlp").first
    assert mark.evaluate("e => getComputedStyle(e, '::after').content") == '"M"'
    assert mark.evaluate("e => getComputedStyle(e).textDecorationStyle") == "solid"


def test_a_race_can_do_without_a_speculator(page: Page, site: Site) -> None:
    before = len(site.store.races())
    open_race(page, site.url)
    page.get_by_role("button", name="Options").last.click()
    page.get_by_label("n-gram of the prompt").uncheck()
    page.locator("#sc-race-question textarea").fill("Only one drafts")
    page.locator("#sc-race-start").click()
    raced(page)
    expect(page.locator("#sc-race-headline")).to_contain_text("drafts by mlp ·")
    eventually(lambda: site.store.flush() and len(site.store.races()) > before)
    assert site.store.races()[0].speculative.speculators == ("mlp",)


def test_a_races_words_are_kept_only_with_consent(
    new_context: Callable[..., BrowserContext], site: Site
) -> None:
    for button, question in (("#sc-decline", "A turquoise lamp?"), ("#sc-agree", "A mauve lamp?")):
        before = len(site.store.races())
        page = new_context().new_page()
        page.goto(f"{site.url}/demo")
        page.locator(button).click()
        expect(page.locator("#sc-consent")).to_have_count(0)
        page.get_by_role("tab", name="Race").click()
        page.locator("#sc-race-question textarea").fill(question)
        page.locator("#sc-race-start").click()
        raced(page)
        eventually(lambda n=before: site.store.flush() and len(site.store.races()) > n)
    files = site.database.parent.glob(f"{site.database.name}*")
    raw = b"".join(file.read_bytes() for file in files)
    assert b"mauve" in raw
    assert b"turquoise" not in raw
