"""What a customer has erased is in no object of the page's process any more."""

from __future__ import annotations

import gc
import json
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from specchat.ui.shared.identity import new_owner
from tests.ui.conftest import WAIT_MS, Site, eventually
from tests.ui.endpoints import by_name, call


@dataclass
class Browser:
    """A customer with two tabs on one conversation."""

    http: httpx.Client
    owner: str
    tabs: tuple[str, str]
    conversation: str = ""

    def press(self, name: str, tab: int, **values: Any) -> str:
        """Trigger an event of a tab; all that comes back."""
        endpoint = by_name(self.http, name)
        who = {"owner": self.owner, "conversation": self.conversation, "keeps": True}
        given = {"sc-identity": json.dumps(who), **values}
        inputs = [endpoint["known"][each]["props"] for each in endpoint["inputs"]]
        data = [given.get(each.get("elem_id"), each.get("value")) for each in inputs]
        return call(self.http, endpoint, data, self.tabs[tab])


@pytest.fixture
def browser(site: Site) -> Iterator[Browser]:
    site.engine.step_s, site.engine.answer = 0.0, "I understand."
    with httpx.Client(base_url=site.url, timeout=WAIT_MS / 1000) as http:
        yield Browser(http, new_owner(), (secrets.token_hex(8), secrets.token_hex(8)))


@pytest.mark.parametrize("event", ["handle sc-forget-yes.click", "handle sc-delete-yes.click"])
def test_what_is_erased_is_in_no_tab_any_more(site: Site, browser: Browser, event: str) -> None:
    word = f"word{secrets.token_hex(6)}"
    _talk(site, browser, word)
    assert _held(word)
    browser.press(event, tab=0)
    assert site.store.flush()
    eventually(lambda: not _held(word))


def test_a_tab_goes_on_after_somebody_else_has_erased(site: Site, browser: Browser) -> None:
    word = f"word{secrets.token_hex(6)}"
    _talk(site, browser, word)
    site.service.forget(new_owner())
    assert word in browser.press("handle page.load", tab=1)
    assert "I understand." in browser.press("retry sc-chat.retry", tab=0)


def _talk(site: Site, browser: Browser, word: str) -> None:
    """Asked in one tab, seen in both, and saved."""
    browser.press("ask sc-question.submit", 0, **{"sc-question": f"Where is {word}?"})
    assert site.store.flush()
    (browser.conversation,) = (row.id for row in site.service.conversations(browser.owner))
    for tab in (0, 1):
        assert word in browser.press("handle page.load", tab)
        assert word in browser.press("handle sc-save-json.click", tab)


def _held(word: str) -> list[str]:
    """The kinds of objects that hold a text with the word, but for this test's own variables."""
    gc.collect()
    frames = {id(frame) for frame in sys._current_frames().values()}
    return [
        type(each).__name__
        for each in gc.get_objects()
        if id(each) not in frames
        for held in gc.get_referents(each)
        if type(held) is str and word in held and held != word
    ]
