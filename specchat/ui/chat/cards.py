"""HTML that stands in a conversation next to the words: orders, sources, hand-offs. Escaped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from specchat.chat.company.orders import OrderLookup
from specchat.chat.types import Source
from specchat.ui.chat import labels as text
from specchat.ui.shared.format import dated
from specchat.ui.shared.token_highlights import one_line
from storage import HandoffRow, OrderRow

_REACHED = {"processing": 2, "shipped": 3, "delivered": 4}
"""How many of `ORDER_STEPS` an order on its normal way has reached."""


def order_cards(lookups: Sequence[OrderLookup]) -> str:
    """One status card for each order that was looked up."""
    return "".join(
        _unknown(lookup.number) if lookup.order is None else _card(lookup.order)
        for lookup in lookups
    )


def _unknown(number: str) -> str:
    return (
        f'<div class="sc-card sc-card-unknown"><div class="sc-card-head"><b>{text.ORDER} '
        f"{one_line(number)}</b></div><p>{text.ORDER_UNKNOWN}</p></div>"
    )


def _card(order: OrderRow) -> str:
    rows = [(text.ORDERED_ON, _day(order.ordered_on)), (text.TOTAL, one_line(order.total))]
    if order.due_on is not None:
        rows.insert(0, (text.ORDER_DUE[order.status], _day(order.due_on)))
    if order.carrier:
        rows += [(text.CARRIER, one_line(order.carrier)), (text.TRACKING, one_line(order.tracking))]
    facts = "".join(f"<span><small>{one_line(name)}</small> {html}</span>" for name, html in rows)
    return (
        f'<div class="sc-card sc-card-{order.status}">'
        f'<div class="sc-card-head"><b>{text.ORDER} {one_line(order.number)}</b>'
        f'<span class="sc-state">{text.ORDER_STATES[order.status]}</span></div>'
        f"{_steps(order)}"
        f'<p>{one_line(" · ".join(order.items))}</p><div class="sc-card-facts">{facts}</div></div>'
    )


def _day(value: date) -> str:
    return dated(text.on_day(value), value)


def _steps(order: OrderRow) -> str:
    reached = _REACHED.get(order.status)
    if reached is None:
        return ""
    return (
        '<div class="sc-order-steps">'
        + "".join(
            f'<span class="{"sc-done" if place < reached else "sc-todo"}">{name}</span>'
            for place, name in enumerate(text.ORDER_STEPS)
        )
        + "</div>"
    )


def sources(entries: Sequence[Source], *, read: bool, quoted: bool = False) -> str:
    """Help pages to open; `read` when the answer was taken from them, `quoted` when it is one of
    them word for word."""
    heading = text.SOURCES_READ if read else text.SOURCES_SHOWN
    if quoted:
        heading = text.SOURCES_QUOTED
    shown = "".join(
        f"<details><summary>{one_line(entry.title)}</summary><p>{one_line(entry.text)}</p></details>"
        for entry in entries
    )
    return f'<div class="sc-sources"><b>{heading}</b>{shown}</div>'


def handoff_panel(handoff: HandoffRow | None) -> str:
    """Where the customer stands on the way to a person; "" without one."""
    if handoff is None:
        return ""
    sentence = {
        "waiting": text.waiting(handoff.position, handoff.ticket),
        "active": text.talking(handoff.ticket),
        "closed": text.settled(handoff.ticket),
    }[handoff.status]
    return (
        f'<div class="sc-handoff sc-handoff-{handoff.status}" role="status">'
        f"{one_line(sentence)}</div>"
    )


def offer(doubts: Sequence[str]) -> str:
    """Why a person may help more; "" without a doubt."""
    if not doubts:
        return ""
    return f'<div class="sc-offer" role="status">{one_line(text.offer(doubts))}</div>'
