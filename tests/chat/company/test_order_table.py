"""The order table: numbers however they are written, whose days count from the question."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from specchat.chat.company import order_table
from specchat.chat.company.order_table import OrderTable, asks_on
from specchat.chat.company.profile import Company
from storage import Store


@pytest.fixture
def table(company: Company, store: Store) -> OrderTable:
    return OrderTable(company, store)


def numbers(table: OrderTable, text: str, *earlier: str, answered: str = "") -> list[str]:
    found = table.asked_about(text, earlier, answered)
    return [each.number if each.order else f"no {each.number}" for each in found]


@pytest.mark.parametrize(
    "text",
    [
        "4417",
        "my order is 4417",
        "Bestellung 4417",
        "order 004417",
        "#4417",
        "no. 4417 please!",
        "ORDER-4417 is late",
        "I paid a lot for 4417 and nobody writes",
        "order:4417",
        "order no.4417",
        "№4417",
        "４４１７",
        '"4417"',
    ],
)
def test_a_number_that_is_an_orders_is_looked_up(table: OrderTable, text: str) -> None:
    assert numbers(table, text) == ["4417"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("orders #4417 and #4418 please", ["4417", "4418"]),
        ("4417/4418 are late", ["4417", "4418"]),
        ("4417-4418", ["4417", "4418"]),
        ("at 10:44.17 or 3:4417", []),
        ("order number 9999, 9998", ["no 9999", "no 9998"]),
        ("where is order A-99?", ["no A-99"]),
        ("where is 9999", ["no 9999"]),
        ("I want 120 lamps for 300 dollars", []),
        ("I want to order 100 lamps", []),
        ("call 503-555-4417, it cost $44.17 or 4,417", []),
    ],
)
def test_other_numbers_count_only_where_the_text_says_so(
    table: OrderTable, text: str, found: list[str]
) -> None:
    assert numbers(table, text) == found


def test_a_number_that_was_asked_for_is_meant_as_one(table: OrderTable) -> None:
    assert numbers(table, "9999", answered="What is your order number?") == ["no 9999"]
    assert numbers(table, "9999") == []


def test_a_follow_up_keeps_the_order_and_another_matter_does_not(table: OrderTable) -> None:
    before = ("hello", "where is order 4417?", "thanks")
    assert numbers(table, "where is it now?", *before) == ["4417"]
    assert numbers(table, "and the tracking number?", *before) == ["4417"]
    assert numbers(table, "My laptop's screen arrived cracked", *before) == []
    assert numbers(table, "how long does delivery take?", *before) == []
    assert numbers(table, "and order 4418?", *before) == ["4418"]


@pytest.mark.parametrize(
    "text", ["so when will i have it", "which carrier?", "how much was it?", "can I cancel it?"]
)
def test_what_asks_on(text: str) -> None:
    assert asks_on(text)


def test_days_count_from_the_question(table: OrderTable, monkeypatch: pytest.MonkeyPatch) -> None:
    later = date.today() + timedelta(days=9)

    class Later(date):
        @classmethod
        def today(cls) -> date:  # type: ignore[override]
            return later

    monkeypatch.setattr(order_table, "date", Later)
    order = table.find("4417")
    assert order is not None
    assert order.due_on == later + timedelta(days=2)
