"""Orders as records, what customers ask about them, and answers that say state and date exactly."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

from specchat.chat.company.orders import OrderLookup, facts
from specchat.chat.wording import day
from specchat.training.assistant.examples.business import Split, allowed
from storage import OrderRow
from storage.care.records import OrderStatus

UNKNOWN_SHARE = 0.12  # of numbers that no order has
STATUS_SHARE = 0.4  # of questions that are about the status whatever else could be asked

_STATES: Mapping[str, str] = {
    "processing": "is being prepared",
    "shipped": "is on its way",
    "delivered": "was delivered",
    "cancelled": "is cancelled",
    "returned": "was returned, the refund is on its way",
    "refunded": "was refunded",
}
_DUE = ("Expected on ", "Delivered on ", "Refund expected by ", "Refund paid on ")
_CHECK_NUMBER = "Please check the number, or ask for a colleague."
_NO_CANCELLING = "I cannot cancel it myself, but you can ask for a colleague here."


@dataclass(frozen=True)
class OrderQuestion:
    """A question about an order, and the answer from its record."""

    question: str
    lead: str
    says: tuple[str, ...]  # the sentences of the answer

    @property
    def answer(self) -> str:
        """The answer in one piece."""
        return " ".join(filter(None, (self.lead, *self.says)))


@dataclass(frozen=True)
class OrderTalk:
    """What orders hold, and what customers ask about them: `{n}` is the number."""

    items: tuple[str, ...]
    carriers: tuple[str, ...]
    sympathy: tuple[str, ...]  # lead-ins where an order is late
    several: tuple[str, ...]  # questions about several orders
    questions: Mapping[str, tuple[str, ...]]  # by what is asked: "status", "tracking", ...
    follow: Mapping[str, tuple[str, ...]]  # the same without the number, asked after an answer

    def lookup(self, rng: random.Random) -> OrderLookup:
        """A number that a customer named, and what the table says about it."""
        number = _number(rng)
        if rng.random() < UNKNOWN_SHARE:
            return OrderLookup(number, None)
        status: OrderStatus = rng.choice(get_args(OrderStatus))
        today = date(2026, 1, 1) + timedelta(days=rng.randrange(700))
        ahead = status in ("processing", "shipped", "returned")
        due = today + timedelta(days=rng.randint(0, 14)) if ahead else today
        sent = status in ("shipped", "delivered") and rng.random() < 0.85
        order = OrderRow(
            number=number,
            status=status,
            items=tuple(rng.sample(self.items, rng.choice((1, 1, 2, 3)))),
            total=f"{rng.choice('$€£')}{rng.randint(3, 900)}.{rng.randrange(100):02}",
            ordered_on=today - timedelta(days=rng.randint(1, 40)),
            due_on=None if status == "cancelled" or rng.random() < 0.08 else due,
            carrier=rng.choice(self.carriers) if sent else "",
            tracking=_tracking(rng) if sent else "",
        )
        return OrderLookup(number, order)

    def ask(self, lookup: OrderLookup, split: Split, rng: random.Random) -> OrderQuestion:
        """A question that names the order."""
        about = _about(lookup, self.questions, rng)
        asked = rng.choice(allowed(self.questions[about], f"orders/{about}", split))
        lead = rng.choice(self.sympathy) if about == "late" else ""
        return OrderQuestion(asked.format(n=lookup.number), lead, says(lookup, about))

    def ask_on(self, lookup: OrderLookup, split: Split, rng: random.Random) -> OrderQuestion:
        """A question about the order that was named before."""
        about = _about(lookup, self.follow, rng)
        asked = rng.choice(allowed(self.follow[about], f"orders>{about}", split))
        return OrderQuestion(asked, "", says(lookup, about))

    def ask_about_all(
        self, lookups: Sequence[OrderLookup], split: Split, rng: random.Random
    ) -> OrderQuestion:
        """Where several orders are, in one question."""
        numbers = [lookup.number for lookup in lookups]
        named = f"{', '.join(numbers[:-1])} and {numbers[-1]}"
        asked = rng.choice(allowed(self.several, "orders", split))
        said = tuple(sentence for lookup in lookups for sentence in says(lookup, "status"))
        return OrderQuestion(asked.format(n=named), "", said)


def read_order_talk(file: Path) -> OrderTalk:
    """The orders file (assets/training/orders.toml).

    Raises `ValueError` naming the file when it is not of that form.
    """
    try:
        with file.open("rb") as source:
            table = tomllib.load(source)
        lists = {name: tuple(table[name]) for name in ("items", "carriers", "sympathy", "several")}
        asked, follow = (
            {about: tuple(texts) for about, texts in table[name].items()}
            for name in ("questions", "follow")
        )
        return OrderTalk(**lists, questions=asked, follow=follow)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} is no file of questions about orders: {error}") from None


def says(lookup: OrderLookup, about: str) -> tuple[str, ...]:
    """The sentences that answer what is asked `about` the order; its state for a late one."""
    order = lookup.order
    if order is None:
        return (facts(lookup), _CHECK_NUMBER)
    number = order.number
    carrier = f"Carrier: {order.carrier}, tracking number {order.tracking}."
    if about == "tracking":
        return (f"Here is what I have for order {number}.", carrier)
    if about == "items":
        return (f"Order {number} holds: {', '.join(order.items)}.",)
    if about == "total":
        return (f"The total of order {number} is {order.total}.",)
    if about == "ordered":
        return (f"Order {number} was placed on {day(order.ordered_on)}.",)
    state = f"Your order {number} {_STATES[order.status]}."
    if about == "cancel":
        return (state,) if order.status == "cancelled" else (state, _NO_CANCELLING)
    with_carrier = about == "status" and order.carrier
    return tuple(filter(None, (state, _due(lookup), carrier if with_carrier else "")))


def _about(lookup: OrderLookup, choices: Iterable[str], rng: random.Random) -> str:
    """What is asked: mostly the status; nothing that the record does not hold."""
    order = lookup.order
    fitting = {
        "refund": order is None or order.status in ("returned", "refunded"),
        "tracking": order is not None and bool(order.carrier),
        "late": order is not None and order.status in ("processing", "shipped"),
        "cancel": order is None or order.status in ("processing", "shipped", "cancelled"),
    }
    usable = [about for about in choices if fitting.get(about, True)]
    return "status" if rng.random() < STATUS_SHARE else rng.choice(usable)


def _due(lookup: OrderLookup) -> str:
    """The record's sentence about its day; "" when it has none."""
    record = facts(lookup)
    for opening in _DUE:
        start = record.find(opening)
        if start >= 0:
            return record[start : record.index(".", start) + 1]
    return ""


def _number(rng: random.Random) -> str:
    digits = "".join(rng.choice("0123456789") for _ in range(rng.choice((3, 3, 4, 5, 7))))
    return (
        f"{rng.choice(('', '', '', '', 'A-', 'ORD-', 'WEB', 'K', 'N-'))}{rng.randint(1, 9)}{digits}"
    )


def _tracking(rng: random.Random) -> str:
    signs = "ABCDEFGHJKLMNPQRSTUVWXYZ" + "0123456789" * 5
    return "".join(rng.choice(signs) for _ in range(rng.choice((10, 12, 14))))
