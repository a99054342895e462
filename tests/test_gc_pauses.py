"""The garbage collector leaves alone what a process started with."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress

import pytest

from specchat import gc_pauses


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


class Loop:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.me = self


def test_what_is_there_is_passed_over_and_later_garbage_is_still_collected() -> None:
    kept = [Loop() for _ in range(1000)]
    gc_pauses.shorten()
    assert len(kept) < gc.get_freeze_count()
    assert len(gc.get_objects()) < len(kept)
    later = weakref.ref(Loop())
    gc.collect()
    assert later() is None


def test_garbage_of_the_start_is_collected_first() -> None:
    left = weakref.ref(Loop())
    gc_pauses.shorten()
    assert left() is None


def test_a_start_is_not_interrupted_and_what_follows_is_collected_again() -> None:
    with suppress(KeyError), gc_pauses.none():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
