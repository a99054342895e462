"""What is kept of people as a whole: its age, and the record of erasures."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from storage import Extent, FeedbackRecord, HandoffRecord, Store, Subject
from storage.records import utc_now
from tests.storage.stored_examples import race, turn

NOW = utc_now()
OLD = NOW - timedelta(days=40)
CUTOFF = NOW - timedelta(days=30)
MARK = b"an-old-secret"


def test_old_turns_go_from_a_conversation_that_is_still_used(store: Store, path: Path) -> None:
    used = store.create_conversation("ann", title=MARK.decode())
    store.record_turn(turn(used, question=MARK.decode(), created_at=OLD))
    store.record_turn(turn(used, question="new", created_at=NOW))
    assert store.flush()

    erased = store.personal.erase_before(CUTOFF, "retention")

    assert erased == Extent(turns=1)
    assert [row.question for row in store.turns(used)] == ["new"]
    assert store.conversation(used, "ann").title == "", "the title was the first question"
    assert MARK not in path.read_bytes()
    assert store.personal.erase_before(CUTOFF, "retention") == Extent()
    assert len(store.personal.erasures()) == 1


def test_what_is_young_stays(store: Store) -> None:
    kept = store.create_conversation("ann", "kept")
    store.record_turn(turn(kept))
    store.record_race(race(owner="ann"))
    assert store.flush()
    assert store.personal.erase_before(CUTOFF, "retention") == Extent()
    assert store.conversation(kept, "ann").title == "kept"
    assert len(store.races()) == 1


def test_a_closed_handoff_of_then_goes_and_an_open_one_stays(store: Store) -> None:
    used = store.create_conversation("ann")
    for ticket in ("closed", "open"):
        store.care.open_handoff(
            HandoffRecord(
                conversation_id=used, ticket=ticket, reason="asked", summary="s",
                handoff_id=ticket, created_at=OLD,
            )
        )  # fmt: skip
        store.care.move_handoff("closed", "closed")
    assert store.personal.erase_before(CUTOFF, "retention") == Extent(handoffs=1)
    assert [row.ticket for row in store.care.open_handoffs()] == ["open"]


def test_customers_own_erasures_are_recorded_without_content(store: Store) -> None:
    one = store.create_conversation("ann")
    store.record_turn(turn(one, turn_id="t"))
    store.care.record_feedback(
        FeedbackRecord(kind="answer", score=1, conversation_id=one, turn_id="t")
    )
    store.record_race(race(owner="ann"))
    assert store.flush()
    store.delete_conversation(one, "ann")
    store.delete_owner("ann")
    races, conversation = store.personal.erasures()
    assert conversation.actor == races.actor == "customer"
    assert conversation.extent == Extent(conversations=1, turns=1, feedback=1)
    assert races.extent == Extent(races=1, turns=2)
    assert conversation.created_at <= races.created_at


def test_many_races_are_erased_with_their_turns(store: Store) -> None:
    for _ in range(600):
        store.record_race(race(owner="ann"))
    assert store.flush()
    erased = store.personal.erase(Subject(owner="ann"), "operator")
    assert (erased.races, erased.turns) == (600, 1200)
    assert store.metrics() == []
