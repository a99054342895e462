"""The dashboard in a real Chromium on a filled store: every download, menu and figure is clicked
and compared with what the database says."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, expect

from specchat.evidence import pairs_of
from specchat.evidence.savings import Assumptions, extrapolate
from specchat.ui.dashboard import data
from specchat.ui.dashboard.compare import configurations
from storage import MetricRow, RaceArm
from tests.ui.conftest import WAIT_MS, Site
from tests.ui.made_up import fill_charts, metrics, race, record_turn

expect.set_options(timeout=WAIT_MS)
FILTERS = (
    ("Mode", "plain", {"mode": "plain"}),
    ("Model", "other/model", {"model": "other/model"}),
    ("Kind", "chat", {"kind": "chat"}),
    ("Scenario (races)", "Refund", {"scenario": "refund"}),
    ("Speculator", "n-gram of the prompt", {"speculator": "ngram"}),
    ("Load", "Had to wait", {"load": "Had to wait"}),
)


@pytest.fixture(scope="module", autouse=True)
def _filled(site: Site) -> None:
    """Races that gain, races that lose, one that had to wait, and turns of a chat."""
    fill_charts(site.store)
    waited = RaceArm(answer="a", metrics=metrics(queue_ms=40.0, speculators=("ngram",)))
    site.store.record_race(replace(race("hello"), speculative=waited))
    record_turn(site.store)
    record_turn(site.store, model="other/model")
    assert site.store.flush()


@pytest.fixture
def wide(new_context: Callable[..., BrowserContext], site: Site) -> Page:
    """The dashboard, drawn, on a wide light screen."""
    context = new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    return opened(context.new_page(), site)


@pytest.fixture
def phone(new_context: Callable[..., BrowserContext], site: Site) -> Iterator[Page]:
    """The dashboard, drawn, on a dark phone; it must not grow wider than that."""
    context = new_context(viewport={"width": 360, "height": 740}, color_scheme="dark")
    page = opened(context.new_page(), site)
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def opened(page: Page, site: Site) -> Page:
    """Open the dashboard and wait until it is drawn."""
    page.goto(f"{site.url}/demo")
    page.get_by_role("tab", name="Dashboard").click()
    expect(turns(page)).to_have_text(str(len(gathered(site).rows)))
    page.locator("#sc-dash-filter button").first.click()
    return page


def show(page: Page, view: str) -> None:
    """Turn to a part of the dashboard."""
    page.locator("#sc-dash-views").get_by_role("tab", name=view, exact=True).click()


def gathered(site: Site, **choice: str) -> data.Evidence:
    """What the database says."""
    return data.gather(site.store, data.Choice(**choice))


def turns(page: Page) -> Locator:
    """The tile that counts the turns."""
    return page.locator("#sc-dash-tiles .sc-tile b").first


def pick(page: Page, label: str, option: str, within: str = "#sc-filters") -> None:
    """Choose from a menu as a person does."""
    menu = page.locator(within).get_by_label(label, exact=True)
    expect(page.get_by_test_id("dropdown-option")).to_have_count(0)  # the menu before it is closed
    menu.click()
    page.get_by_role("option", name=option, exact=True).click()
    menu.blur()


def open_section(page: Page, section: str) -> Locator:
    """Unfold an accordion."""
    fold = page.locator(section)
    fold.locator("button").first.click()
    return fold


def download(page: Page, button: str) -> Path:
    """The file that a click saves."""
    with page.expect_download() as saved:
        page.locator(button).click()
    return Path(saved.value.path())


def test_each_filter_leaves_what_the_database_has(wide: Page, site: Site) -> None:
    everything = gathered(site)
    for label, option, choice in FILTERS:
        wanted = gathered(site, **choice)
        assert 0 < len(wanted.rows) < len(everything.rows)
        pick(wide, label, option)
        expect(turns(wide)).to_have_text(str(len(wanted.rows)))
        expect(wide.locator("#sc-dash-tiles .sc-tile").first).to_contain_text(
            re.compile(rf"turns?, {len(wanted.races)} races?")
        )
        pick(wide, label, "Any")
        expect(turns(wide)).to_have_text(str(len(everything.rows)))


def test_filters_that_leave_nothing_say_so_and_can_be_taken_back(phone: Page, site: Site) -> None:
    leave_nothing(phone)
    expect(phone.locator(".js-plotly-plot:visible")).to_have_count(0)
    phone.locator("#sc-export-csv").click()
    expect(phone.locator("#sc-export-said [role=alert]")).to_contain_text("nothing to export")
    pick(phone, "Scenario (races)", "Any")
    expect(turns(phone)).to_have_text(str(len(gathered(site, kind="chat").rows)))


def leave_nothing(page: Page) -> None:
    """Filters that exclude each other."""
    pick(page, "Kind", "chat")
    pick(page, "Scenario (races)", "Refund")
    expect(page.locator("#sc-dash-headline")).to_contain_text("No turn fits these filters")


def test_the_csv_holds_the_turns_of_the_database(wide: Page, site: Site) -> None:
    pick(wide, "Kind", "chat")
    wanted = gathered(site, kind="chat").rows
    expect(turns(wide)).to_have_text(str(len(wanted)))
    saved = download(wide, "#sc-export-csv").read_text(encoding="utf-8")
    expect(wide.locator("#sc-export-said")).to_contain_text(f"{len(wanted)} turns exported")
    lines = list(csv.DictReader(io.StringIO(saved)))
    assert [line["turn_id"] for line in lines] == [row.turn_id for row in wanted]
    assert [float(line["e2e_ms"]) for line in lines] == [row.e2e_ms for row in wanted]
    assert json.loads(lines[0]["accepted_by_depth"]) == list(wanted[0].accepted_by_depth)
    assert "secret" not in saved


def test_the_json_holds_turns_and_races_of_the_database(phone: Page, site: Site) -> None:
    wanted = gathered(site)
    file = json.loads(download(phone, "#sc-export-json").read_text(encoding="utf-8"))
    assert {turn["turn_id"]: turn["accepted"] for turn in file["turns"]} == {
        row.turn_id: row.accepted for row in wanted.rows
    }
    assert {(race["plain"], race["speculative"]) for race in file["races"]} == {
        (race.plain.turn_id, race.speculative.turn_id) for race in wanted.races
    }


def test_the_png_holds_every_chart_that_is_shown(phone: Page, site: Site) -> None:
    plots = phone.locator(".js-plotly-plot:visible")
    show(phone, "Speed")
    expect(plots).to_have_count(3)
    sizes = [plots.nth(i).bounding_box() for i in range(3)]
    with Image.open(download(phone, "#sc-export-png")) as picture:
        assert picture.format == "PNG"
        assert picture.width == pytest.approx(2 * max(size["width"] for size in sizes), abs=2)  # type: ignore[index]
        note = (picture.height - 2 * sum(size["height"] for size in sizes)) / 3  # type: ignore[index]
        assert 40 < note < 240  # below each chart: where its numbers come from
        drawn = picture.convert("RGB")
    top = 0.0
    for size in sizes:
        below = top + 2 * size["height"]  # type: ignore[index]
        part = drawn.crop((0, round(top), drawn.width, round(below)))
        colours = {colour for _, colour in part.getcolors(maxcolors=1 << 24) or []}
        assert (0, 114, 178) in colours, "no speculative mark in one of the charts"
        top = below + note
    paper = phone.evaluate("getComputedStyle(document.body).backgroundColor")
    assert list(drawn.getpixel((1, 1))) == [int(part) for part in re.findall(r"\d+", paper)[:3]]  # type: ignore[arg-type]


def test_two_configurations_are_chosen_and_compared(wide: Page, site: Site) -> None:
    rows = gathered(site).rows
    labels = [found.label for found in configurations(rows)]
    fold = open_section(wide, "#sc-compare")
    table = fold.locator("#sc-compared table")
    expect(table).to_contain_text(labels[0])
    expect(table).to_contain_text(labels[1])
    plain = next(label for label in labels if " plain " in label)
    ngram = next(label for label in labels if " ngram " in label)
    pick(wide, "A", plain, "#sc-compare")
    pick(wide, "B", ngram, "#sc-compare")
    expect(table.locator("thead")).to_contain_text(f"A: {plain}")
    expect(table.locator("thead")).to_contain_text(f"B: {ngram}")
    tokens = table.locator("tbody tr", has_text="Tokens of the answer").locator("td")
    assert tokens.all_inner_texts() == ["148", "148", "1.00x"]
    whole = table.locator("tbody tr", has_text="End to end").locator("td").all_inner_texts()
    pairs = [
        (race.plain, race.speculative)
        for race in gathered(site).races
        if (data_label(race.plain), data_label(race.speculative)) == (plain, ngram)
    ]
    a, b = (median(row.e2e_ms for row in side) for side in zip(*pairs, strict=True))
    assert whole[2] == f"{a / b:.2f}x"


def data_label(row: MetricRow) -> str:
    """The configuration of a row, as the menus name it."""
    return configurations([row])[0].label


def test_a_filter_reaches_the_comparison_that_is_open(phone: Page) -> None:
    open_section(phone, "#sc-compare")
    expect(phone.locator("#sc-compared table")).to_be_visible()
    pick(phone, "Mode", "plain")
    expect(phone.locator("#sc-compared")).to_contain_text("only one configuration")


def test_an_assumption_changes_the_extrapolation(wide: Page, site: Site) -> None:
    pick(wide, "Scenario (races)", "Refund")
    races = gathered(site, scenario="refund").races
    expect(turns(wide)).to_have_text(str(2 * len(races)))
    fold = open_section(wide, "#sc-savings")
    said = fold.locator(".sc-big")
    expect(fold).to_contain_text("Extrapolation, not a measurement")
    for chats, answers, price in ((1_000, 3, 0.5), (20_000, 3, 0.5), (20_000, 6, 12.0)):
        fold.get_by_label("Chats", exact=True).fill(str(chats))
        fold.get_by_label("Answers per chat").fill(str(answers))
        fold.get_by_label("Price of the machine per hour").fill(str(price))
        found = extrapolate(pairs_of(races, "e2e_ms"), Assumptions(chats, answers, price))
        expect(said).to_contain_text(f"of waiting saved over {chats:,} chats")
        expect(fold).to_contain_text(f"The machine time is worth ${found.cost:,.2f}.")
        expect(said).to_contain_text(f"{found.seconds / 60:.1f} min" if chats < 5_000 else " h")
    fold.get_by_label("Chats", exact=True).fill("-1")
    expect(fold.locator("[role=alert]")).to_contain_text("numbers of at least 0")


def test_what_is_changed_while_the_page_computes_is_not_lost(
    wide: Page, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio drops an event that comes while its predecessor runs unless it is told otherwise."""

    def slowly(look: Callable[..., Any]) -> Callable[..., Any]:
        def wait(*arguments: Any) -> Any:
            time.sleep(0.5)
            return look(*arguments)

        return wait

    fold = open_section(wide, "#sc-savings")
    expect(fold.locator(".sc-big")).to_contain_text("over 1,000 chats")
    monkeypatch.setattr(data, "gather", slowly(data.gather))
    fold.get_by_label("Chats", exact=True).fill("7000")
    wide.wait_for_timeout(150)
    fold.get_by_label("Chats", exact=True).fill("9000")
    expect(fold.locator(".sc-big")).to_contain_text("over 9,000 chats")
    for option in ("speculative", "plain"):
        pick(wide, "Mode", option)
    expect(turns(wide)).to_have_text(str(len(gathered(site, mode="plain").rows)))


def test_a_filter_reaches_the_extrapolation_that_is_open(phone: Page, site: Site) -> None:
    said = open_section(phone, "#sc-savings").locator(".sc-big")
    pick(phone, "Scenario (races)", "Delivery")
    expect(said).to_contain_text("lost over 1,000 chats")
    pick(phone, "Scenario (races)", "Refund")
    expect(said).to_contain_text("saved over 1,000 chats")


def test_alarms_name_what_is_wrong(wide: Page) -> None:
    notes = wide.locator("#sc-dash-tiles .sc-note")
    expect(notes.filter(has_text="hardly any draft was accepted")).to_contain_text("1 turn:")
    pick(wide, "Scenario (races)", "Refund")
    expect(notes).to_have_count(0)
    pick(wide, "Scenario (races)", "Delivery")
    expect(notes).to_contain_text("speculation at a loss with care, mlp: 0.69x")


def test_the_headline_says_what_the_races_say(phone: Page, site: Site) -> None:
    pick(phone, "Scenario (races)", "Refund")
    found = gathered(site, scenario="refund").speedup
    headline = phone.locator("#sc-dash-headline")
    expect(headline.locator(".sc-big")).to_have_text(f"{found.median:.2f}x faster with speculation")
    expect(headline).to_contain_text(f"{found.ci95.low:.2f}x to {found.ci95.high:.2f}x")
    expect(headline).to_contain_text("6 of 6 races gave the same answer both ways")


def test_the_page_map_and_the_table_are_there(wide: Page, site: Site) -> None:
    show(wide, "Engine")
    live = wide.locator("#sc-live")
    for words in ("5 shared", "11 held", "40 cached", "200 free"):
        expect(live).to_contain_text(words)
    show(wide, "Turns")
    expect(wide.locator("#sc-table")).to_contain_text("other/model")
