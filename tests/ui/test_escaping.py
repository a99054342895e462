"""No text of anybody becomes markup, wherever it is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from specchat.chat.types import ChatTurn, Segment
from specchat.engine.errors import RequestError
from specchat.ui import messages
from specchat.ui.chat_tab import build_chat_tab  # noqa: F401  (imports must not need a page)
from specchat.ui.marks import legend, marked_text
from specchat.ui.page import header_html
from specchat.ui.race_record import headline_html
from specchat.ui.transcript import transcript

from .made_up import metrics, pair, plain_stats, stats

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</div><svg onload=alert(1)>",
    "&lt;script&gt;",
    "<b\nonmouseover=alert(1)>",
)
HARMLESS = {"div", "span", "p", "br", "strong", "h1", "svg", "path", "circle", "b", "i"}


class Elements(HTMLParser):
    """Collects the elements and event handlers of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_harmless(html: str) -> Elements:
    seen = Elements(html)
    assert seen.tags <= HARMLESS, seen.tags
    assert not seen.handlers
    return seen


@pytest.mark.parametrize("payload", PAYLOADS)
def test_marked_tokens(payload: str) -> None:
    html = marked_text([Segment(payload, "mlp"), Segment(payload, "target")])
    assert assert_harmless(html).text == 2 * payload.replace("\n", "")
    assert "\n" not in html


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_source_named_by_somebody(payload: str) -> None:
    assert_harmless(legend([payload]) + marked_text([Segment("x", payload)]))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_errors_and_notes(payload: str) -> None:
    html = messages.problem(RequestError(payload)) + messages.notes([payload])
    assert payload.replace("\n", "") in assert_harmless(html).text.replace("\n", "")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_question_and_the_evidence_of_a_turn(payload: str) -> None:
    turn = ChatTurn(
        "t", payload, "fine", "completed", "speculative", metrics(),
        datetime.now(UTC), (Segment(payload, "ngram"),),
    )  # fmt: skip
    question, _, evidence = transcript([turn])
    assert_harmless(evidence["content"])
    assert Elements(question["content"]).tags == set()
    assert Elements(question["content"]).text == payload


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_header_and_a_race(payload: str) -> None:
    info = SimpleNamespace(
        name=payload, parameters=1, dtype="float32", device="cpu", speculators=(payload,)
    )
    assert_harmless(header_html(info, payload))
    assert_harmless(headline_html(pair(plain_stats(), stats()), payload))
