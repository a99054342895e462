"""The window in a real Chromium: the question box in view in every size, and the rules on Gradio's
own classes at work."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.ui.chat.test_identity_browser import BLOCKED
from tests.ui.chat_page import ask, bot, finished, finished_for_customer, open_page
from tests.ui.conftest import WAIT_MS, Site

expect.set_options(timeout=WAIT_MS)
New = Callable[..., BrowserContext]
SIZES = ((360, 640), (390, 844), (1366, 768), (1440, 900), (2560, 1440))
SHIFTS = """window.shifted = 0; new PerformanceObserver((list) => {
  for (const each of list.getEntries()) if (!each.hadRecentInput) window.shifted += each.value;
}).observe({ type: "layout-shift", buffered: true });"""


def in_view(page: Page) -> None:
    """The question box and its button lie within the window, and the page is not wider."""
    screen = page.viewport_size
    assert screen
    for part in ("#sc-question textarea", "#sc-send"):
        box = page.locator(part).bounding_box()
        assert box
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= screen["height"] + 0.5, part
        assert box["x"] + box["width"] <= screen["width"] + 0.5, part
    assert page.evaluate("scrollY") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]


@pytest.mark.parametrize(
    ("view", "width", "height"),
    [("", *size) for size in SIZES]
    + [(view, *size) for view in ("demo", "?embed=1") for size in (SIZES[0], SIZES[2], SIZES[4])],
)
def test_the_question_box_is_in_view_from_the_first_moment(
    new_context: New, site: Site, view: str, width: int, height: int
) -> None:
    phone = width < 720
    context = new_context(
        viewport={"width": width, "height": height}, has_touch=phone, is_mobile=phone
    )
    context.add_init_script(SHIFTS)
    page = open_page(context.new_page(), site, view=view)
    expect(page.locator("#sc-consent")).to_be_visible()
    in_view(page)
    assert page.evaluate("window.shifted") < 0.05
    page.locator("#sc-decline").click()
    expect(page.locator("#sc-consent")).to_have_count(0)
    in_view(page)


@pytest.mark.parametrize(("width", "height"), [(360, 640), (1366, 768)])
@pytest.mark.parametrize("view", ["", "demo"])
def test_it_stays_in_view_after_ten_turns(
    new_context: New, site: Site, view: str, width: int, height: int
) -> None:
    page = open_page(
        new_context(viewport={"width": width, "height": height}).new_page(),
        site, consent=False, view=view,
    )  # fmt: skip
    done = finished if view else finished_for_customer
    for count in range(1, 11):
        ask(page, f"How long does delivery take? {count}")
        done(page, count)
    in_view(page)
    expect(bot(page).last).to_be_in_viewport()


def test_a_page_begins_with_its_own_head_and_says_nothing_of_gradio(page: Page, site: Site) -> None:
    sent = page.request.get(f"{site.url}/demo").text()
    head = sent[sent.index("<head>") : sent.index("gradio_config")]
    assert "style/page.css" in head
    assert "style/page.js" in head
    assert "og:image" not in sent
    assert "twitter:" not in sent
    open_page(page, site)
    assert page.locator("link[href*='page.css']").count() == 1


def test_customers_see_nothing_of_the_engine(page: Page, site: Site) -> None:
    open_page(page, site, consent=True, view="")
    ask(page, "Where is order 4417?")
    finished_for_customer(page)
    said = page.locator("body").inner_text()
    for word in (
        "tok/s",
        "TTFT",
        "τ",
        "draft",
        "scripted",
        "float32",
        "Options",
        "Race",
        "specchat",
    ):
        assert word not in said, word
    expect(page.locator("#sc-chat .sc-answered")).to_contain_text("Answered in 0.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Fernhollow")
    expect(page.locator("footer")).to_be_hidden()
    page.reload()
    finished_for_customer(page)


def test_the_demo_is_two_clicks_from_a_race_to_the_dashboard(page: Page, site: Site) -> None:
    """A situation starts its race; lanes and headline are in view without a scroll."""
    page.set_viewport_size({"width": 1366, "height": 768})
    open_page(page, site)
    page.get_by_role("tab", name="Race").click()
    page.get_by_role("button", name="Refund").click()
    board = page.locator("#sc-race-board .sc-race")
    expect(board).to_have_attribute("data-phase", "replaying")
    headline = page.locator("#sc-race-headline .sc-big")
    expect(headline).to_be_hidden()
    expect(board).to_have_attribute("data-phase", "replayed")
    expect(headline).to_be_visible()
    expect(headline).to_contain_text("faster")
    for part in ("[data-lane=plain]", "[data-lane=speculative]", "#sc-race-headline .sc-pairs"):
        box = page.locator(part).bounding_box()
        assert box
        assert box["y"] + box["height"] <= 768
    page.get_by_role("tab", name="Dashboard").click()
    expect(page.locator("#sc-dash-headline .sc-big")).to_be_in_viewport()
    expect(page.locator("#sc-dash-tiles .sc-tile").first).to_be_in_viewport()
    assert page.evaluate("scrollY") == 0


def test_a_seed_that_is_random_stays_random_when_the_options_are_opened(
    page: Page, site: Site
) -> None:
    open_page(page, site)
    page.get_by_role("tab", name="Race").click()
    page.get_by_role("button", name="Options").last.click()
    expect(page.get_by_label("Seed").last).to_have_value("")
    seeds = set()
    for _ in range(2):
        page.get_by_role("button", name="Refund").click()
        board = page.locator("#sc-race-board .sc-race")
        expect(board).to_have_attribute("data-phase", "replaying")
        expect(board).to_have_attribute("data-phase", "replayed")
        seeds.add(page.locator("#sc-race-headline").text_content())
        page.locator("#sc-race-question textarea").fill("")
    assert len({text.split("seed ")[1].split(" ")[0] for text in seeds if text}) == 2


def test_a_widget_works_where_storage_is_blocked_and_keeps_nothing(
    new_context: New, site: Site
) -> None:
    """As in a frame of another site, in a browser that keeps nothing for third parties."""
    context = new_context(viewport={"width": 380, "height": 600})
    context.add_init_script(BLOCKED)
    page = context.new_page()
    page.goto(f"{site.url}/?embed=1")
    expect(page.locator("#sc-keeps-nothing")).to_contain_text("is not kept")
    ask(page, "Where is order 4417?")
    finished_for_customer(page)
    expect(page.locator("#sc-chat .sc-card")).to_contain_text("Order 4417")
    in_view(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_rules_on_gradios_classes_are_at_work(
    new_context: New, site: Site, scheme: str
) -> None:
    page = open_page(new_context(color_scheme=scheme).new_page(), site)
    ask(page, "   ")
    alert = page.locator("#sc-alert [role=alert]")
    expect(alert).to_be_visible()
    style = "(e, name) => getComputedStyle(e)[name]"
    assert alert.evaluate(style, "borderLeftWidth") == "4px"
    assert alert.evaluate(style, "borderTopWidth") == "1px"
    ask(page, "Where is order 4417?")
    finished(page)
    assert page.locator("#sc-chat .md.chatbot.prose").first.evaluate(style, "opacity") == "1"
    page.locator("#sc-chat .thought-group .title").click()
    inside = page.locator("#sc-chat .thought-group .message-content")
    expect(inside).to_be_visible()
    assert inside.evaluate(style, "opacity") == "1"
    expect(page.get_by_label("Clear", exact=True)).to_be_hidden()
    expect(page.locator(".nav-holder")).to_be_hidden()
    like, dislike = (
        page.get_by_label(name, exact=True).bounding_box() for name in ("Like", "Dislike")
    )
    assert like
    assert dislike
    assert like["x"] < dislike["x"]
    assert like["width"] >= 24


def test_a_german_browser_shows_the_same_buttons_in_the_same_order(
    new_context: New, site: Site
) -> None:
    """Gradio names its own buttons in the browser's language, whatever the page's is."""
    page = open_page(new_context(locale="de-DE").new_page(), site, consent=False, view="")
    ask(page, "How long does delivery take?")
    finished_for_customer(page)
    expect(page.get_by_label("Chat leeren", exact=True)).to_be_hidden()
    like, dislike = (
        page.get_by_label(name, exact=True).bounding_box()
        for name in ("Gefällt mir", "Gefällt mir nicht")
    )
    assert like
    assert dislike
    assert like["x"] < dislike["x"]


def test_the_first_load_is_light(page: Page, site: Site) -> None:
    """Scripts and style sheets are files that a browser keeps; everything is compressed."""
    answer = page.request.get(site.url)
    assert answer.headers["content-encoding"] in ("gzip", "br")
    assert "specchatIdentity = (()" not in answer.text()
    for name in ("page.css", "page.js"):
        file = page.request.get(f"{site.url}/style/{name}")
        assert "immutable" in file.headers["cache-control"]
        assert file.headers["content-encoding"] in ("gzip", "br")
    demo = page.request.get(f"{site.url}/demo")
    assert len(answer.body()) < 0.6 * len(demo.body())  # each view is sent its own parts alone
