"""Pages: who holds which, prefix reuse between requests, eviction, salts."""

from __future__ import annotations

import pytest

from specchat.engine.kv.page_pool import OutOfPagesError, PagePool, PageTable
from tests.engine.kv.page_tables import SIZE, cached_length, filled


@pytest.mark.parametrize("size", [0, 3, 12, -4])
def test_a_page_size_that_is_no_power_of_two_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"power of two, got {size}"):
        PagePool(4, size)


def test_an_empty_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 page, got 0"):
        PagePool(0)


def test_running_out_of_pages_takes_nothing() -> None:
    pool = PagePool(4, SIZE)
    table = PageTable(pool)
    table.reserve(3 * SIZE)
    held = list(table.pages)
    with pytest.raises(OutOfPagesError, match="2 pages wanted, 1 available"):
        table.reserve(5 * SIZE)
    assert table.pages == held
    assert (pool.free, pool.held) == (1, 3)
    pool.check()


def test_a_second_prompt_reuses_the_full_pages_of_the_first() -> None:
    pool = PagePool(8, SIZE)
    first = filled(pool, list(range(10)))
    second = PageTable.open(pool, "", [*range(10), 99])
    assert second.cached_tokens == 2 * SIZE
    assert second.pages == first.pages[:2]


def test_at_least_one_token_of_a_prompt_is_always_left_to_compute() -> None:
    pool = PagePool(8, SIZE)
    filled(pool, list(range(8))).close()
    assert cached_length(pool, list(range(8))) == SIZE
    assert cached_length(pool, list(range(9))) == 2 * SIZE


def test_a_page_matches_only_after_the_same_earlier_pages() -> None:
    pool = PagePool(8, SIZE)
    filled(pool, [1, 1, 1, 1, 2, 2, 2, 2]).close()
    assert cached_length(pool, [3, 3, 3, 3, 2, 2, 2, 2, 0]) == 0


def test_tokens_are_compared_and_not_only_hashed() -> None:
    pool = PagePool(8, SIZE)
    assert hash((-1, 0, 0, 0)) == hash((-2, 0, 0, 0))  # Python's own collision
    filled(pool, [-1, 0, 0, 0]).close()
    assert cached_length(pool, [-2, 0, 0, 0, 5]) == 0
    assert cached_length(pool, [-1, 0, 0, 0, 5]) == SIZE


def test_salts_never_share_a_page() -> None:
    pool = PagePool(8, SIZE)
    filled(pool, list(range(8)), salt="shop").close()
    assert cached_length(pool, list(range(9)), salt="bank") == 0
    assert cached_length(pool, list(range(9)), salt="shop") == 8


def test_the_least_recently_used_pages_are_evicted_first() -> None:
    pool = PagePool(4, SIZE)
    old, new = [1] * 4, [2] * 4
    filled(pool, old).close()
    filled(pool, new).close()
    assert cached_length(pool, [*old, 0]) == SIZE  # using it makes it the newest
    PageTable(pool).reserve(3 * SIZE)
    assert cached_length(pool, [*new, 0]) == 0
    assert cached_length(pool, [*old, 0]) == SIZE


def test_the_end_of_a_prompt_is_evicted_before_its_start() -> None:
    pool = PagePool(4, SIZE)
    tokens = list(range(16))
    filled(pool, tokens).close()
    PageTable(pool).reserve(2 * SIZE)
    assert cached_length(pool, [*tokens, 0]) == 2 * SIZE


def test_free_pages_are_handed_out_before_cached_ones_are_evicted() -> None:
    pool = PagePool(4, SIZE)
    filled(pool, list(range(8))).close()
    PageTable(pool).reserve(2 * SIZE)
    assert pool.cached == 2
    assert cached_length(pool, [*range(8), 0]) == 8


def test_equal_pages_computed_twice_are_published_once() -> None:
    pool = PagePool(8, SIZE)
    tables = [PageTable.open(pool, "", list(range(9))) for _ in range(2)]
    for table in tables:
        table.reserve(9)
        table.keep(9)
        table.publish(list(range(9)))
    assert tables[0].pages[:2] == tables[1].pages[:2]
    assert pool.held == 2 + 2  # the second copies are free again, each has a page for the rest
    for table in tables:
        table.close()
    assert (pool.cached, pool.free) == (2, 6)
    pool.check()


def test_pages_that_others_publish_meanwhile_are_taken_over() -> None:
    pool = PagePool(16, SIZE)
    tokens = list(range(14))
    slow = PageTable.open(pool, "", tokens)
    slow.reserve(14)
    slow.advance(SIZE)
    slow.publish(tokens)
    fast = filled(pool, tokens)
    assert slow.adopt(tokens) == 2 * SIZE
    assert slow.pages[:3] == fast.pages[:3]
    assert (slow.length, slow.cached_tokens, len(slow.pages)) == (12, 8, 4)
    assert pool.held == 3 + 2
    pool.check()


def test_nothing_is_taken_over_in_the_middle_of_a_page() -> None:
    pool = PagePool(16, SIZE)
    tokens = list(range(14))
    slow = PageTable.open(pool, "", tokens)
    slow.reserve(14)
    slow.advance(SIZE + 1)
    slow.publish(tokens)
    filled(pool, tokens)
    assert slow.adopt(tokens) == 0


def test_public_pages_serve_every_tenant_and_private_ones_their_own() -> None:
    pool = PagePool(16, SIZE)
    tokens = list(range(14))
    filled(pool, tokens, "shop", public=6).close()
    assert cached_length(pool, tokens, "bank", public=6) == SIZE
    assert cached_length(pool, tokens, "shop", public=6) == 3 * SIZE


def test_a_prompt_that_declares_nothing_public_finds_no_public_page() -> None:
    """What a customer types can be the company's words; whether they are cached must not tell."""
    pool = PagePool(16, SIZE)
    tokens = list(range(14))
    filled(pool, tokens, "shop", public=8).close()
    assert cached_length(pool, tokens, "shop") == 0
    assert cached_length(pool, tokens, "bank") == 0


def test_private_pages_are_found_behind_their_own_public_pages_only() -> None:
    pool = PagePool(16, SIZE)
    filled(pool, [1] * 4 + [2] * 5, "shop", public=4).close()
    assert cached_length(pool, [3] * 4 + [2] * 5, "shop", public=4) == 0
    assert cached_length(pool, [2] * 5, "shop") == 0


def ended(pool: PagePool, tokens: list[int], salt: str = "", public: int = 0) -> None:
    """A request of which everything is cached."""
    table = filled(pool, tokens, salt, public)
    table.publish_tail(tokens)
    table.close()


def test_the_next_turn_goes_on_in_the_last_page_of_the_one_before() -> None:
    pool = PagePool(8, SIZE)
    tokens = list(range(10))
    ended(pool, tokens)
    assert (pool.cached, pool.free) == (3, 5)
    table = PageTable.open(pool, "", [*tokens, 70, 71, 72])
    assert (table.cached_tokens, table.length, len(table.pages)) == (10, 10, 3)
    assert not pool.shared(table.pages[2])  # it is written on
    table.reserve(3)
    assert len(table.pages) == 4
    pool.check()


def test_a_tail_is_used_as_far_as_it_agrees_and_leaves_one_token_to_compute() -> None:
    for following, gained in (([8, 70, 9], 9), ([8, 9, 10], 10), ([8, 9], 9), ([70, 9, 10], 8)):
        pool = PagePool(8, SIZE)
        ended(pool, list(range(11)))
        assert cached_length(pool, [*range(8), *following, 71][: 8 + len(following)]) == gained


def test_a_tail_serves_one_request_and_is_gone_for_the_next() -> None:
    pool = PagePool(8, SIZE)
    ended(pool, list(range(10)))
    first = PageTable.open(pool, "", [*range(10), 70])
    second = PageTable.open(pool, "", [*range(10), 71])
    assert (first.cached_tokens, second.cached_tokens) == (10, 8)


def test_tails_are_never_public_and_never_another_tenants() -> None:
    pool = PagePool(8, SIZE)
    ended(pool, list(range(10)), "shop", public=12)
    assert cached_length(pool, [*range(10), 70, 71, 72], "bank", public=12) == 8
    # Nor does one become part of a page that everybody finds.
    assert cached_length(pool, [*range(10), 70, 71, 72], "shop", public=12) == 8
    assert cached_length(pool, [*range(10), 70, 71, 72], "shop", public=8) == 10


def test_a_newer_tail_takes_the_place_of_an_older_one() -> None:
    pool = PagePool(8, SIZE)
    ended(pool, [1, 1, 1, 1, 2, 2])
    slow = filled(pool, [1, 1, 1, 1, 3])
    ended(pool, [1, 1, 1, 1, 2, 2])
    slow.publish_tail([1, 1, 1, 1, 3])
    slow.close()
    assert (pool.cached, pool.free) == (2, 6)
    assert cached_length(pool, [1, 1, 1, 1, 3, 70]) == 5
    pool.check()


def test_a_forgotten_tenants_tail_is_forgotten() -> None:
    pool = PagePool(8, SIZE)
    ended(pool, list(range(6)), "shop")
    assert pool.evict_salt("shop") == 2
    assert cached_length(pool, list(range(7)), "shop") == 0
    pool.check()


def test_evicting_a_tenant_leaves_the_public_pages() -> None:
    pool = PagePool(16, SIZE)
    tokens = list(range(14))
    filled(pool, tokens, "shop", public=8).close()
    assert pool.evict_salt("shop") == 1
    assert cached_length(pool, tokens, "shop", public=8) == 8
    pool.check()


def test_tenants_without_pages_are_not_remembered() -> None:
    pool = PagePool(4, SIZE)
    for i in range(100):
        filled(pool, list(range(9)), f"customer {i}").close()
    assert len(pool._index._tenants) <= 4


def test_evicted_pages_are_counted() -> None:
    pool = PagePool(4, SIZE)
    filled(pool, list(range(16))).close()
    PageTable(pool).reserve(3 * SIZE)
    assert pool.counters.evicted_pages == 3


def test_keeping_fewer_rows_than_reserved_gives_the_pages_behind_back() -> None:
    pool = PagePool(8, SIZE)
    table = PageTable(pool)
    table.reserve(6 * SIZE)
    table.keep(SIZE + 1)
    assert (len(table.pages), pool.free) == (2, 6)


def test_advancing_a_prompt_keeps_the_pages_reserved_for_its_rest() -> None:
    pool = PagePool(8, SIZE)
    table = PageTable(pool)
    table.reserve(6 * SIZE)
    table.advance(SIZE + 1)
    assert (table.length, len(table.pages)) == (SIZE + 1, 6)


def test_slots_follow_the_pages_of_the_table() -> None:
    pool = PagePool(8, SIZE)
    table = PageTable(pool, pages=[5, 2])
    assert table.slots(2, 4) == [22, 23, 8, 9]


def test_releasing_more_often_than_held_is_noticed() -> None:
    pool = PagePool(2, SIZE)
    (page,) = pool.allocate(1)
    pool.release([page])
    with pytest.raises(AssertionError, match="released more often"):
        pool.release([page])


def test_an_evicted_salt_is_forgotten_and_the_others_stay() -> None:
    pool = PagePool(8, SIZE)
    filled(pool, list(range(8)), salt="shop").close()
    filled(pool, list(range(4)), salt="bank").close()
    assert pool.evict_salt("shop") == 2
    assert cached_length(pool, list(range(9)), salt="shop") == 0
    assert cached_length(pool, list(range(5)), salt="bank") == 4
    pool.check()


def test_what_a_running_request_publishes_after_its_salt_was_evicted_is_not_found() -> None:
    pool = PagePool(8, SIZE)
    tokens = list(range(12))
    table = filled(pool, tokens[:8], salt="shop")
    assert pool.evict_salt("shop") == 0  # still held: only un-published
    table.reserve(4)
    table.keep(4)
    table.publish(tokens)
    table.close()
    pool.check()
    assert cached_length(pool, [*tokens, 0], salt="shop") == 0
