"""Pages of the KV cache: who holds which, which are cached for reuse, and which are free.

Page ids only; the tensors live in `kv_cache`. A full page whose tokens are final can be published
to the prefix cache. Published pages form a trie: the key of a page is its parent page's key and
its own tokens, compared token by token, and each salt has a root of its own, so tenants never
share a page. A published page that nobody holds stays cached until it is the least recently used
one when a page is needed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field


class OutOfPagesError(Exception):
    """The pool has fewer free and evictable pages than asked for."""


@dataclass(frozen=True, slots=True)
class _Published:
    key: tuple[int, tuple[int, ...]]  # (parent's serial, the page's tokens)
    serial: int  # names this page as a parent; never used twice


@dataclass(frozen=True, slots=True)
class PrefixMatch:
    """Published pages that hold the start of a prompt; the caller now holds each of them."""

    pages: list[int]
    serial: int  # parent serial for the page that follows


class PagePool:
    """Reference-counted pages with a prefix cache. Single-threaded: the engine thread owns it.

    Invariant: free + cached + held = total; `check` asserts it.
    """

    def __init__(self, total: int, page_size: int = 16) -> None:
        if total < 1:
            raise ValueError(f"total must be at least 1 page, got {total}")
        if page_size < 1 or page_size & (page_size - 1):
            raise ValueError(f"page_size must be a power of two, got {page_size}")
        self.total = total
        self.page_size = page_size
        self.hit_tokens = 0  # prompt tokens found in the prefix cache
        self.query_tokens = 0  # prompt tokens looked up
        self._free: list[int] = list(range(total - 1, -1, -1))
        self._references = [0] * total
        self._published: dict[int, _Published] = {}
        self._index: dict[tuple[int, tuple[int, ...]], int] = {}
        self._cached: OrderedDict[int, None] = OrderedDict()  # published, not held; oldest first
        self._roots: dict[str, int] = {}
        self._next_serial = 0

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

    def match(self, salt: str, tokens: Sequence[int]) -> PrefixMatch:
        """Find and hold the published pages that `tokens` starts with.

        At least one token is always left over, since its logits have to be computed.
        """
        serial = self._root(salt)
        pages: list[int] = []
        size = self.page_size
        for start in range(0, (len(tokens) - 1) // size * size, size):
            page = self._index.get((serial, tuple(tokens[start : start + size])))
            if page is None:
                break
            self._hold(page)
            pages.append(page)
            serial = self._published[page].serial
        return PrefixMatch(pages, serial)

    def publish(self, page: int, parent: int, tokens: Sequence[int]) -> int:
        """Offer a full, held page for reuse and return the serial for the page that follows.

        When another page already holds the same tokens after the same parent, that one stays
        published and its serial is returned.
        """
        if len(tokens) != self.page_size:
            raise ValueError(f"a page holds {self.page_size} tokens, got {len(tokens)}")
        key = (parent, tuple(tokens))
        other = self._index.get(key)
        if other is not None:
            return self._published[other].serial
        assert page not in self._published, f"page {page} is published already"
        self._next_serial += 1
        self._index[key] = page
        self._published[page] = _Published(key, self._next_serial)
        return self._next_serial

    def count_lookup(self, prompt_tokens: int, cached_tokens: int) -> None:
        """Record what the prefix cache saved an admitted prompt."""
        self.query_tokens += prompt_tokens
        self.hit_tokens += cached_tokens

    def release(self, pages: Sequence[int]) -> None:
        """Give up one hold on each page. Later pages are evicted before earlier ones."""
        for page in reversed(pages):
            assert self._references[page] > 0, f"page {page} is released more often than held"
            self._references[page] -= 1
            if self._references[page]:
                continue
            if page in self._published:
                self._cached[page] = None
            else:
                self._free.append(page)

    def shared(self, page: int) -> bool:
        """True when the page must not be written: it is published or held more than once."""
        return page in self._published or self._references[page] > 1

    def evict_salt(self, salt: str) -> int:
        """Forget what a tenant published, so that nobody can match it; returns the pages freed.

        Pages still held by running requests are only un-published.
        """
        root = self._roots.pop(salt, None)
        if root is None:
            return 0
        serials = {root}
        freed = 0
        for page, entry in sorted(self._published.items(), key=lambda item: item[1].serial):
            if entry.key[0] not in serials:
                continue
            serials.add(entry.serial)
            self._unpublish(page)
            if page in self._cached:
                del self._cached[page]
                self._free.append(page)
                freed += 1
        return freed

    def root(self, salt: str) -> int:
        """Parent serial of a salt's first pages."""
        return self._root(salt)

    def check(self) -> None:
        """Assert that every page is in exactly one state and every count is right."""
        free = set(self._free)
        cached = set(self._cached)
        held = {page for page, count in enumerate(self._references) if count > 0}
        assert min(self._references) >= 0, "negative reference count"
        assert len(free) == len(self._free), "a page is free twice"
        assert len(free | cached | held) == len(free) + len(cached) + len(held), "two states"
        assert len(free) + len(cached) + len(held) == self.total, "a page is lost"
        assert cached <= self._published.keys(), "a cached page is not published"
        assert not free & self._published.keys(), "a free page is published"
        assert len(self._index) == len(self._published), "prefix index out of step"
        for key, page in self._index.items():
            assert self._published[page].key == key, "prefix index names another page"

    def _root(self, salt: str) -> int:
        if salt not in self._roots:
            self._next_serial += 1
            self._roots[salt] = self._next_serial
        return self._roots[salt]

    def _hold(self, page: int) -> None:
        self._references[page] += 1
        self._cached.pop(page, None)

    def _evict(self) -> int:
        page, _ = self._cached.popitem(last=False)
        self._unpublish(page)
        return page

    def _unpublish(self, page: int) -> None:
        del self._index[self._published.pop(page).key]


@dataclass(slots=True)
class PageTable:
    """One request's pages, in order. Rows [0, length) of the cache are computed and final."""

    pool: PagePool
    salt: str = ""
    pages: list[int] = field(default_factory=list)
    length: int = 0  # tokens whose keys and values are in the cache
    cached_tokens: int = 0  # of these, found in the prefix cache when opened
    _published: int = 0  # leading pages that are published or came from the cache
    _serial: int = 0

    @classmethod
    def open(cls, pool: PagePool, salt: str, tokens: Sequence[int]) -> PageTable:
        """A table that starts with the published pages matching `tokens`."""
        match = pool.match(salt, tokens)
        length = len(match.pages) * pool.page_size
        return cls(pool, salt, match.pages, length, length, len(match.pages), match.serial)

    def pages_needed(self, new_tokens: int) -> int:
        """Pages to allocate before `new_tokens` more rows fit."""
        size = self.pool.page_size
        return max(0, -(-(self.length + new_tokens) // size) - len(self.pages))

    def reserve(self, new_tokens: int) -> None:
        """Hold enough pages for `new_tokens` more rows.

        Raises:
            OutOfPagesError: the pool has too few; nothing was taken.
        """
        self.pages += self.pool.allocate(self.pages_needed(new_tokens))

    def slots(self, start: int, count: int) -> list[int]:
        """Cache rows of tokens [start, start + count)."""
        size = self.pool.page_size
        pages = self.pages
        return [pages[i // size] * size + i % size for i in range(start, start + count)]

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
        """Offer every full page of final rows for reuse; `tokens` are the request's tokens."""
        size = self.pool.page_size
        if not self._serial:
            self._serial = self.pool.root(self.salt)
        while (self._published + 1) * size <= self.length:
            start = self._published * size
            self._serial = self.pool.publish(
                self.pages[self._published], self._serial, tokens[start : start + size]
            )
            self._published += 1

    def close(self) -> None:
        """Give back every page."""
        self.pool.release(self.pages)
        self.pages = []
        self.length = 0
