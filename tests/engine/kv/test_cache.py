"""Moving rows, and what counts as a copied page."""

from __future__ import annotations

import psutil
import pytest
import torch

from specchat.engine.kv.cache import KVCache, KVShape


def made() -> KVCache:
    shape = KVShape(layers=2, kv_heads=1, head_dim=2, dtype=torch.float32)
    cache = KVCache(shape, 4, 4, [torch.device("cpu")] * 2)
    for layer in (*cache.keys, *cache.values):
        layer += torch.arange(len(layer))[:, None, None]
    return cache


def test_rows_are_moved_in_every_layer_as_if_all_at_once() -> None:
    cache = made()
    cache.move([2, 1], [1, 2])
    for layer in (*cache.keys, *cache.values):
        assert layer[:4, 0, 0].tolist() == [0, 2, 1, 3]


def test_moved_rows_are_counted_once_per_layer_and_rows_that_stay_are_not() -> None:
    cache = made()
    cache.move([3, 5, 6], [3, 4, 5])
    assert (cache.rows_moved, cache.pages_copied) == (2 * 2, 0)


def test_a_whole_page_moved_row_for_row_is_counted_as_copied() -> None:
    cache = made()
    cache.move([8, 9, 10, 11], [4, 5, 6, 7])
    assert cache.pages_copied == 1


def test_a_device_for_each_layer_is_asked_for() -> None:
    shape = KVShape(layers=2, kv_heads=1, head_dim=2, dtype=torch.float32)
    with pytest.raises(ValueError, match="2 layers, 1 devices"):
        KVCache(shape, 4, 4, [torch.device("cpu")])


def resident_bytes() -> int:
    return psutil.Process().memory_info().rss


def test_memory_is_taken_by_rows_that_are_written_and_given_back() -> None:
    shape = KVShape(layers=1, kv_heads=1, head_dim=64, dtype=torch.float32)
    before = resident_bytes()
    cache = KVCache(shape, 2**15, 16, [torch.device("cpu")])
    size = 2 * cache.keys[0].nbytes
    assert size > 2**28
    assert resident_bytes() - before < size / 8
    assert not cache.keys[0][-1].any()
    cache.keys[0].fill_(1.0)
    assert resident_bytes() - before > size / 3
    cache.release()
    assert resident_bytes() - before < size / 8
