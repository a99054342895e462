"""The page table of one request: which pages hold its tokens, and room for the next ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from specchat.engine.kv.page_pool import PagePool, cache_rows
from specchat.engine.kv.prefix_cache import Node, PageName, Tenant


@dataclass(slots=True)
class PageTable:
    """One request's pages, in order. Rows [0, length) of the cache are computed and final.

    The first `public` tokens of the request are the company's own: their full pages are shared by
    all tenants. Every other page is the tenant's.
    """

    pool: PagePool
    salt: str = ""
    public: int = 0
    pages: list[int] = field(default_factory=list)
    length: int = 0  # tokens whose keys and values are in the cache
    cached_tokens: int = 0  # of these, found in the prefix cache
    _published: int = 0  # leading pages that are published or came from the cache
    _last: Node | None = None  # the last of these, which the next one hangs on
    _tenant: Tenant = field(init=False)

    def __post_init__(self) -> None:
        self._tenant = self.pool.tenant(self.salt)

    @classmethod
    def open(cls, pool: PagePool, salt: str, tokens: Sequence[int], public: int = 0) -> PageTable:
        """A table that starts with the published pages `tokens` begins with."""
        table = cls(pool, salt, public)
        table.adopt(tokens)
        return table

    def adopt(self, tokens: Sequence[int]) -> int:
        """Take published pages for what comes next instead of computing it; returns the tokens
        gained. At least one of `tokens` is left over, since its logits have to be computed.

        Called again while a prompt is computed, it takes what others published meanwhile.
        """
        size, start = self.pool.page_size, self.length
        if start != self._published * size:
            return 0  # the rows of an unpublished page are being written
        for begin in range(start, (len(tokens) - 1) // size * size, size):
            place = self._published
            name = tuple(tokens[begin : begin + size])
            node = self.pool.find(self._owner(place), self._last, name)
            if node is None:
                break
            self.pool.hold(node.page)
            self.pool.release(self.pages[place : place + 1])  # reserved before this was published
            self.pages[place : place + 1] = [node.page]
            self._last = node
            self._published += 1
            self.length += size
        self._adopt_tail(tokens)
        self.cached_tokens += self.length - start
        return self.length - start

    def _adopt_tail(self, tokens: Sequence[int]) -> None:
        if self._owner(self._published) is None:
            return  # others will find this page: it is to hold nothing that was a tenant's
        tail = self.pool.find_tail(self._tenant, self._last)
        if tail is None:
            return
        rest = tokens[self.length : len(tokens) - 1]
        known = 0
        while known < min(len(rest), len(tail.tokens)) and rest[known] == tail.tokens[known]:
            known += 1
        if known:
            place = self._published
            self.pool.take(tail)
            self.pool.release(self.pages[place : place + 1])
            self.pages[place : place + 1] = [tail.page]
            self.length += known

    def next_name(self, tokens: Sequence[int]) -> PageName | None:
        """What the page computed next will be found by; None in the middle of one, and where
        `tokens` do not fill it."""
        place, size = self._published, self.pool.page_size
        name = tuple(tokens[place * size : (place + 1) * size])
        if self.length != place * size or len(name) < size:
            return None
        return self._owner(place), self._last, name

    @property
    def room(self) -> int:
        """Rows that still fit into the pages held."""
        return len(self.pages) * self.pool.page_size - self.length

    def pages_needed(self, new_tokens: int) -> int:
        """Pages to allocate before `new_tokens` more rows fit."""
        size = self.pool.page_size
        return max(0, -(-(self.length + new_tokens) // size) - len(self.pages))

    def reserve(self, new_tokens: int) -> None:
        """Hold enough pages for `new_tokens` more rows.

        Raises:
            OutOfPagesError: the pool has too few; nothing was taken.
        """
        needed = self.pages_needed(new_tokens)
        if needed:
            self.pages += self.pool.allocate(needed)

    def slots(self, start: int, count: int) -> list[int]:
        """Cache rows of tokens [start, start + count)."""
        return cache_rows(self.pages, self.pool.page_size, start, count)

    def advance(self, count: int) -> None:
        """The next `count` rows are final; the pages behind them stay held for what follows."""
        self.length += count
        assert self.length <= len(self.pages) * self.pool.page_size, "rows that were never reserved"

    def keep(self, count: int) -> None:
        """The next `count` rows are final; give back the pages behind them."""
        self.length += count
        needed = -(-self.length // self.pool.page_size)
        assert needed <= len(self.pages), "rows kept that were never reserved"
        if needed < len(self.pages):
            self.pool.release(self.pages[needed:])
            del self.pages[needed:]

    def publish(self, tokens: Sequence[int]) -> None:
        """Offer every full page of final rows for reuse; `tokens` are the request's tokens.

        Where another request published the same page first, that one is held instead.
        """
        size = self.pool.page_size
        while (self._published + 1) * size <= self.length:
            place = self._published
            page, name = self.pages[place], tuple(tokens[place * size : (place + 1) * size])
            node = self.pool.publish(Node(page, self._owner(place), self._last, name))
            if node.page != page:
                self.pool.hold(node.page)
                self.pool.release([page])
                self.pages[place] = node.page
            self._last = node
            self._published += 1

    def publish_tail(self, tokens: Sequence[int]) -> None:
        """Offer the rows behind the full pages for reuse too, before closing for good."""
        start = self._published * self.pool.page_size
        if self.length > start:
            page, name = self.pages[self._published], tuple(tokens[start : self.length])
            self.pool.publish_tail(Node(page, self._tenant, self._last, name))

    def withdraw(self) -> None:
        """Offer none of the pages any more: what is in them may be wrong."""
        self.pool.withdraw(self.pages)

    def close(self) -> None:
        """Give back every page."""
        self.pool.release(self.pages)
        self.pages = []
        self.length = 0

    def _owner(self, place: int) -> Tenant | None:
        """Whose the page at this place is: nobody's where all of it is public."""
        return None if (place + 1) * self.pool.page_size <= self.public else self._tenant
