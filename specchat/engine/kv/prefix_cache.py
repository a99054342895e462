"""The prefix index: published pages as a trie, so that a prompt finds what was computed before.

A page is named by its tenant, the page before it and its own tokens, compared token by token, so
equal names mean equal keys and values. The pages of a company's own prompt belong to no tenant and
serve all of them; every later page belongs to the tenant whose text is in it, and no other tenant
can name it. The last, partly filled page of a text is kept as its tail: whoever goes on with that
text takes the page over and writes on in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakValueDictionary


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Tenant:
    """One salt, from its first request until it is evicted. Compared by identity: what requests
    that outlive an eviction still publish is found by nobody."""

    salt: str


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A published page. Compared by identity."""

    page: int
    tenant: Tenant | None  # None: public, every tenant may use it
    parent: Node | None  # the page before it
    tokens: tuple[int, ...]  # a tail has fewer than fit


PageName = tuple[Tenant | None, Node | None, tuple[int, ...]]
"""Owner, the page before, and the page's own tokens."""


class PrefixIndex:
    """Which page holds which part of which text. Knows nothing of who holds the pages."""

    def __init__(self) -> None:
        self._by_name: dict[PageName, Node] = {}
        self._tails: dict[tuple[Tenant, Node | None], Node] = {}
        self._by_page: dict[int, Node] = {}  # tails too
        self._tenants: WeakValueDictionary[str, Tenant] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._by_page)

    def __contains__(self, page: int) -> bool:
        return page in self._by_page

    def tenant(self, salt: str) -> Tenant:
        """The tenant of this salt; kept alive by whoever holds it and by its pages."""
        tenant = self._tenants.get(salt)
        if tenant is None:
            tenant = self._tenants[salt] = Tenant(salt)
        return tenant

    def find(
        self, tenant: Tenant | None, parent: Node | None, tokens: tuple[int, ...]
    ) -> Node | None:
        """The published page of these tokens after `parent`."""
        return self._by_name.get((tenant, parent, tokens))

    def find_tail(self, tenant: Tenant, parent: Node | None) -> Node | None:
        """The tail after `parent`."""
        return self._tails.get((tenant, parent))

    def add(self, node: Node) -> None:
        """Publish a full page."""
        assert node.page not in self._by_page, f"page {node.page} is published already"
        self._by_name[node.tenant, node.parent, node.tokens] = node
        self._by_page[node.page] = node

    def add_tail(self, node: Node) -> None:
        """Publish a tail. There must be none after the same parent."""
        assert node.page not in self._by_page, f"page {node.page} is published already"
        assert node.tenant is not None, "a tail is always somebody's"
        assert (node.tenant, node.parent) not in self._tails, "there is a tail already"
        self._tails[node.tenant, node.parent] = node
        self._by_page[node.page] = node

    def remove(self, page: int) -> None:
        """Un-publish a page. Pages behind it are not found any more."""
        node = self._by_page.pop(page)
        if node.tenant is not None and self._tails.get((node.tenant, node.parent)) is node:
            del self._tails[node.tenant, node.parent]
        else:
            del self._by_name[node.tenant, node.parent, node.tokens]

    def forget(self, salt: str) -> list[int]:
        """Un-publish all pages of a tenant and return them. Public pages stay."""
        self._tenants.pop(salt, None)
        pages = [p for p, n in self._by_page.items() if n.tenant and n.tenant.salt == salt]
        for page in pages:
            self.remove(page)
        return pages

    def check(self) -> None:
        """Assert that names and pages agree."""
        named, tails = self._by_name.items(), self._tails.items()
        assert len(named) + len(tails) == len(self._by_page), "prefix index out of step"
        for node in (*self._by_name.values(), *self._tails.values()):
            assert self._by_page[node.page] is node, "prefix index names another page"
        assert all(key == (node.tenant, node.parent, node.tokens) for key, node in named)
        assert all(key == (node.tenant, node.parent) for key, node in tails)
