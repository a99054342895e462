"""A drafter's own paged cache: what it has computed of each request, within a fixed pool.

A drafter writes rows for tokens that may be rejected. When it is asked again, the rows that hold
what was committed stay and the rest is computed anew. Full pages of committed tokens are published,
so that the next turn of a conversation finds them. When pages run out, the request that was drafted
for longest ago gives its pages back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from specchat.engine.pages import OutOfPagesError, PagePool, PageTable


@dataclass(slots=True)
class OwnRows:
    """One request's rows. `tokens[i]` is what row i was computed from; rows may be speculative."""

    table: PageTable
    tokens: list[int] = field(default_factory=list)
    committed: int = 0  # leading rows that hold committed tokens

    def rewind(self, tokens: Sequence[int]) -> None:
        """Keep the rows that `tokens` starts with; `tokens` grows from call to call."""
        same = min(self.committed, len(tokens))
        limit = min(len(self.tokens), len(tokens))
        while same < limit and self.tokens[same] == tokens[same]:
            same += 1
        del self.tokens[same:]
        self.committed = same
        self.table.length = same
        self.table.keep(0)
        self.table.publish(tokens)

    def advance(self, tokens: Sequence[int]) -> None:
        """The next rows are computed from `tokens`."""
        self.tokens += tokens
        self.table.advance(len(tokens))


class OwnCache:
    """The rows of all requests that a drafter drafts for. The engine thread owns it."""

    def __init__(self, pages: int, page_size: int) -> None:
        self.pool = PagePool(pages, page_size)
        self._rows: OrderedDict[str, OwnRows] = OrderedDict()  # least recently used first

    def __len__(self) -> int:
        return len(self._rows)

    def open(self, request_id: str, salt: str, tokens: Sequence[int]) -> OwnRows:
        """The request's rows as far as they hold what `tokens` starts with; at least the last
        token's row is left to compute."""
        rows = self._rows.get(request_id)
        if rows is None:
            table = PageTable.open(self.pool, salt, tokens)
            rows = OwnRows(table, list(tokens[: table.length]), table.length)
            self._rows[request_id] = rows
        else:
            rows.rewind(tokens[:-1])
        self._rows.move_to_end(request_id)
        return rows

    def reserve(self, rows: OwnRows, count: int, in_use: Sequence[str]) -> bool:
        """Hold pages for `count` more rows, at the cost of requests not `in_use`; False when
        there are too few."""
        while True:
            try:
                rows.table.reserve(count)
                return True
            except OutOfPagesError:
                victim = next((name for name in self._rows if name not in in_use), None)
                if victim is None:
                    return False
                self.forget(victim)

    def forget(self, request_id: str) -> None:
        """Give a request's pages back; published ones stay until their room is needed."""
        rows = self._rows.pop(request_id, None)
        if rows is not None:
            rows.table.close()

    def evict_salt(self, salt: str) -> None:
        """Forget what was published under a salt."""
        self.pool.evict_salt(salt)
