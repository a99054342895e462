"""The README's pictures and its animated race, from a running page.

SPECCHAT_PORT=7860 SPECCHAT_DESK_KEY=open-sesame python app.py &
python tests/ui/screenshots.py http://127.0.0.1:7860 assets/screenshots --desk-key open-sesame
"""

from __future__ import annotations

import argparse
import io
import shutil
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from gradio_client import Client
from PIL import Image, ImageOps
from playwright.sync_api import Browser, Page, expect, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
WAIT_MS = 180_000
COLOURS = 256
MOST_HEIGHT = 1_500  # of a page that is longer
MOVING_WIDTH = 700
FRAME_MS = 200
MOVING_COLOURS = 64
WIDE, PHONE = (1280, 860), (360, 740)
QUESTIONS = (
    "Where is order 4417?",
    "How long does delivery take and what does it cost?",
    "I want to cancel my order, what do I have to do?",
    "I was charged twice and want my money back",
    "How do I change my delivery address?",
    "I cannot find my invoice",
    "Which payment methods do you accept?",
)
ASKED, RACED = QUESTIONS[:2]


def main() -> None:
    """Fill the record, then take every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--desk-key", default="", help="without it the desk gets no picture")
    parser.add_argument("--no-fill", action="store_true", help="use the record as it is")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    if not chosen.no_fill:
        _fill_record(chosen.url)
    executable = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        expect.set_options(timeout=WAIT_MS)
        _take(browser, chosen.url, chosen.folder, "light", WIDE, WIDE_VIEWS)
        _take(browser, chosen.url, chosen.folder, "dark", PHONE, (("phone-race", _race),))
        if chosen.desk_key:
            _desk(browser, chosen.url, chosen.folder / "desk-light.png", chosen.desk_key)
        _animate(browser, chosen.url, chosen.folder / "race.webp")
        browser.close()


def _fill_record(url: str) -> None:
    """A race of every question, so that the dashboard has an interval to show."""
    client = Client(url, verbose=False)
    for question in QUESTIONS:
        print(client.predict(question, api_name="/race")["headline"])


def _take(
    browser: Browser,
    url: str,
    folder: Path,
    scheme: str,
    size: tuple[int, int],
    views: tuple[tuple[str, Callable[[Page], None]], ...],
) -> None:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(f"{url}/demo")
    for name, prepare in views:
        prepare(page)
        page.wait_for_timeout(1_500)
        file = folder / f"{name}-{scheme}.png"
        page.screenshot(path=file, full_page=name not in AS_SEEN)
        _shrink(file)
    context.close()


def _chat(page: Page) -> None:
    page.locator("#sc-agree").click()
    expect(page.locator("#sc-consent")).to_have_count(0)
    page.locator("#sc-question textarea").fill(ASKED)
    page.locator("#sc-send").click()
    title = page.locator("#sc-chat .thought-group .title")
    expect(title).to_have_count(1)
    title.click()


def _race(page: Page) -> None:
    page.get_by_role("tab", name="Race").click()
    page.locator("#sc-race-question textarea").fill(RACED)
    page.locator("#sc-race-start").click()
    expect(page.locator("#sc-race-headline .sc-big")).to_be_visible()
    expect(page.locator("#sc-race-board .sc-timeline svg[role=img]")).to_be_visible()


def _dashboard(page: Page) -> None:
    page.get_by_role("tab", name="Dashboard").click()
    expect(page.locator("#sc-dash-headline .sc-big")).to_be_visible()
    expect(page.locator(".js-plotly-plot:visible .main-svg").first).to_be_visible()


def _tools(page: Page) -> None:
    page.locator("#sc-compare button").first.click()
    expect(page.locator("#sc-compared table")).to_be_visible()
    page.locator("#sc-savings button").first.click()
    expect(page.locator("#sc-saved .sc-big")).to_be_visible()
    page.locator("#sc-savings").scroll_into_view_if_needed()


WIDE_VIEWS = (
    ("chat", _chat),
    ("race", _race),
    ("dashboard", _dashboard),
    ("dashboard-tools", _tools),
)
AS_SEEN = ("chat", "dashboard-tools")
"""Pictures of the window; the others are of the whole page."""


def _desk(browser: Browser, url: str, file: Path, key: str) -> None:
    """A customer asks for a person; a colleague reads the case and begins to answer."""
    customer = browser.new_page()
    customer.goto(f"{url}/demo")
    customer.locator("#sc-agree").click()
    expect(customer.locator("#sc-consent")).to_have_count(0)
    words = "My name is Jane Miller and order 4417 has not come. Write to jane@example.org"
    for turn, question in enumerate((words, "I want to talk to a person"), 1):
        customer.locator("#sc-question textarea").fill(question)
        customer.locator("#sc-send").click()
        expect(customer.locator("#sc-chat .thought-group .title")).to_have_count(turn)
    expect(customer.locator(".sc-handoff")).to_be_visible()
    desk = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]}, color_scheme="light")
    desk.goto(f"{url}/desk")
    desk.locator("#sc-key input").fill(key)
    desk.locator("#sc-desk-open").click()
    desk.locator("#sc-customers label").first.click()
    expect(desk.locator("#sc-known")).to_contain_text("4417")
    desk.locator("#sc-canned input").click()
    desk.get_by_role("option", name="Carrier search").click()
    desk.locator("#sc-canned input").blur()
    desk.wait_for_timeout(1_500)
    desk.screenshot(path=file)
    _shrink(file)
    for page in (customer, desk):
        page.close()


def _animate(browser: Browser, url: str, file: Path) -> None:
    """The replay of one race, at the pace at which the browser showed it."""
    context = browser.new_context(viewport={"width": 900, "height": 760}, color_scheme="light")
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(f"{url}/demo")
    _race(page)
    board = page.locator("#sc-race-board .sc-race")
    expect(board).to_have_attribute("data-phase", "replayed")
    page.locator("[data-replay]").click()
    lanes = page.locator("#sc-race-board .sc-lanes")
    frames, taken = [], []
    while board.get_attribute("data-phase") == "replaying":
        taken.append(time.monotonic())
        frames.append(Image.open(io.BytesIO(lanes.screenshot())).convert("RGB"))
        page.wait_for_timeout(max(0.0, FRAME_MS - 1000 * (time.monotonic() - taken[-1])))
    frames.append(Image.open(io.BytesIO(lanes.screenshot())).convert("RGB"))
    width, height = (max(sizes) for sizes in zip(*(frame.size for frame in frames), strict=True))
    frames = [ImageOps.pad(f, (width, height), color="white", centering=(0, 0)) for f in frames]
    smaller = MOVING_WIDTH, round(height * MOVING_WIDTH / width)
    frames = [frame.resize(smaller, Image.Resampling.LANCZOS) for frame in frames]
    palette = frames[-1].quantize(
        MOVING_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    few = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    gaps = [round(1000 * (b - a)) for a, b in pairwise(taken)]
    few[0].convert("RGB").save(
        file,
        save_all=True,
        append_images=[frame.convert("RGB") for frame in few[1:]],
        duration=[*gaps, FRAME_MS, 2_500],
        loop=0,
        lossless=True,
        minimize_size=True,
        quality=100,
        method=6,
    )
    context.close()


def _shrink(file: Path) -> None:
    """As WebP, with as many colours as keep those of marks and lines apart."""
    with Image.open(file) as picture:
        height = min(picture.height, MOST_HEIGHT)
        whole = picture.convert("RGB").crop((0, 0, picture.width, height))
    file.unlink()
    few = whole.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.convert("RGB").save(file.with_suffix(".webp"), lossless=True, quality=100, method=6)


if __name__ == "__main__":
    main()
