"""What people and the model say in a real Chromium: shown as typed, copied as shown, and nothing of
it is fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.ui.chat_page import ask, ask_for_person, bot, finished, open_page, open_sidebar, user
from tests.ui.conftest import DESK_KEY, WAIT_MS, Site

expect.set_options(timeout=WAIT_MS)
New = Callable[..., BrowserContext]
LEAKS = (
    "![x](http://127.0.0.1:9/p.png?leak=q)",
    "![x][l]\n\n[l]: http://127.0.0.1:9/r.png",
    "[![x](http://127.0.0.1:9/l.png)](http://127.0.0.1:9/)",
    '<img src="http://127.0.0.1:9/i.png"><video src="http://127.0.0.1:9/v.mp4" autoplay></video>',
    '<div style="background:url(http://127.0.0.1:9/b.png)">x</div><svg><image href="http://127.0.0.1:9/s"/>',
    '```mermaid\nflowchart TD\nA@{ img: "http://127.0.0.1:9/m.png", label: "x" }\n```',
    "`a` ![x](http://127.0.0.1:9/c.png) \\`<img src=http://127.0.0.1:9/e.png>\\`",
    "a\r\r![x](http://127.0.0.1:9/n.png)",
)
SPANS = """(message) => {
  const range = document.createRange();
  range.selectNodeContents(message.querySelector(".sc-typed, p"));
  const box = message.getBoundingClientRect();
  return [...range.getClientRects()].map((line) => [line.left - box.left, box.right - line.right]);
}"""


@pytest.fixture(autouse=True)
def _as_usual(site: Site) -> Iterator[None]:
    """Every test leaves the usual answer and an empty desk."""
    usual = site.engine.answer
    yield
    site.engine.answer = usual
    for row in site.service.handoffs.queue():
        site.service.handoffs.close(row.handoff_id)


def elsewhere(page: Page, site: Site) -> list[str]:
    """Collects what a page asks of anybody but the site."""
    found: list[str] = []
    ours = (site.url, "data:", "blob:", "about:")
    page.on("request", lambda request: request.url.startswith(ours) or found.append(request.url))
    return found


def test_no_text_of_a_chat_is_fetched(new_context: New, site: Site) -> None:
    page, desk = new_context().new_page(), new_context().new_page()
    asked_for, asked_at_desk = elsewhere(page, site), elsewhere(desk, site)
    open_page(page, site, consent=True)
    for count, leak in enumerate(LEAKS, start=1):
        site.engine.answer = f"I understand. {leak} I understand."
        ask(page, f"Is this right? {leak}")
        finished(page, count)
    # so many answers that did not help have handed over
    expect(page.locator("#sc-panel")).to_contain_text("You are next")
    (waiting,) = site.service.handoffs.queue()
    for leak in LEAKS:
        site.service.handoffs.reply(waiting.handoff_id, leak)
    expect(bot(page).last).to_contain_text("n.png")
    page.reload()
    expect(bot(page).last).to_contain_text("n.png")
    open_sidebar(page)

    desk.goto(f"{site.url}/desk")
    desk.locator("#sc-key input").fill(DESK_KEY)
    desk.locator("#sc-desk-open").click()
    desk.locator("#sc-customers label").first.click()
    expect(desk.locator("#sc-case")).to_contain_text("n.png")
    site.engine.answer = LEAKS[0]
    desk.goto(f"{site.url}/demo")
    desk.get_by_role("tab", name="Race").click()
    desk.locator("#sc-race-question textarea").fill(LEAKS[0])
    desk.locator("#sc-race-start").click()
    expect(desk.locator("#sc-race-headline .sc-big")).to_be_visible()
    desk.get_by_role("tab", name="Dashboard").click()
    expect(desk.locator("#sc-dash-tiles .sc-tile").first).to_be_visible()
    assert asked_for == []
    assert asked_at_desk == []


def test_a_picture_that_gets_through_is_not_fetched_either(page: Page, site: Site) -> None:
    """The second line: the policy that the page is sent with."""
    open_page(page, site)
    page.evaluate("""() => new Promise((done) => {
        addEventListener("securitypolicyviolation", done);
        document.body.insertAdjacentHTML("beforeend", "<img src='http://127.0.0.1:9/x.png'>");
    })""")
    answer = page.request.get(site.url)
    assert "img-src 'self' data: blob:" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "said",
    [
        "5*3*2 pieces", "# 4417 is my order", "3 < 5 & 7 > 2, &lt;b&gt;",
        "- one\n- two\n\n\n1. three",
        "> so\n    it   goes", "`a` *b* _c_ ~~d~~ [e](f) www.example.com", "a\n===\nb | c",
    ],
)  # fmt: skip
def test_what_is_typed_is_shown_copied_and_edited_as_typed(
    new_context: New, site: Site, said: str
) -> None:
    page = open_page(
        new_context(permissions=["clipboard-read", "clipboard-write"]).new_page(), site
    )
    ask(page, said)
    finished(page)
    assert user(page).inner_text() == said
    page.get_by_label("Copy message").first.click()
    assert page.evaluate("navigator.clipboard.readText()") == said
    page.get_by_label("Edit", exact=True).click()
    expect(page.locator("#sc-chat textarea")).to_have_value(said)
    page.get_by_label("Submit", exact=True).click()
    finished(page)
    expect(user(page)).to_have_count(1)
    assert user(page).inner_text() == said  # already before the server has answered


def test_a_colleagues_lines_are_shown_as_written(page: Page, site: Site) -> None:
    said = "# 1\n5*3*2 pieces\n\nSee https://example.com/a_b_c?d=1&e=2."
    open_page(page, site, consent=True)
    ask_for_person(page)
    expect(page.locator("#sc-panel")).to_contain_text("You are next")
    (waiting,) = site.service.handoffs.queue()
    site.service.handoffs.reply(waiting.handoff_id, said)
    expect(bot(page).last).to_contain_text("pieces")
    assert bot(page).last.locator(".sc-typed").inner_text() == said
    expect(bot(page).last.locator("a")).to_have_attribute(
        "href", "https://example.com/a_b_c?d=1&e=2"
    )


@pytest.mark.parametrize("secure", [True, False])
def test_copying_an_answer_takes_the_words_on_the_screen(
    new_context: New, site: Site, secure: bool
) -> None:
    context = new_context(permissions=["clipboard-read", "clipboard-write"])
    if not secure:  # over plain HTTP a page has no clipboard and copies a selection
        hide = "window.kept = navigator.clipboard; delete Navigator.prototype.clipboard;"
        context.add_init_script(hide)
    page = open_page(context.new_page(), site)
    ask(page, "Where is order 4417?")
    finished(page)
    page.get_by_label("Copy message").last.click()
    read = "(window.kept ?? navigator.clipboard).readText()"
    text = page.evaluate(read)
    assert "<" not in text
    assert text.startswith("Order 4417")
    assert "On its way" in text
    assert "tok/s" not in text
    for line in bot(page).nth(1).inner_text().splitlines():
        assert line in text


@pytest.mark.parametrize(
    ("said", "starts"),
    [
        ("أين طلبي؟ وصلني رقم 4417 فقط", "right"),
        ("איפה ההזמנה שלי?", "right"),
        ("Where is my order?", "left"),
        ("4417 איפה ההזמנה שלי", "right"),
    ],
)
def test_a_line_runs_in_the_direction_of_its_script(
    page: Page, site: Site, said: str, starts: str
) -> None:
    open_page(page, site)
    page.set_viewport_size({"width": 700, "height": 800})
    site.engine.answer = f"{said}\n\n"
    ask(page, f"{said}\nand something that is longer than the line above, in another script")
    finished(page)
    left, right = user(page).evaluate(SPANS)[0]
    assert (right < left) is (starts == "right")
    box = page.locator("#sc-question textarea")
    assert box.evaluate("e => getComputedStyle(e).unicodeBidi") == "plaintext"
    answer = bot(page).last.locator("xpath=..")
    expect(answer).to_be_visible()


def test_no_field_of_a_phone_is_so_small_that_it_zooms(new_context: New, site: Site) -> None:
    phone = new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    ).new_page()
    open_page(phone, site)
    for tab in ("Race", "Dashboard"):
        phone.get_by_role("tab", name=tab).click()
    open_sidebar(phone)
    small = phone.evaluate("""() => [...document.querySelectorAll(
        "textarea, select, input:not([type=checkbox]):not([type=radio]):not([type=range])")]
      .filter((field) => parseFloat(getComputedStyle(field).fontSize) < 16)
      .map((field) => field.outerHTML)""")
    assert small == []
