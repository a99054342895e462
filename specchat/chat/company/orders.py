"""Orders that a question is about: looked up in the order table, told as facts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from specchat.chat.slots.message import Parts, Slot, merged
from specchat.chat.slots.rewrite import rewrite_input
from specchat.chat.wording import day
from storage import OrderRow

MOST_ORDERS = 3  # looked up for one question
_NUMBER = re.compile(r"(?=[A-Za-z-]{0,6}\d)[A-Za-z0-9][A-Za-z0-9-]{1,31}")
_ABOUT_STATUS = re.compile(
    r"\b(?:where|when|status|track|arriv\w+|deliver\w+|how long|refund|cancel|late|yet)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class OrderLookup:
    """One number that was looked up."""

    number: str
    order: OrderRow | None  # None: there is no such order


def numbers_in(text: str, asked: str = "", before: str = "") -> tuple[str, ...]:
    """The order numbers that a question names, or the one named `before` when it asks on.

    `asked` is the answer it replies to: after "what is your order number?" a bare "4417" is one.
    """
    said = rewrite_input(text, asked=asked).values.get("order_number", "")
    if not said and before and _ABOUT_STATUS.search(text):
        said = before
    return tuple(dict.fromkeys(_NUMBER.findall(said)))[:MOST_ORDERS]


def look_up(
    numbers: Iterable[str], find: Callable[[str], OrderRow | None]
) -> tuple[OrderLookup, ...]:
    """What the table says about each number."""
    return tuple(OrderLookup(number, find(number.upper())) for number in numbers)


def facts(lookup: OrderLookup) -> str:
    """The order in a line or two of plain text, as grounding for an instruction model."""
    order = lookup.order
    if order is None:
        return f"There is no order {lookup.number} in the shop's records."
    parts = [
        f"Order {order.number}: {_STATES[order.status]}.",
        f"Items: {', '.join(order.items)}. Total: {order.total}.",
        f"Ordered on {day(order.ordered_on)}.",
    ]
    if order.due_on is not None:
        parts.append(f"{_DUE[order.status]} {day(order.due_on)}.")
    if order.carrier:
        parts.append(f"Carrier: {order.carrier}, tracking number {order.tracking}.")
    return " ".join(parts)


def told(lookup: OrderLookup) -> str:
    """How the order stands, as an answer: its state, its day and who brings it."""
    order = lookup.order
    if order is None:
        return f"{facts(lookup)} Please check the number, or ask for a person."
    said = [f"Your order {order.number} {_IS[order.status]}."]
    if order.due_on is not None:
        said.append(f"{_DUE[order.status]} {day(order.due_on)}.")
    if order.carrier:
        said.append(f"Carrier: {order.carrier}, tracking number {order.tracking}.")
    return " ".join(said)


def opening(lookups: Sequence[OrderLookup]) -> Parts:
    """The first sentence of an answer, for a model that knows slots instead of facts.

    It is said for the model, which goes on from there. Nothing when no order was looked up.
    """
    if not lookups:
        return ()
    order = lookups[0].order
    number = Slot("order_number")
    if order is None:
        return ("I could not find an order with the number ", number, " in our records.")
    if order.due_on is None and order.status != "cancelled":
        return ("Your order ", number, f" is {_STATES[order.status]}.")
    return merged(
        number if piece == "N" else Slot("date") if piece == "D" else piece
        for piece in re.split(r"\b([ND])\b", _OPENINGS[order.status])
    )


def values(lookups: Sequence[OrderLookup]) -> Mapping[str, str]:
    """What the first order's slots stand for."""
    if not lookups:
        return {}
    found: dict[str, str] = {"order_number": lookups[0].number}
    order = lookups[0].order
    if order is not None and order.due_on is not None:
        found["date"] = day(order.due_on)
    if order is not None and order.tracking:
        found["tracking_number"] = order.tracking
    return found


_STATES: Mapping[str, str] = {
    "processing": "being prepared",
    "shipped": "on its way",
    "delivered": "delivered",
    "cancelled": "cancelled",
    "returned": "returned, the refund is on its way",
    "refunded": "refunded",
}
_IS: Mapping[str, str] = {
    "processing": "is being prepared",
    "shipped": "is on its way",
    "delivered": "was delivered",
    "cancelled": "is cancelled",
    "returned": "was returned, the refund is on its way",
    "refunded": "was refunded",
}
_DUE: Mapping[str, str] = {
    "processing": "Expected on",
    "shipped": "Expected on",
    "delivered": "Delivered on",
    "cancelled": "Cancelled on",
    "returned": "Refund expected by",
    "refunded": "Refund paid on",
}
_OPENINGS: Mapping[str, str] = {
    "processing": "Your order N is being prepared and should arrive on D.",
    "shipped": "Your order N is on its way and should arrive on D.",
    "delivered": "Your order N was delivered on D.",
    "cancelled": "Your order N has been cancelled.",
    "returned": "Your return of order N has reached us, and the refund should be paid by D.",
    "refunded": "The refund for your order N was paid on D.",
}
