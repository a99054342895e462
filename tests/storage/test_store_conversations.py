"""Conversations and their turns: written once, read back, seen by their owner only."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import Store, open_store
from tests.storage.stored_examples import metrics, race, turn


def test_a_new_conversation_is_visible_at_once(store: Store) -> None:
    conversation_id = store.create_conversation("ann", "Refund")

    (row,) = store.conversations("ann")

    assert (row.id, row.title, row.turns) == (conversation_id, "Refund", 0)


def test_a_turn_comes_back_as_it_was_recorded(store: Store) -> None:
    record = turn(store.create_conversation("ann"))
    store.record_turn(record)
    assert store.flush()

    (row,) = store.turns(record.conversation_id or "")

    assert (row.question, row.answer, row.status) == (record.question, record.answer, "completed")
    assert row.created_at == record.created_at
    assert record.metrics is not None
    assert row.metrics is not None
    assert asdict(row.metrics).items() >= asdict(record.metrics).items()


def test_turns_keep_the_order_in_which_they_were_recorded(store: Store) -> None:
    conversation_id = store.create_conversation("ann")
    for number in range(100):
        store.record_turn(turn(conversation_id, question=str(number)))
    assert store.flush()

    rows = store.turns(conversation_id)

    assert [row.question for row in rows] == [str(number) for number in range(100)]
    assert [row.position for row in rows] == list(range(100))


def test_a_turn_recorded_by_many_threads_is_written_once(store: Store) -> None:
    conversation_id = store.create_conversation("ann")
    records = [turn(conversation_id, turn_id="t1", answer=str(number)) for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store.record_turn, records))
    assert store.flush()

    assert len(store.turns(conversation_id)) == len(store.metrics()) == 1
    assert store.health().written == 2  # the conversation and the turn
    assert store.health().ok


def test_the_first_record_of_a_turn_stands(store: Store) -> None:
    conversation_id = store.create_conversation("ann")
    store.record_turn(turn(conversation_id, turn_id="t1", answer="first"))
    assert store.flush()
    store.record_turn(turn(conversation_id, turn_id="t1", answer="second"))
    assert store.flush()

    assert [row.answer for row in store.turns(conversation_id)] == ["first"]


def test_a_failed_turn_needs_no_metrics(store: Store) -> None:
    conversation_id = store.create_conversation("ann")
    store.record_turn(turn(conversation_id, status="failed", metrics=None))
    assert store.flush()

    (row,) = store.turns(conversation_id)

    assert (row.status, row.metrics) == ("failed", None)
    assert store.metrics() == []


def test_times_that_do_not_exist_are_none(store: Store) -> None:
    store.record_turn(turn(None, metrics=metrics(ttft_ms=math.nan, tpot_ms=math.nan)))
    assert store.flush()

    (row,) = store.metrics()

    assert (row.ttft_ms, row.tpot_ms) == (None, None)


def test_a_removed_turn_leaves_only_its_metrics(store: Store) -> None:
    conversation_id = store.create_conversation("ann")
    for number in range(3):
        store.record_turn(turn(conversation_id, turn_id=f"t{number}"))
    store.remove_turn("t1")

    assert [row.turn_id for row in store.turns(conversation_id)] == ["t0", "t2"]
    assert store.conversation(conversation_id, "ann").turns == 2
    assert {row.turn_id for row in store.metrics()} == {"t0", "t1", "t2"}


def test_conversations_come_last_used_first(store: Store) -> None:
    ids = [store.create_conversation("ann", str(number)) for number in range(3)]
    store.record_turn(turn(ids[0]))
    assert store.flush()

    assert [row.title for row in store.conversations("ann")] == ["0", "2", "1"]
    assert [row.title for row in store.conversations("ann", limit=1)] == ["0"]


def test_a_conversation_can_be_renamed(store: Store) -> None:
    conversation_id = store.create_conversation("ann")

    store.rename_conversation(conversation_id, "ann", "Order 4417")

    assert store.conversation(conversation_id, "ann").title == "Order 4417"


def test_nobody_else_reaches_a_conversation(store: Store) -> None:
    conversation_id = store.create_conversation("ann", "mine")

    assert store.conversations("bob") == []
    for attempt in (
        lambda: store.conversation(conversation_id, "bob"),
        lambda: store.rename_conversation(conversation_id, "bob", "his"),
        lambda: store.delete_conversation(conversation_id, "bob"),
        lambda: store.conversation("no such id", "ann"),
    ):
        with pytest.raises(LookupError):
            attempt()
    assert store.conversation(conversation_id, "ann").title == "mine"


def test_deleting_a_conversation_takes_its_turns_and_metrics(store: Store) -> None:
    doomed, kept = store.create_conversation("ann"), store.create_conversation("ann")
    store.record_turn(turn(doomed))
    store.record_turn(turn(kept))

    store.delete_conversation(doomed, "ann")

    assert [row.id for row in store.conversations("ann")] == [kept]
    assert len(store.metrics()) == 1


def test_a_turn_that_ends_after_its_conversation_was_deleted_is_no_loss(store: Store) -> None:
    conversation_id = store.create_conversation("ann")
    store.delete_conversation(conversation_id, "ann")
    store.record_turn(turn(conversation_id))
    assert store.flush()

    assert store.metrics() == []
    assert store.health().discarded == 1
    assert store.health().ok


def test_deleting_an_owner_leaves_everyone_else(store: Store) -> None:
    for owner in ("ann", "bob"):
        store.record_turn(turn(store.create_conversation(owner)))
        store.record_race(race(owner=owner))

    store.delete_owner("ann")

    assert store.conversations("ann") == []
    assert len(store.conversations("bob")) == 1
    assert len(store.races()) == 1
    assert len(store.metrics()) == 3


@pytest.fixture(scope="module")
def text_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('texts') / 'texts.db'}") as opened:
        yield opened


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=()), max_size=200))
def test_no_text_loses_its_row(text_store: Store, text: str) -> None:
    """Lone surrogates and NUL, which databases refuse, are replaced one for one."""
    conversation_id = text_store.create_conversation("ann")
    text_store.record_turn(turn(conversation_id, question=text, answer=text))
    assert text_store.flush()

    (row,) = text_store.turns(conversation_id)

    expected = "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in text)
    assert (row.question, row.answer) == (expected, expected)
    assert text_store.health().ok
