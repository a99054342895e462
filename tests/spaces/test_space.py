"""The repository as it is, on Spaces: CPU basic, a GPU Space (without its card), and a Hub that is
away. `make space-check` runs this alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from specchat.pretrained import base, sentence_vectors
from tests.api.conftest import serving
from tests.spaces.hub import Hub
from tests.spaces.space import CPU_BASIC, GPU, running, uploaded, writable
from tests.ui.chat.test_identity_browser import BLOCKED
from tests.ui.conftest import WAIT_MS, free_port
from tests.ui.endpoints import by_name, call

pytestmark = pytest.mark.timeout(1800)
QUESTION = "How long does a refund take?"


@pytest.fixture(scope="module")
def hub() -> Hub:
    """With the base of the assistant and the sentence vectors, from where they are installed."""
    vectors = sentence_vectors.installed_model()
    assert vectors is not None
    folders = {base.HUB_NAME: base.base_directory(), sentence_vectors.HUB_NAME: vectors}
    return Hub(folders)


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = uploaded(tmp_path_factory.mktemp("code"))
    yield made
    writable(made)


def said(url: str, question: str) -> str:
    """All that a program gets for a question."""
    with httpx.Client(base_url=url, timeout=WAIT_MS / 1000) as http:
        chat = by_name(http, "chat program")
        return call(http, chat, [question, "", "", True, 0.0, 64, None, False])


def test_a_space_answers_and_fetches_what_is_not_installed_once(
    hub: Hub, code: Path, tmp_path: Path, new_context: Callable[..., BrowserContext]
) -> None:
    """CPU basic; then, with the same home, a GPU Space without its card."""
    home, before = tmp_path / "user", sorted(code.rglob("*"))
    with hub.serving() as url, running(code, home, url, CPU_BASIC) as (app, log):
        answer = said(app, QUESTION)
        assert '"completed"' in answer
        assert "refund" in answer.lower()
        config = httpx.get(f"{app}/config", timeout=60).text
        assert "cannot be used" not in config
        assert "by their words alone" not in config
        _in_an_iframe_without_storage(app, new_context())
        assert _faults(log) == 0, log.read_text()
    weights = sorted(each for each in hub.fetched if each.endswith(".safetensors"))
    assert weights == [
        f"{base.HUB_NAME}/model.safetensors",
        f"{sentence_vectors.HUB_NAME}/model.safetensors",
    ]
    assert sorted(code.rglob("*")) == before
    hub.fetched.clear()
    with hub.serving() as url, running(code, home, url, GPU) as (app, log):
        assert '"completed"' in said(app, QUESTION)
        assert _faults(log) == 0, log.read_text()
    assert hub.fetched == []


def _faults(log: Path) -> int:
    """Errors in the log, but for Gradio's that a package is missing which Spaces themselves add."""
    text = log.read_text()
    return text.count("Traceback") - text.count("in watchfn_spaces")


def _in_an_iframe_without_storage(app: str, context: BrowserContext) -> None:
    """The Hub shows a Space inside a page of its own; browsers then block its storage."""
    context.add_init_script(f"if (window !== window.top) {{ {BLOCKED} }}")
    inside = app.replace("127.0.0.1", "localhost")
    frame = f'<iframe src="{inside}/?embed=1" width="900" height="800"></iframe>'
    outer = Starlette(routes=[Route("/", lambda request: HTMLResponse(frame))])
    with serving(outer) as url:
        page = context.new_page()
        page.goto(url)
        shown = page.frame_locator("iframe")
        shown.locator("#sc-question textarea").fill(QUESTION)
        shown.locator("#sc-send").click()
        expect(shown.locator("#sc-chat .sc-answered")).to_contain_text(" s", timeout=WAIT_MS)
        expect(shown.locator("#sc-chat")).to_contain_text("refund", ignore_case=True)


def test_a_hub_that_is_away_costs_the_assistant_and_not_the_chat(
    code: Path, tmp_path: Path
) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with running(code, tmp_path / "user", away, CPU_BASIC) as (app, _):
        config = httpx.get(f"{app}/config", timeout=60).text
        assert "care-mini answers instead" in config
        assert '"completed"' in said(app, QUESTION)
