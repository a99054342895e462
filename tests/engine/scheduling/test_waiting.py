"""Whose turn it is: tenants in turn, interactive before batch, nobody for ever."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specchat.engine.errors import QueueFullError
from specchat.engine.scheduling.waiting import BATCH_EVERY, Waiting
from specchat.engine.sequence import Sequence
from tests.engine.scheduling.queued import queued


def start_all(waiting: Waiting) -> list[Sequence]:
    started = []
    while (head := waiting.head()) is not None:
        waiting.start(head)
        started.append(head)
    return started


def test_one_tenants_requests_start_first_come_first_served() -> None:
    waiting = Waiting(9)
    sequences = [queued() for _ in range(5)]
    for sequence in sequences:
        waiting.add(sequence)
    assert len(waiting) == 5
    assert start_all(waiting) == sequences
    assert not waiting


def test_tenants_take_turns_so_that_a_flood_delays_others_by_one_request() -> None:
    waiting = Waiting(99)
    flood = [queued("flood") for _ in range(20)]
    for sequence in flood:
        waiting.add(sequence)
    guests = [queued(salt) for salt in ("a", "b", "a")]
    for sequence in guests:
        waiting.add(sequence)
    expected = [flood[0], guests[0], guests[1], flood[1], guests[2], *flood[2:]]
    assert start_all(waiting) == expected


def test_a_tenant_that_comes_again_and_again_does_not_overtake_those_that_wait() -> None:
    waiting = Waiting(99)
    patient = queued("patient")
    waiting.add(queued("eager"))
    waiting.add(patient)
    for _ in range(2):
        waiting.add(queued("eager"))
        head = waiting.head()
        assert head is not None
        waiting.start(head)
    assert patient not in list(waiting)


def test_interactive_requests_go_before_batch_work_that_came_first() -> None:
    waiting = Waiting(9)
    batch, person = queued(interactive=False), queued()
    waiting.add(batch)
    waiting.add(person)
    assert start_all(waiting) == [person, batch]


def test_batch_work_is_made_urgent_after_a_number_of_interactive_requests() -> None:
    waiting = Waiting(99)
    batch = [queued("nightly", interactive=False) for _ in range(2)]
    people = [queued(f"person {i}") for i in range(2 * BATCH_EVERY + 3)]
    for sequence in (*batch, *people):
        waiting.add(sequence)
    started = start_all(waiting)
    assert started.index(batch[0]) == BATCH_EVERY
    assert started.index(batch[1]) == 2 * BATCH_EVERY + 1
    assert batch[0].urgent
    assert set(started) == {*batch, *people}


def test_a_preempted_request_goes_before_all_that_have_not_started() -> None:
    waiting = Waiting(9)
    old, young = queued("a"), queued("a")
    new = queued("b")
    waiting.add(new)
    waiting.give_back(young)
    waiting.give_back(old)
    assert start_all(waiting) == [old, young, new]


def test_a_full_queue_names_its_bound() -> None:
    waiting = Waiting(2)
    for salt in "ab":
        waiting.add(queued(salt))
    with pytest.raises(QueueFullError, match="2 requests are waiting already, at most 2 may"):
        waiting.add(queued("c"))


def test_the_last_places_are_kept_for_tenants_that_have_none() -> None:
    waiting = Waiting(8)
    for _ in range(6):
        waiting.add(queued("flood"))
    with pytest.raises(QueueFullError, match=r"6 requests of yours.*last 2 of 8 places"):
        waiting.add(queued("flood"))
    waiting.add(queued("a"))
    waiting.add(queued("b"))
    with pytest.raises(QueueFullError, match="at most 8 may"):
        waiting.add(queued("c"))


def test_preempted_requests_take_no_place_from_new_ones() -> None:
    waiting = Waiting(1)
    waiting.give_back(queued())
    waiting.add(queued())
    assert len(waiting) == 2


def test_a_place_is_free_again_when_its_request_starts_or_is_cancelled() -> None:
    waiting = Waiting(1)
    for leave in (waiting.start, waiting.remove):
        sequence = queued()
        waiting.add(sequence)
        leave(sequence)
        assert not waiting
    waiting.add(queued())


def test_a_cancelled_request_does_not_cost_its_tenant_the_turn() -> None:
    waiting = Waiting(9)
    cancelled, next_one, other = queued("a"), queued("a"), queued("b")
    for sequence in (cancelled, next_one, other):
        waiting.add(sequence)
    waiting.remove(cancelled)
    assert start_all(waiting) == [next_one, other]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "start", "preempt", "cancel"]),
        st.sampled_from("abc"),
        st.booleans(),
        st.integers(0, 99),
    ),
    max_size=120,
)


@given(EVENTS)
def test_whatever_happens_nobody_is_lost_and_nobody_is_overtaken_without_end(events: list) -> None:
    waiting = Waiting(12)
    there: list[Sequence] = []
    passed: dict[Sequence, int] = {}  # how often somebody of the same class started instead
    started: deque[Sequence] = deque(maxlen=4)
    for event, salt, interactive, pick in events:
        if event == "add":
            sequence = queued(salt, interactive=interactive)
            try:
                waiting.add(sequence)
            except QueueFullError:
                continue
            there.append(sequence)
            passed[sequence] = 0
        elif event == "start" and (head := waiting.head()):
            waiting.start(head)
            there.remove(head)
            started.append(head)
            for other in there:
                passed[other] += 1
        elif event == "preempt" and started:
            sequence = started.pop()
            waiting.give_back(sequence)
            there.append(sequence)
            passed[sequence] = 0
        elif event == "cancel" and there:
            waiting.remove(there.pop(pick % len(there)))
        assert sorted(map(id, waiting)) == sorted(map(id, there))
        assert len(waiting) == len(there)
        assert bool(waiting) == bool(there)
    preempted = sum(event == "preempt" for event, *_ in events)
    for sequence, count in passed.items():
        classes = 1 if sequence.request.interactive else BATCH_EVERY + 1
        assert count <= 3 * 12 * classes + preempted
