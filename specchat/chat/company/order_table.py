"""The shop's orders as a question finds them: which numbers it names, and what the table says.

A number that is an order's is looked up whatever stands around it. A number that is none counts
only where the text says that it is meant as one, so that "I have 12 lamps" asks after no order 12.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date

from specchat.chat.company.orders import MOST_ORDERS, OrderLookup
from specchat.chat.company.profile import Company
from specchat.chat.knowledge.documents.cleaning import one_line
from storage import OrderRow, Store, StoreError

MOST_TRIED = 12  # numbers of one message that are looked for in the table
MOST_BEFORE = 8  # earlier questions that are searched for the order that is still talked about

_SIGNS = (
    r"[A-Za-z0-9]*\d[A-Za-z0-9]*(?:[-/][A-Za-z0-9]+)*|[A-Za-z]{1,6}-[A-Za-z0-9]*\d[A-Za-z0-9-]*"
)
_NUMBER = re.compile(rf"(?<![\w$€£])(?<!\d[.,:])#?({_SIGNS})(?![\w%]|[.,]\d)")
_WORD_BEFORE = re.compile(r"^(?:ORDERS?|ORD|NUMBER|NO|NR|BESTELLUNG|AUFTRAG)[-/]?(?=\d)")
_SHORTEST = 3  # signs of a number that the table may not have
_NAME = (
    r"(?:(?<!to )(?<!can i )(?<!could i )orders?|purchases?|bestellung(?:en)?|auftrag|aufträge"
    r"|bestell(?:nummer|[- ]?nr\.?)|auftrags(?:nummer|[- ]?nr\.?))"
)
_SAYS_ORDER = re.compile(
    rf"(?:\b{_NAME}(?:[ -]*(?:numbers?|nummern?|no\.?|nr\.?|id))?"
    r"(?: (?:is|are|was|ist|war|lautet))?"
    r"[\s:]*|#|\b(?:track|where is|where's|wheres|status of|wo ist) )\Z",
    re.IGNORECASE,
)
_AND = re.compile(r"\s*(?:,|and|or|und|oder|&|,\s*and)\s*#?\Z", re.IGNORECASE)
_ASKED_FOR = re.compile(r"\border number\b|\bbestellnummer\b", re.IGNORECASE)

_MATTER = re.compile(
    r"\b(?:where|when|how much|status|track\w*|carrier|courier|arriv\w+|deliver\w+|dispatch\w*|"
    r"ship\w*|sent|late|delayed|yet|did i order|cancel\w*|refund\w*|money|total|cost|price|paid|"
    r"pay|order\w*|parcel|package|items?|come|comes|coming|brings?|have it|in it|news|update|"
    r"expected|long|"
    r"wo|wann|bestell\w*|paket|kommt|liefer\w*|storn\w*|geld|sendung)\b",
    re.IGNORECASE,
)
_REFERS = re.compile(
    r"\b(?:it|its|it's|that one|this one|that|them|they|these|those|"
    r"(?:my|the|this|that) (?:order|parcel|package|delivery|shipment|refund|money|items?|total|"
    r"tracking|carrier|courier)|"
    r"sie|es|die bestellung|meine bestellung|das paket|mein paket|mein geld)\b",
    re.IGNORECASE,
)
_IN_GENERAL = re.compile(
    r"\b(?:an? (?:order|parcel|package|refund|return|item)|orders|parcels|packages|refunds|"
    r"returns|is it (?:possible|ok|okay|allowed|true)|cost to|"
    r"how long (?:does|do|will) (?!it|this|that|my))",
    re.IGNORECASE,
)
_FEW_WORDS = 5  # "and the tracking number?": too little to be about anything new
_FRAGMENT = re.compile(
    r"\b(?:tracking|carrier|courier|status|total|items?|who brings|which items|news|update|"
    r"delivered|arriving|eta|did i order)\b",
    re.IGNORECASE,
)


class OrderTable:
    """A shop's orders in its store. Safe to use from any thread.

    The days of demonstration orders count from the day of the question, however long the service
    has been running.
    """

    def __init__(self, company: Company, store: Store) -> None:
        self._demo = company.orders
        self._store = store
        self._written_on: date | None = None
        self.write_demo()

    def write_demo(self) -> None:
        """The demonstration's orders as of today. Raises StoreError."""
        today = date.today()
        if self._demo and self._written_on != today:
            self._store.care.put_orders([order.on(today) for order in self._demo])
            self._written_on = today

    def find(self, number: str) -> OrderRow | None:
        """The order of that number, as it stands today; its words are data, as pages are. Raises
        StoreError."""
        with suppress(StoreError):  # a day old is better than none
            self.write_demo()
        found = self._store.care.order(number)
        return None if found is None else _cleaned(found)

    def asked_about(
        self, text: str, earlier: Sequence[str] = (), answered: str = ""
    ) -> tuple[OrderLookup, ...]:
        """The orders a question is about: those that it names, or those named before, if it asks
        on about them.

        `earlier` are the customer's questions before, the oldest first, and `answered` is what it
        replies to. Nothing when the shop has no order table, or it is away.
        """
        if not self._demo:
            return ()
        try:
            named = self._named(text, answered)
            if named or not asks_on(text):
                return named
            for question in reversed(earlier[-MOST_BEFORE:]):
                before = self._named(question, "")
                if before:
                    return before
        except StoreError:
            pass
        return ()

    def _named(self, text: str, answered: str) -> tuple[OrderLookup, ...]:
        found: dict[str, OrderLookup] = {}
        for number, meant in numbers_in(text, answered):
            row = next(filter(None, map(self.find, _spellings(number))), None)
            if row is not None:
                found[row.number] = OrderLookup(row.number, row)
            elif several := self._all_of(number):
                found |= several
            elif meant:
                found[number] = OrderLookup(number, None)
        return tuple(found.values())[:MOST_ORDERS]

    def _all_of(self, number: str) -> dict[str, OrderLookup]:
        """The orders of "4417/4418", where each part is one's number."""
        parts = re.split(r"[-/]", number)
        rows = [self.find(part) for part in parts] if len(parts) > 1 else []
        return {row.number: OrderLookup(row.number, row) for row in rows if row and all(rows)}


def _cleaned(order: OrderRow) -> OrderRow:
    return replace(
        order,
        items=tuple(map(one_line, order.items)),
        total=one_line(order.total),
        carrier=one_line(order.carrier),
        tracking=one_line(order.tracking),
    )


def numbers_in(text: str, answered: str = "") -> Iterator[tuple[str, bool]]:
    """What may be an order's number in a text, and whether the text says that it is one.

    After `answered`, an answer that asks for the order number, every number is meant as one.
    """
    text = unicodedata.normalize("NFKC", text)  # digits of every width, "№"
    asked_for = _ASKED_FOR.search(answered) is not None and "?" in answered
    before_meant, end = False, 0
    for found in list(_NUMBER.finditer(text))[:MOST_TRIED]:
        number = found.group(1).strip("-/")
        goes_on = before_meant and _AND.match(text[end : found.start(1)]) is not None
        says = _SAYS_ORDER.search(text[: found.start(1)]) is not None
        meant = (asked_for or says or goes_on) and len(number) >= _SHORTEST
        before_meant, end = meant, found.end()
        yield number.upper(), meant


def asks_on(text: str) -> bool:
    """True when a question that names no order is about the one that was named before."""
    if _IN_GENERAL.search(text):
        return False
    if len(text.split()) <= _FEW_WORDS and _FRAGMENT.search(text):
        return True
    return _MATTER.search(text) is not None and _REFERS.search(text) is not None


def _spellings(number: str) -> Iterator[str]:
    """A number in the ways that the table may have it: without zeros or a word before it."""
    yield number
    digits = _WORD_BEFORE.sub("", number)
    for spelled in (number.lstrip("0"), digits, digits.lstrip("0")):
        if spelled and spelled != number:
            yield spelled
