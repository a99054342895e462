"""What a first look costs: bytes, shifts of what is already drawn, and what browsers keep."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect

from specchat.ui import preload
from tests.ui.conftest import WAIT_MS, Site, eventually

expect.set_options(timeout=WAIT_MS)
MOST_BYTES = 300_000
MOST_SHIFT = 0.05
PAINTS = """window.paints = { shift: 0 };
const seen = (type, each) => new PerformanceObserver((list) => list.getEntries().forEach(each))
  .observe({ type, buffered: true });
seen("layout-shift", (entry) => { if (!entry.hadRecentInput) window.paints.shift += entry.value; });
seen("largest-contentful-paint", (entry) => { window.paints.largest_ms = entry.startTime; });"""


@dataclass
class Look:
    """A page as somebody sees it who has never been there."""

    transferred: int  # bytes, headers included
    shift: float  # cumulative layout shift
    largest_ms: float  # largest contentful paint
    usable_ms: float  # until the question box can be typed in


@pytest.fixture
def look(new_context: Callable[..., BrowserContext], site: Site) -> Callable[[], Look]:
    def once() -> Look:
        context = new_context(viewport={"width": 1366, "height": 768})
        context.add_init_script(PAINTS)
        page = context.new_page()
        sizes: list[int] = []
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", lambda each: sizes.append(each["encodedDataLength"]))
        page.goto(site.url)
        expect(page.locator("#sc-question textarea")).to_be_editable()
        usable = page.evaluate("performance.now()")
        expect(page.locator("#sc-consent")).to_be_visible()
        page.wait_for_timeout(1_000)  # what comes late
        paints = page.evaluate("window.paints")
        context.close()
        return Look(int(sum(sizes)), paints["shift"], paints["largest_ms"], usable)

    return once


def test_a_first_look_is_light_and_holds_still(look: Callable[[], Look]) -> None:
    looks = [look()]
    eventually(lambda: looks.append(look()) or looks[-1].transferred < MOST_BYTES)
    print(*looks, sep="\n")
    assert looks[0].transferred < 1.1 * MOST_BYTES  # before the files are packed their best
    assert looks[-1].largest_ms > 0
    for each in looks:
        assert each.shift < MOST_SHIFT, each


@pytest.mark.parametrize("view", ["", "demo", "desk"])
def test_a_page_names_at_its_beginning_what_it_will_need(
    new_context: Callable[..., BrowserContext], site: Site, view: str
) -> None:
    sent = httpx.get(f"{site.url}/{view}").text
    named = set(re.findall(r'<link rel="(?:module)?preload"[^>]* href="\./assets/([^"]*)">', sent))
    assert len(named) > 20
    theme = re.search(r'<link rel="preload" as="style" href="\./(theme\.css\?v=\w+)">', sent)
    assert theme
    named.add(theme[1])
    page = new_context().new_page()
    needed: set[str] = set()
    page.on("request", lambda asked: needed.add(asked.url.rpartition("/")[2]))
    bare = re.sub(r'<link rel="(?:module)?preload"[^>]*>', "", sent)
    page.route(
        f"{site.url}/{view}", lambda route: route.fulfill(body=bare, content_type="text/html")
    )
    page.goto(f"{site.url}/{view}")
    expect(page.locator("#sc-question textarea, #sc-key input")).to_be_visible()
    for _ in range(100):
        if named <= needed:
            break
        page.wait_for_timeout(200)
    assert named <= needed
    assert len({each for each in needed if each.endswith((".js", ".css"))} - named) < 20


def test_another_gradio_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preload, "FRONTEND", tmp_path)
    assert preload.view_files(["html"]) == []
    (tmp_path / "index.html").write_text("<html>")
    assert preload.view_files(["html"]) == []
    entry = '<script type="module" crossorigin src="./assets/index-1.js"></script>'
    (tmp_path / "index.html").write_text(entry)
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index-1.js").write_text("import(`./Index-2.js`),__vite__mapDeps([7])")
    assert preload.view_files(["html"]) == []


def asset(site: Site) -> str:
    """One of Gradio's files."""
    page = httpx.get(site.url).text
    return page[page.index("assets/index-") :].split('"')[0]


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_files_are_compressed_once_and_kept_by_browsers(site: Site, encoding: str) -> None:
    accepted = {"accept-encoding": f"{encoding};q=1.0, identity"}
    for address in (asset(site), "style/page.js", "style/page.css", "language/de.json"):
        said = httpx.get(f"{site.url}/{address}", headers=accepted)
        plain = httpx.get(f"{site.url}/{address}", headers={"accept-encoding": "identity"})
        assert said.headers["content-encoding"] == encoding
        assert "content-encoding" not in plain.headers
        assert said.content == plain.content
        assert int(said.headers["content-length"]) < len(plain.content) / 2
        assert "immutable" in said.headers["cache-control"]
        assert "Accept-Encoding" in said.headers["vary"]
        assert said.headers["x-content-type-options"] == "nosniff"


def test_who_comes_later_gets_them_packed_better(site: Site) -> None:
    address = f"{site.url}/{asset(site)}"

    def size() -> int:
        said = httpx.get(address, headers={"accept-encoding": "br"})
        return int(said.headers["content-length"])

    gzipped = httpx.get(address, headers={"accept-encoding": "gzip"}).headers["content-length"]
    eventually(lambda: size() < 0.92 * int(gzipped))


@pytest.mark.parametrize("address", ["assets/none-12345678.js", "assets/../config", "assets/"])
def test_what_is_no_such_file_is_not_kept(site: Site, address: str) -> None:
    for _ in range(2):
        said = httpx.get(f"{site.url}/{address}", headers={"accept-encoding": "br"})
        assert said.status_code == 404 or "immutable" not in said.headers.get("cache-control", "")


def test_a_part_of_a_file_and_its_head_alone_are_left_to_gradio(site: Site) -> None:
    address = f"{site.url}/{asset(site)}"
    assert httpx.head(address).status_code in (200, 405)
    said = httpx.get(address, headers={"accept-encoding": "identity", "range": "bytes=0-9"})
    assert (said.status_code, len(said.content)) == (206, 10)
