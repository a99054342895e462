"""`specchat serve --engine openai` on a real vLLM, in a real browser."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from specchat.chat import wording as say
from tests.api.conftest import eventually
from tests.app_process import served
from tests.chromium import WAIT_MS
from tests.ui.chat_page import ask, finished
from tests.ui.conftest import ROOT, free_port
from tests.vllm.server import SPECULATING, TELLS, TELLS_DRAFTS, Vllm
from tests.vllm.test_chat import QUESTION

pytestmark = pytest.mark.vllm
expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def page_url(speculating: Vllm, plain: Vllm, tmp_path: Path) -> Iterator[str]:
    """Of the demo."""
    port = free_port()
    command = [
        sys.executable, "-m", "specchat", "serve", "--engine", "openai", "--port", str(port),
        "--base-url", speculating.url, "--plain-base-url", plain.url,
    ]  # fmt: skip
    environment = {**os.environ, "SPECCHAT_MAX_TOKENS": "64"}
    url = f"http://127.0.0.1:{port}"
    with served(command, ROOT, environment, tmp_path / "app.log", f"{url}/"):
        yield f"{url}/demo"


def test_a_customer_asks_races_loses_the_server_and_asks_again(
    page_url: str, speculating: Vllm, new_context: Callable[..., BrowserContext]
) -> None:
    context = new_context()
    page = context.new_page()
    page.goto(page_url)
    ask(page, QUESTION)
    title = page.locator("#sc-chat .thought-group .title")
    expect(title).to_contain_text(re.compile(r"tokens · τ \d\.\d · \d+ % drafts accepted · TTFT"))
    _race(context.new_page(), page_url)
    _look_at_the_dashboard(context.new_page(), page_url)

    ask(page, "Can I return a gift?")
    eventually(lambda: speculating.running() == 1)
    speculating.kill()
    expect(page.locator("#sc-alert")).to_contain_text(say.ENGINE_STOPPED)
    speculating.start(*SPECULATING, *TELLS, *TELLS_DRAFTS)
    before = title.count()
    ask(page, QUESTION)
    finished(page, before + 1)
    expect(title.last).to_contain_text("drafts accepted")


def _race(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("tab", name="Race").click()
    page.locator("#sc-race-question textarea").fill(QUESTION)
    page.locator("#sc-race-start").click()
    expect(page.locator("#sc-race-headline .sc-big")).to_contain_text("same answer ✓")


def _look_at_the_dashboard(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("tab", name="Dashboard").click()
    expect(page.locator("#sc-dash-tiles .sc-tile").first).to_contain_text("turns, 1 race")
    page.get_by_role("tab", name="Turns", exact=True).click()
    table = page.locator("#sc-table")
    expect(table).to_contain_text("Chat")
    expect(table).to_contain_text("plain")
