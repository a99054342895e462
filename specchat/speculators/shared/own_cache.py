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

from specchat.engine.errors import ModelLoadError
from specchat.engine.kv.cache import KVShape
from specchat.engine.kv.page_pool import OutOfPagesError, PagePool, PageTable
from specchat.engine.model.runner import ModelRunner

CACHE_SHARE = 0.25
"""Of the target's KV memory, at the most, for a drafter's own pages."""


@dataclass(slots=True)
class OwnRows:
    """One request's rows. `tokens[i]` is what row i was computed from; rows may be speculative."""

    table: PageTable
    tokens: list[int] = field(default_factory=list)
    committed: int = 0  # leading rows that hold what was committed
    skipped: int = 0  # positions that have no row, somewhere before the last row

    @property
    def position(self) -> int:
        """Of the next row in the text."""
        return len(self.tokens) + self.skipped

    def rewind(self, tokens: Sequence[int]) -> None:
        """Keep the rows that `tokens` starts with; `tokens` grows from call to call."""
        same = min(self.committed, len(tokens))
        limit = min(len(self.tokens), len(tokens))
        while same < limit and self.tokens[same] == tokens[same]:
            same += 1
        self.truncate(same)
        self.publish(tokens)

    def truncate(self, count: int) -> None:
        """Keep the first `count` rows, which are committed, and no page behind them."""
        del self.tokens[count:]
        self.committed = count
        self.table.length = count
        self.table.keep(0)

    def publish(self, tokens: Sequence[int]) -> None:
        """Offer full pages of committed rows for reuse; `tokens` is what they were computed from,
        from the start of the text."""
        assert len(self.tokens) == self.committed, "rows that may be wrong were to be published"
        if not self.skipped:
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
        """The request's rows; of a new one, those published pages that `tokens` starts with, the
        last token's row left out."""
        rows = self._rows.get(request_id)
        if rows is None:
            table = PageTable.open(self.pool, salt, tokens)
            rows = OwnRows(table, list(tokens[: table.length]), table.length)
            self._rows[request_id] = rows
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


def own_pages(shape: KVShape, target: ModelRunner) -> int:
    """Pages for a drafter with keys and values of this shape: as many as the target has, within a
    share of the target's memory.

    Raises:
        ModelLoadError: that share does not hold two pages.
    """
    size = target.cache.page_size
    page_bytes = shape.page_bytes(size)
    room = int(CACHE_SHARE * target.pages * target.shape.kv.page_bytes(size))
    if room < 2 * page_bytes:
        raise ModelLoadError(
            f"a drafter's KV cache takes up to {CACHE_SHARE:.0%} of the target's, here "
            f"{room} bytes, but needs at least {2 * page_bytes}; raise the KV memory"
        )
    return min(target.pages, room // page_bytes)
