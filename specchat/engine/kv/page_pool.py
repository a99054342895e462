"""Pages of the KV cache: who holds which, which are cached for reuse, and which are free.

Page ids only; the tensors live in `kv_cache`. A full page whose tokens are final can be published
to the prefix cache (`prefix`), and so can the last, partly filled one of a request that ends. A
published page that nobody holds stays cached until it is the least recently used one when a page
is needed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from specchat.engine.counters import EngineCounters
from specchat.engine.kv.prefix_cache import Node, PageName, PrefixIndex, Tenant


class OutOfPagesError(Exception):
    """The pool has fewer free and evictable pages than asked for."""


def cache_rows(pages: Sequence[int], page_size: int, start: int, count: int) -> list[int]:
    """Where tokens [start, start + count) of a request with these pages stand in the cache."""
    return [pages[i // page_size] * page_size + i % page_size for i in range(start, start + count)]


class PagePool:
    """Reference-counted pages with a prefix cache. Single-threaded: the engine thread owns it.

    Invariant: free + cached + held = total; `check` asserts it.
    """

    def __init__(
        self, total: int, page_size: int = 16, counters: EngineCounters | None = None
    ) -> None:
        if total < 1:
            raise ValueError(f"total must be at least 1 page, got {total}")
        if page_size < 1 or page_size & (page_size - 1):
            raise ValueError(f"page_size must be a power of two, got {page_size}")
        self.total = total
        self.page_size = page_size
        self.counters = counters or EngineCounters()
        self._free: list[int] = list(range(total - 1, -1, -1))
        self._references = [0] * total
        self._cached: OrderedDict[int, None] = OrderedDict()  # published, not held; oldest first
        self._index = PrefixIndex()

    @property
    def free(self) -> int:
        """Pages that hold nothing."""
        return len(self._free)

    @property
    def cached(self) -> int:
        """Published pages that no request holds; they can be evicted."""
        return len(self._cached)

    @property
    def held(self) -> int:
        """Pages held by at least one request."""
        return self.total - self.free - self.cached

    @property
    def shared_pages(self) -> int:
        """Pages held by more than one request."""
        return sum(count > 1 for count in self._references)

    @property
    def available(self) -> int:
        """Pages that `allocate` can hand out."""
        return self.free + self.cached

    def allocate(self, count: int) -> list[int]:
        """Hand out `count` pages, evicting cached ones when none is free.

        Raises:
            OutOfPagesError: fewer are available; nothing was taken.
        """
        if count > self.available:
            raise OutOfPagesError(f"{count} pages wanted, {self.available} available")
        pages = []
        for _ in range(count):
            page = self._free.pop() if self._free else self._evict()
            self._references[page] = 1
            pages.append(page)
        return pages

    def tenant(self, salt: str) -> Tenant:
        """Who publishes and finds pages under this salt."""
        return self._index.tenant(salt)

    def find(
        self, tenant: Tenant | None, parent: Node | None, tokens: tuple[int, ...]
    ) -> Node | None:
        """The published page of these tokens after `parent`."""
        return self._index.find(tenant, parent, tokens)

    def hold(self, page: int) -> None:
        """Hold a published page."""
        assert page in self._index, f"page {page} is not published"
        self._references[page] += 1
        self._cached.pop(page, None)

    def publish(self, node: Node) -> Node:
        """Offer a full, held page for reuse and return what the page that follows hangs on.

        When another page of the same name is published already, that one stays and is returned.
        """
        if len(node.tokens) != self.page_size:
            raise ValueError(f"a page holds {self.page_size} tokens, got {len(node.tokens)}")
        other = self._index.find(node.tenant, node.parent, node.tokens)
        if other is not None:
            return other
        self._index.add(node)
        return node

    def publish_tail(self, node: Node) -> None:
        """Offer a partly filled page that its only holder is about to release. It takes the place
        of an earlier tail after the same page."""
        old = self._index.find_tail(node.tenant, node.parent) if node.tenant else None
        if old is not None:
            self.take(old)
            self.release([old.page])
        self._index.add_tail(node)

    def find_tail(self, tenant: Tenant, parent: Node | None) -> Node | None:
        """The tail that a text of this tenant has after `parent`."""
        return self._index.find_tail(tenant, parent)

    def take(self, tail: Node) -> None:
        """Hold a tail to write on in it; nobody else finds it any more."""
        self._index.remove(tail.page)
        del self._cached[tail.page]
        self._references[tail.page] = 1

    def release(self, pages: Sequence[int]) -> None:
        """Give up one hold on each page. Later pages are evicted before earlier ones."""
        for page in reversed(pages):
            assert self._references[page] > 0, f"page {page} is released more often than held"
            self._references[page] -= 1
            if self._references[page]:
                continue
            if page in self._index:
                self._cached[page] = None
            else:
                self._free.append(page)

    def shared(self, page: int) -> bool:
        """True when the page must not be written: it is published or held more than once."""
        return page in self._index or self._references[page] > 1

    def evict_salt(self, salt: str) -> int:
        """Forget what a tenant published, so that nobody can match it; returns the pages freed.

        Pages still held by running requests are only un-published; public pages stay.
        """
        freed = [page for page in self._index.forget(salt) if page in self._cached]
        for page in freed:
            del self._cached[page]
            self._free.append(page)
        return len(freed)

    def withdraw(self, pages: Sequence[int]) -> None:
        """Let nobody find these pages any more; they are all held."""
        for page in pages:
            if page in self._index:
                self._index.remove(page)

    def check(self) -> None:
        """Assert that every page is in exactly one state and every count is right."""
        free = set(self._free)
        cached = set(self._cached)
        held = {page for page, count in enumerate(self._references) if count > 0}
        assert min(self._references) >= 0, "negative reference count"
        assert len(free) == len(self._free), "a page is free twice"
        assert len(free | cached | held) == len(free) + len(cached) + len(held), "two states"
        assert len(free) + len(cached) + len(held) == self.total, "a page is lost"
        assert all(page in self._index for page in cached), "a cached page is not published"
        assert not any(page in self._index for page in free), "a free page is published"
        self._index.check()

    def _evict(self) -> int:
        page, _ = self._cached.popitem(last=False)
        self._index.remove(page)
        self.counters.evicted_pages += 1
        return page


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
