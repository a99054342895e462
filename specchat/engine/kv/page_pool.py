"""Pages of the KV cache: which are held, which are cached for reuse, and which are free.

Page ids only; the tensors live in `cache`. A full page whose tokens are final can be published
to the prefix cache, and so can the last, partly filled one of a request that ends. A published
page that nobody holds stays cached until it is the least recently used one when a page is needed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from specchat.engine.counters import EngineCounters
from specchat.engine.kv.prefix_cache import Node, PrefixIndex, Tenant


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
