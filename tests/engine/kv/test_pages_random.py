"""Pages under random requests: what is found holds what it should, and nothing leaks."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from specchat.engine.kv.page_pool import OutOfPagesError, PagePool, PageTable
from tests.engine.kv.page_tables import SIZE, cached_length


class Pages(RuleBasedStateMachine):
    """Random requests on a small pool. Each slot remembers the tokens its row was written for, so
    that a match can be compared with what the pages really hold."""

    tables = Bundle("tables")
    token = st.integers(0, 1)  # few, so that prompts often share pages
    prompts = st.lists(token, min_size=1, max_size=3 * SIZE)
    salts = st.sampled_from(["", "shop", "bank"])

    @initialize(total=st.integers(2, 12))
    def start(self, total: int) -> None:
        self.pool = PagePool(total, SIZE)
        self.rows: dict[int, tuple[str | None, tuple[int, ...]]] = {}  # owner and text of a slot
        self.open: list[tuple[PageTable, list[int]]] = []

    def write(self, table: PageTable, tokens: list[int], count: int) -> None:
        start = table.length
        for i, slot in enumerate(table.slots(start, count)):
            assert not self.pool.shared(slot // SIZE), "a shared page is written"
            self.rows[slot] = self.row(table, tokens, start + i)

    def row(
        self, table: PageTable, tokens: list[int], position: int
    ) -> tuple[str | None, tuple[int, ...]]:
        """What the cache must hold there: pages wholly inside the public part have no owner."""
        public = (position // SIZE + 1) * SIZE <= table.public
        return None if public else table.salt, tuple(tokens[: position + 1])

    def holds(self, table: PageTable, tokens: list[int], position: int, slot: int) -> bool:
        """True when the slot has the right row, of the right owner."""
        return self.rows[slot] == self.row(table, tokens, position)

    @rule(target=tables, tokens=prompts, salt=salts, public=st.integers(0, 2 * SIZE))
    def open_a_request(self, tokens: list[int], salt: str, public: int):  # type: ignore[no-untyped-def]
        table = PageTable.open(self.pool, salt, tokens, min(public, len(tokens)))
        assert table.cached_tokens < len(tokens)
        for position, slot in enumerate(table.slots(0, table.cached_tokens)):
            assert self.holds(table, tokens, position, slot)
        before = (self.pool.free, self.pool.cached, list(table.pages))
        try:
            table.reserve(len(tokens) - table.length)
        except OutOfPagesError:
            assert before == (self.pool.free, self.pool.cached, table.pages)
            table.close()
            return multiple()
        self.write(table, tokens, len(tokens) - table.length)
        table.keep(len(tokens) - table.length)
        self.open.append((table, tokens))
        return table, tokens

    @rule(entry=tables, new=st.lists(token, min_size=1, max_size=6), reserved=st.integers(0, 9))
    def decode(self, entry: tuple[PageTable, list[int]], new: list[int], reserved: int) -> None:
        """A step with a tree of `reserved` more rows than are accepted."""
        table, tokens = entry
        try:
            table.reserve(len(new) + reserved)
        except OutOfPagesError:
            return
        for slot in table.slots(table.length, len(new) + reserved):
            assert not self.pool.shared(slot // SIZE), "a shared page is written"
            self.rows.pop(slot, None)
        tokens += new
        self.write(table, tokens, len(new))
        table.keep(len(new))

    @rule(entry=tables)
    def publish(self, entry: tuple[PageTable, list[int]]) -> None:
        table, tokens = entry
        table.publish(tokens)

    @rule(entry=tables, more=st.lists(token, min_size=1, max_size=3 * SIZE))
    def adopt(self, entry: tuple[PageTable, list[int]], more: list[int]) -> None:
        """The request goes on with known tokens, as after a preemption: what others published of
        them meanwhile is taken over, the rest computed."""
        table, tokens = entry
        tokens += more
        table.adopt(tokens)
        self.decode((table, tokens[: table.length]), tokens[table.length :], 0)
        del tokens[table.length :]

    @rule(entry=consumes(tables), publish=st.sampled_from(["", "pages", "all"]))
    def close(self, entry: tuple[PageTable, list[int]], publish: str) -> None:
        table, tokens = entry
        if publish:
            table.publish(tokens)
        if publish == "all":
            table.publish_tail(tokens)
        table.close()
        self.open.remove(entry)

    @rule(salt=salts, tokens=prompts)
    def evict_salt(self, salt: str, tokens: list[int]) -> None:
        free = self.pool.free
        freed = self.pool.evict_salt(salt)
        assert self.pool.free == free + freed
        assert cached_length(self.pool, tokens, salt) == 0

    @invariant()
    def every_page_is_in_one_state(self) -> None:
        if not hasattr(self, "pool"):
            return
        self.pool.check()
        held = {page for table, _ in self.open for page in table.pages}
        assert self.pool.held == len(held)

    @invariant()
    def the_rows_of_open_requests_are_untouched(self) -> None:
        if not hasattr(self, "pool"):
            return
        for table, tokens in self.open:
            for position, slot in enumerate(table.slots(0, table.length)):
                assert self.holds(table, tokens, position, slot)

    def teardown(self) -> None:
        if hasattr(self, "pool"):
            for table, _ in self.open:
                table.close()
            assert self.pool.held == 0


Pages.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestPages = Pages.TestCase
