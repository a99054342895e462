"""Chat, race and dashboard in a stock Firefox: drawn, in view, and without an error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ui.conftest import Site
from tests.ui.firefox.bidi import Firefox, firefox

ENTER = "\ue007"
LAPTOP, PHONE = (1366, 768), (390, 844)
ANSWER = "#sc-chat [data-testid=bot]"
RACE = "#sc-race-board .sc-race"
INSIDE = """["#sc-question textarea", "#sc-send"].every((part) => {
  const box = document.querySelector(part).getBoundingClientRect();
  return box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight;
})"""


@pytest.fixture(scope="module")
def browser_window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with firefox(tmp_path_factory.mktemp("firefox")) as window:
        yield window


@pytest.fixture
def window(browser_window: Firefox, site: Site) -> Iterator[Firefox]:
    """A window in which nothing may go wrong, and an engine at its usual pace."""
    browser_window.forget()
    yield browser_window
    site.engine.flowing.set()
    assert browser_window.errors == []


def shown(selector: str) -> str:
    """Asks a page whether an element can be seen."""
    return f"document.querySelector({selector!r})?.checkVisibility() === true"


def text(selector: str) -> str:
    """Asks a page for the words of an element."""
    return f"document.querySelector({selector!r})?.innerText ?? ''"


@pytest.mark.parametrize("size", [LAPTOP, PHONE])
@pytest.mark.parametrize("view", ["", "demo"])
def test_the_question_box_is_in_view(
    window: Firefox, site: Site, view: str, size: tuple[int, int]
) -> None:
    window.open(f"{site.url}/{view}", *size)
    for part in ("#sc-question textarea", "#sc-consent, .sc-disclosure", "#sc-chat .example"):
        window.wait_for(shown(part))
    assert window.value(INSIDE)
    assert window.value("scrollY") == 0
    assert window.value("document.documentElement.scrollWidth") <= size[0]


def test_an_answer_streams(window: Firefox, site: Site) -> None:
    site.engine.flowing.clear()
    window.open(f"{site.url}/demo", *LAPTOP)
    window.wait_for(shown("#sc-chat .example"))
    window.click("#sc-question textarea")
    window.type(f"Where is my refund?{ENTER}")
    window.wait_for(f"({text(ANSWER)}).includes('I understand')")
    assert "which order" not in window.value(text(ANSWER))
    site.engine.flowing.set()
    window.wait_for(f"({text(ANSWER)}).includes('which order it was for')")
    window.click("#sc-chat .thought-group .title")
    window.wait_for(shown("#sc-chat .sc-marked .sc-src-mlp"))
    assert window.value("document.querySelector('#sc-question textarea').value") == ""
    assert window.value("getComputedStyle(document.querySelector('#sc-chat')).scrollbarColor") != (
        "auto"
    )


@pytest.mark.parametrize("size", [LAPTOP, PHONE])
def test_a_race_ends_with_its_headline_and_is_on_the_dashboard(
    window: Firefox, site: Site, size: tuple[int, int]
) -> None:
    window.open(f"{site.url}/demo", *size)
    window.click("#sc-tab-race-button")
    window.click("#sc-race-scenarios button")
    window.wait_for(shown(f"{RACE}[data-phase=replaying]"))
    assert not window.value("document.querySelector('#sc-race-headline').innerText.trim()")
    window.wait_for(shown(f"{RACE}[data-phase=replayed]"))
    assert "same answer ✓" in window.wait_for(text("#sc-race-headline .sc-big"))
    window.wait_for(shown(".sc-timeline svg[role=img] .sc-curve-speculative"))
    window.click("#sc-tab-race-button ~ [role=tab]")
    assert "faster" in window.wait_for(text("#sc-dash-headline .sc-big"))
    window.wait_for(
        "document.querySelector('.js-plotly-plot .main-svg path')?.getTotalLength() > 0"
    )
    assert window.value("document.documentElement.scrollWidth") <= size[0]
