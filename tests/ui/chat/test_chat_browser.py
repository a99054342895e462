"""Customer care in a real Chromium: each test is a visit, on a desktop or a phone."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from specchat.ui.chat.bindings import _Bound
from tests.ui.chat_page import ask, ask_for_person, bot, finished, open_page, open_sidebar, user
from tests.ui.conftest import DESK_KEY, WAIT_MS, Site, eventually, wait_for_rows

expect.set_options(timeout=WAIT_MS)
DESKTOP = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
PHONE = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark", "has_touch": True}
CARD = "4111 1111 1111 1111"
New = Callable[..., BrowserContext]


@pytest.fixture(autouse=True)
def _at_the_usual_pace(site: Site) -> Iterator[None]:
    """Every test begins with an engine that works at the usual pace, and an empty desk."""
    yield
    site.engine.full.clear()
    site.engine.flowing.set()
    site.engine.starting.set()
    for row in site.service.handoffs.queue():
        site.service.handoffs.close(row.handoff_id)


def database_bytes(site: Site) -> bytes:
    """All that lies on the disk."""
    assert site.store.flush()
    files = site.database.parent.glob(f"{site.database.name}*")
    return b"".join(file.read_bytes() for file in files)


@pytest.fixture
def _ends_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every event ends long after its last screen, as it does on a busy machine."""
    usual = _Bound._all

    def late(self: _Bound, *arguments: Any) -> Iterator[Any]:
        yield from usual(self, *arguments)
        time.sleep(1.5)

    monkeypatch.setattr(_Bound, "_all", late)


@pytest.mark.usefixtures("_ends_late")
def test_a_press_in_the_last_moment_of_the_answer_before_is_not_lost(
    new_context: New, site: Site
) -> None:
    """The page shows an answer's end a moment before its event has ended; a press twice asks
    once."""
    page = open_page(new_context(**DESKTOP).new_page(), site, consent=False)
    ask(page, "Where is order 4417?")
    finished(page)
    page.locator("#sc-question textarea").fill("Where is order 4417 now?")
    page.locator("#sc-send").dblclick()
    finished(page, 2)
    page.wait_for_timeout(2_500)
    finished(page, 2)
    expect(page.locator("#sc-alert [role=alert]")).to_have_count(0)
    expect(page.locator("#sc-question textarea")).to_have_value("")


@pytest.mark.usefixtures("_ends_late")
def test_what_is_pressed_in_the_last_moment_of_an_answer_holds(
    new_context: New, site: Site
) -> None:
    """Gradio sends an event's last screen once more when it ends, over what came between: what is
    not so any more is put right a moment later."""
    page = open_page(new_context(**DESKTOP).new_page(), site)
    ask(page, "Where is order 4417?")
    finished(page)
    ask_for_person(page)
    ask(page, "Where is order 4417 now?")
    finished(page, 2)
    page.locator("#sc-back").click()
    expect(page.locator("#sc-end")).to_be_visible()
    page.wait_for_timeout(2_500)
    expect(page.locator("#sc-back")).to_be_hidden()
    expect(page.locator("#sc-end")).to_be_visible()


def test_a_first_visit_with_an_order_and_opinions(new_context: New, site: Site) -> None:
    page = open_page(new_context(**DESKTOP).new_page(), site)
    expect(page.get_by_role("note").first).to_contain_text("AI assistant")
    page.locator("#sc-agree").click()
    expect(page.locator("#sc-consent")).to_have_count(0)
    page.get_by_role("button", name="Where is order 4417?").first.click()
    finished(page)
    card = page.locator("#sc-chat .sc-card")
    expect(card).to_contain_text("Order 4417")
    expect(card.locator(".sc-state")).to_have_text("On its way")

    page.get_by_label("Like", exact=True).click()
    expect(page.get_by_label("Liked", exact=True)).to_be_visible()
    eventually(lambda: [r.score for r in site.store.care.feedback() if r.kind == "answer"] == [1])
    expect(page.get_by_label("Copy message")).to_have_count(2)

    before = len(site.store.metrics())
    page.get_by_label("Retry", exact=True).click()
    wait_for_rows(site, before + 1)
    finished(page)
    page.get_by_label("Edit", exact=True).click()
    page.locator("#sc-chat textarea").fill("Where is order 9999? <b>")
    page.get_by_label("Submit", exact=True).click()
    expect(user(page)).to_have_text("Where is order 9999? <b>")
    expect(page.locator("#sc-chat .sc-card")).to_contain_text("There is no order with this number")
    finished(page)
    expect(page.locator("#sc-offer")).to_contain_text("no order has the number")
    page.get_by_label("Undo", exact=True).click()
    finished(page, 0)
    expect(page.locator("#sc-question textarea")).to_have_value("Where is order 9999? <b>")

    ask(page, "How long does delivery take?")
    finished(page)
    sources = page.locator("#sc-chat .sc-sources")
    expect(sources).to_contain_text("Sources of this answer")
    sources.locator("summary").first.press("Enter")
    expect(sources.locator("details p").first).to_contain_text("business days")


def test_stop_reload_and_leave_in_the_middle(new_context: New, site: Site) -> None:
    site.engine.flowing.clear()
    before = len(site.store.metrics())
    page = open_page(new_context(**PHONE).new_page(), site, consent=True)
    ask(page, "Please tell me everything")
    expect(bot(page).first).to_contain_text("I understand")
    page.locator("#sc-stop").click()
    expect(page.locator("#sc-chat .thought-group .title")).to_contain_text("stopped")
    expect(page.locator("#sc-send")).to_be_visible()
    assert [row.status for row in wait_for_rows(site, before + 1)][:1] == ["cancelled"]

    ask(page, "And once more")
    expect(bot(page).last).to_contain_text("I understand")
    page.reload()
    finished(page, 2)
    expect(user(page).last).to_contain_text("And once more")
    expect(page.locator("#sc-chat .thought-group .title").last).to_contain_text("stopped")
    assert len(wait_for_rows(site, before + 2)) == before + 2

    site.engine.starting.clear()  # not a single token comes
    ask(page, "Is anybody there?")
    expect(page.locator("#sc-stop")).to_be_visible()
    page.close()
    rows = wait_for_rows(site, before + 3)
    assert [row.status for row in rows[:3]] == ["cancelled"] * 3
    assert len(rows) == before + 3


def test_personal_data_is_hidden_in_the_file_and_without_consent_every_word(
    new_context: New, site: Site
) -> None:
    page = open_page(new_context(**PHONE).new_page(), site, consent=True)
    ask(page, f"I am Quirin Falkenrath, my card {CARD} was charged twice for a mauve lamp")
    finished(page)
    expect(page.locator("#sc-notes")).to_contain_text(
        "For your privacy we did not store: 1 name, 1 card number."
    )
    raw = database_bytes(site)
    assert b"[name], my card [card] was charged twice for a mauve lamp" in raw
    assert CARD.encode() not in raw
    assert b"Falkenrath" not in raw

    other = open_page(new_context(**DESKTOP).new_page(), site, consent=False)
    before = len(site.store.metrics())
    ask(other, "Nobody may know about my chartreuse sofa")
    finished(other)
    wait_for_rows(site, before + 1)
    assert b"chartreuse" not in database_bytes(site)
    open_sidebar(other)
    expect(other.locator("#sc-listed")).to_contain_text("No conversation is kept yet")


def test_a_customer_and_a_colleague(new_context: New, site: Site) -> None:
    page = open_page(new_context(**PHONE).new_page(), site, consent=True)
    ask(page, "My name is Quirin Falkenrath. I want to talk to a person about order 4417")
    finished(page)
    panel = page.locator("#sc-panel")
    expect(panel).to_contain_text(re.compile(r"You are next\. Your ticket is T-\w{6}"))
    ticket = re.search(r"T-\w{6}", panel.inner_text())
    assert ticket

    desk = new_context(**DESKTOP).new_page()
    desk.goto(f"{site.url}/desk")
    desk.locator("#sc-key input").fill("wrong")
    desk.locator("#sc-desk-open").click()
    expect(desk.locator("#sc-desk-alert")).to_contain_text("Wrong key")
    expect(desk.locator("#sc-customers")).to_have_count(0)
    desk.locator("#sc-key input").fill(DESK_KEY)
    desk.locator("#sc-desk-open").click()
    desk.locator("#sc-customers label", has_text=ticket[0]).click()
    expect(desk.locator("#sc-known")).to_contain_text("Order 4417: on its way")
    assert "Falkenrath" not in desk.content()
    desk.locator("#sc-canned input").click()
    desk.get_by_role("option", name="Looking into it").click()
    expect(desk.locator("#sc-reply textarea")).to_have_value(re.compile("I am looking into it"))
    desk.locator("#sc-reply-send").click()

    expect(bot(page).last).to_contain_text("Colleague: Thank you. I am looking into it")
    expect(panel).to_contain_text("You are talking to a colleague now")
    expect(page.locator("#sc-talk .sc-disclosure")).to_be_hidden()
    asked = len(site.store.metrics())
    ask(page, "That is kind")
    expect(desk.locator("#sc-case")).to_contain_text("That is kind")
    assert len(site.store.metrics()) == asked  # the assistant stayed silent
    desk.locator("#sc-case-close").click()
    expect(desk.locator("#sc-case")).to_contain_text("Nobody waits")

    expect(panel).to_contain_text("is closed. The assistant answers again")
    page.locator("#sc-score label", has_text="4").click()
    page.locator("#sc-comment textarea").fill("Quick, call me on +1 503-555-0117")
    page.locator("#sc-rate").click()
    expect(page.locator("#sc-notes")).to_contain_text("Thank you")
    finished(page, 0)
    newest = site.store.care.feedback()[0]
    assert (newest.kind, newest.score, newest.comment) == ("csat", 4, "Quick, call me on [phone]")


def test_doubt_offers_a_person_and_the_way_back(new_context: New, site: Site) -> None:
    page = open_page(new_context(**DESKTOP).new_page(), site, consent=False)
    ask(page, "Which moons orbit the planet Saturn?")
    finished(page)
    expect(page.locator("#sc-offer")).to_contain_text("says that it does not know")
    page.locator("#sc-accept").click()
    expect(page.locator("#sc-panel")).to_contain_text("You are next")
    expect(page.locator("#sc-offer [role]")).to_have_count(0)
    assert site.service.handoffs.queue()[0].reason == "unsure"
    page.locator("#sc-back").click()
    expect(page.locator("#sc-panel [role]")).to_have_count(0)
    eventually(lambda: site.service.handoffs.queue() == [])


def test_two_customers_and_their_own_conversations(new_context: New, site: Site) -> None:
    first = open_page(new_context(**DESKTOP).new_page(), site, consent=True)
    second = open_page(new_context(**PHONE).new_page(), site, consent=True)
    ask(first, "Where is my violet teapot?")
    ask(second, "Where is my indigo carpet?")
    finished(first)
    finished(second)
    for page, others in ((first, "indigo"), (second, "violet")):
        page.reload()
        finished(page)
        open_sidebar(page)
        expect(page.locator("#sc-conversations label")).to_have_count(1)
        assert others not in page.content()

    first.locator("#sc-new").click()
    finished(first, 0)
    ask(first, "Where is my beige kettle?")
    finished(first)
    expect(first.locator("#sc-conversations label")).to_have_count(2)
    first.locator("#sc-search input, #sc-search textarea").first.fill("teapot")
    expect(first.locator("#sc-conversations label")).to_have_count(1)
    first.locator("#sc-conversations label").click()
    expect(user(first)).to_contain_text("violet teapot")
    title = first.locator("#sc-title input, #sc-title textarea").first
    expect(title).to_have_value("Where is my violet teapot?")
    title.fill("The teapot")
    first.locator("#sc-rename").click()
    expect(first.locator("#sc-conversations label", has_text="The teapot")).to_be_visible()

    with first.expect_download() as saved:
        first.locator("#sc-save-json").click()
    assert saved.value.suggested_filename == "the-teapot.json"
    turns = json.loads(saved.value.path().read_text())["turns"]
    assert turns[0]["question"] == "Where is my violet teapot?"
    assert turns[0]["metrics"]["model"] == "scripted"
    with first.expect_download() as saved:
        first.locator("#sc-save-markdown").click()
    assert saved.value.path().read_text().startswith("# The teapot\n")

    assert b"violet" in database_bytes(site)
    first.locator("#sc-delete").click()
    first.locator("#sc-delete-yes").click()
    expect(first.locator("#sc-listed")).to_contain_text("has been erased")
    finished(first, 0)
    raw = database_bytes(site)
    assert b"violet" not in raw
    assert b"beige" in raw

    first.set_viewport_size({"width": 1366, "height": 600})
    first.locator("#sc-data button").first.click()
    first.locator("#sc-forget").click()
    expect(first.locator("#sc-forget-no")).to_be_in_viewport(ratio=1)
    first.locator("#sc-forget-no").click()
    first.locator("#sc-forget").click()
    first.locator("#sc-forget-yes").click()
    expect(first.locator("#sc-notes")).to_contain_text("has been erased")
    raw = database_bytes(site)
    assert b"beige" not in raw
    assert b"indigo" in raw
    assert len(set(site.engine.evicted)) == 1
    second.reload()
    expect(user(second)).to_contain_text("indigo carpet")
