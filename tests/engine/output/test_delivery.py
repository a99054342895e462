"""Streams get what was made for them, in order, however many there are."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from specchat.engine.errors import EngineClosedError
from specchat.engine.output.delivery import Delivery
from specchat.engine.request import FinishReason, TokenDelta
from specchat.engine.sequence import TokenStream


def stream(name: str) -> TokenStream:
    return TokenStream(name, lambda request_id: None)


def delta(name: str, moment: float, finish: FinishReason | None = None) -> TokenDelta:
    return TokenDelta(name, (), moment, finish)


@pytest.fixture
def delivery() -> Iterator[Delivery]:
    made = Delivery()
    yield made
    made.close()


@pytest.mark.parametrize("count", [1, 3, 4, 40])
def test_every_stream_gets_its_deltas_in_order(delivery: Delivery, count: int) -> None:
    streams = [stream(str(i)) for i in range(count)]
    for step in range(50):
        for i, each in enumerate(streams):
            if step % (1 + i % 3) == 0:  # now many have something, now few
                delivery.add(each, delta(str(i), step))
        delivery.hand_over()
    for i, each in enumerate(streams):
        delivery.put(each, delta(str(i), 50, FinishReason.STOP))
    for i, each in enumerate(streams):
        wanted = [step for step in range(50) if step % (1 + i % 3) == 0]
        assert [d.at_ms for d in each] == [*wanted, 50]


def test_few_streams_need_no_thread(delivery: Delivery) -> None:
    before = threading.active_count()
    for i in range(3):
        delivery.add(stream(str(i)), delta(str(i), 0.0))
    delivery.hand_over()
    assert threading.active_count() == before


def test_closing_hands_over_what_is_left_and_ends_the_thread() -> None:
    before = set(threading.enumerate())
    delivery, streams = Delivery(), [stream(str(i)) for i in range(9)]
    for each in streams:
        delivery.add(each, delta(each.request_id, 1.0))
    delivery.hand_over()
    for each in streams:
        delivery.add(each, delta(each.request_id, 2.0))
    delivery.close()
    begun = [thread.name for thread in set(threading.enumerate()) - before]
    assert "specchat-delivery" not in begun
    for each in streams:
        assert [next(each).at_ms, next(each).at_ms] == [1.0, 2.0]


def test_an_error_comes_behind_what_was_decoded_before_it(delivery: Delivery) -> None:
    streams = [stream(str(i)) for i in range(8)]
    for each in streams:
        delivery.add(each, delta(each.request_id, 1.0))
    delivery.hand_over()
    for each in streams:
        delivery.put(each, RuntimeError("a step failed"))
    for each in streams:
        assert next(each).at_ms == 1.0
        with pytest.raises(EngineClosedError, match="a step failed"):
            next(each)
