"""What tests of pages share: a filled table, and how much of a prompt is cached."""

from __future__ import annotations

from specchat.engine.kv.page_pool import PagePool, PageTable

SIZE = 4


def filled(pool: PagePool, tokens: list[int], salt: str = "", public: int = 0) -> PageTable:
    """A table whose rows for `tokens` are computed and published."""
    table = PageTable.open(pool, salt, tokens, public)
    table.reserve(len(tokens) - table.length)
    table.keep(len(tokens) - table.length)
    table.publish(tokens)
    return table


def cached_length(pool: PagePool, tokens: list[int], salt: str = "", public: int = 0) -> int:
    table = PageTable.open(pool, salt, tokens, public)
    length = table.cached_tokens
    table.close()
    return length
