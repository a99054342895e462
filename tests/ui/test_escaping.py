"""No text of anybody becomes markup, wherever it is shown."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from specchat.chat.company.orders import OrderLookup
from specchat.chat.types import ChatTurn, Segment, Source
from specchat.engine.errors import RequestError
from specchat.ui.chat import cards
from specchat.ui.chat.said import formatted, typed, typed_text, written
from specchat.ui.chat.tab import build_chat_tab  # noqa: F401  (imports must not need a page)
from specchat.ui.chat.transcript import colleague_message, transcript
from specchat.ui.desk.events import case_html, known_html
from specchat.ui.page import demo_header, desk_header, shop_header
from specchat.ui.race.result import headline_html
from specchat.ui.shared import alerts
from specchat.ui.shared.token_highlights import legend, marked_text
from storage import Desk, HandoffRow, OrderRow, TurnRow
from tests.ui.made_up import metrics, pair, plain_stats, stats

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</div><svg onload=alert(1)>",
    "&lt;script&gt;",
    "<b\nonmouseover=alert(1)>",
)
HARMLESS = {"div", "span", "p", "br", "strong", "h1", "svg", "path", "circle", "b", "i"}
HARMLESS |= {
    "nav",
    "a",
    "small",
    "details",
    "summary",
    "h3",
    "label",
    "select",
    "option",
    "data",
    "time",
}


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
    html = alerts.problem(RequestError(payload)) + alerts.notes([payload])
    assert payload.replace("\n", "") in assert_harmless(html).text.replace("\n", "")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_question_and_the_evidence_of_a_turn(payload: str) -> None:
    turn = ChatTurn(
        "t", payload, "fine", "completed", "speculative", metrics(),
        datetime.now(UTC), (Segment(payload, "ngram"),),
    )  # fmt: skip
    question, _, evidence = transcript([turn]).messages
    assert_harmless(evidence["content"])
    assert assert_harmless(question["content"]).text == payload.replace("\n", "")
    assert typed_text(question["content"]) == payload


@pytest.mark.parametrize("payload", PAYLOADS)
def test_cards_and_the_desk(payload: str) -> None:
    today = date(2026, 1, 2)
    order = OrderRow(
        number=payload, status="shipped", items=(payload,), total=payload, ordered_on=today,
        due_on=today, carrier=payload, tracking=payload,
    )  # fmt: skip
    found = (OrderLookup(payload, order), OrderLookup(payload, None))
    entry = Source("a", payload.replace("\n", " "), payload)
    now = datetime.now(UTC)
    handoff = HandoffRow(
        handoff_id="h", ticket=payload, conversation_id="c", title=payload, reason="asked",
        summary=payload, status="waiting", position=1, created_at=now, taken_at=None,
        closed_at=None,
    )  # fmt: skip
    said = TurnRow(
        turn_id="t", conversation_id="c", position=0, kind="person", status="completed",
        question=payload, answer=payload, created_at=now, metrics=None,
    )  # fmt: skip
    assert_harmless(cards.order_cards(found))
    assert_harmless(cards.sources([entry], read=True))
    assert_harmless(cards.handoff_panel(handoff))
    assert_harmless(case_html(Desk(handoff=handoff, turns=(said,))))
    assert_harmless(known_html(Desk(handoff=handoff, turns=(said,))))
    assert_harmless(colleague_message(payload)["content"])


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_header_and_a_race(payload: str) -> None:
    info = SimpleNamespace(
        name=payload, parameters=1, dtype="float32", device="cpu", speculators=(payload,)
    )
    assert_harmless(demo_header(info, payload))
    assert_harmless(shop_header(payload) + desk_header(payload))
    assert_harmless(headline_html(pair(plain_stats(), stats()), payload))


@pytest.mark.parametrize(
    "said",
    [
        "5*3*2 pieces", "# 4417 is my order", "3 < 5 & 7 > 2", "&lt;b&gt; &#42;", "1. a\n2. b",
        "    four spaces\tand a tab", "a\r\n\r\nb\rc\u2028d", "`code` ~~no~~ __no__ [x](y) ![x](y)",
        "```mermaid\ngraph TD\n```", "> quoted\n\n- item", "www.example.com a@b.example", "\\*",
        "|a|b|\n|-|-|",
    ],
)  # fmt: skip
def test_what_is_typed_comes_back_as_it_was_typed(said: str) -> None:
    html = typed(said)
    assert len(html.splitlines()) == 1
    assert typed_text(html) == re.sub("\r\n|[\r\u2028]", "\n", said)
    assert Elements(html).tags <= {"div", "br"}


def test_a_colleagues_address_can_be_followed_and_nothing_else() -> None:
    html = written("See https://example.com/a?b=1&c=2, or javascript:alert(1).")
    assert 'href="https://example.com/a?b=1&amp;c=2"' in html
    assert html.count("<a ") == 1
    assert typed_text("See this") == "See this"


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize(
    "frame", ["{}", "`{}`", "```html\n{}\n```", "```\n{}", "\\`{}\\`", "**{}**"]
)
def test_a_models_html_stays_text(payload: str, frame: str) -> None:
    seen = Elements(formatted(frame.format(payload)))
    assert seen.tags <= {"code", "pre"}
    assert not seen.handlers


def test_a_models_picture_and_drawing_stay_text() -> None:
    assert "![" not in formatted("![x](http://a.example/p.png) [![y](http://b)](http://c) ![z][z]")
    assert "mermaid" not in formatted("```mermaid\ngraph TD\n```")
    assert formatted("**bold** and\n- a list") == "**bold** and\n- a list"
