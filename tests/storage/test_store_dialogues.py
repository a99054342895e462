"""What was said, for training on one's own text."""

from __future__ import annotations

from storage import Exchange, Store
from tests.storage.stored_examples import turn


def exchanges(store: Store) -> list[tuple[Exchange, ...]]:
    assert store.flush()
    return [dialogue.exchanges for dialogue in store.dialogues()]


def test_the_completed_turns_of_everybody_come_in_order(store: Store) -> None:
    for owner in ("ann", "ben"):
        talk = store.create_conversation(owner)
        for number in range(2):
            store.record_turn(turn(talk, question=f"{owner} {number}", answer="Yes."))
    assert set(exchanges(store)) == {
        (Exchange(f"{owner} 0", "Yes."), Exchange(f"{owner} 1", "Yes.")) for owner in ("ann", "ben")
    }


def test_the_latest_come_first_and_no_more_than_asked_for(store: Store) -> None:
    for number in range(5):
        store.record_turn(turn(store.create_conversation("ann"), question=str(number)))
        assert store.flush()
    found = store.dialogues(2)
    assert [dialogue.exchanges[0].question for dialogue in found] == ["4", "3"]


def test_a_dialogue_ends_where_a_turn_was_cut_short_or_a_colleague_took_over(
    store: Store,
) -> None:
    for change in ({"status": "cancelled"}, {"status": "failed"}, {"kind": "person"}):
        talk = store.create_conversation("ann")
        store.record_turn(turn(talk, question="first"))
        store.record_turn(turn(talk, question="second", **change))
        store.record_turn(turn(talk, question="third"))
    found = exchanges(store)
    assert [[e.question for e in said] for said in found] == [["first"]] * 3


def test_what_was_taken_out_or_never_said_is_not_there(store: Store) -> None:
    talk = store.create_conversation("ann")
    removed = turn(talk, question="removed")
    store.record_turn(removed)
    store.record_turn(turn(talk, question="kept"))
    store.create_conversation("ben")
    store.record_turn(turn(None, question="an audit's", kind="audit"))
    assert store.flush()
    store.remove_turn(removed.turn_id)
    assert [[e.question for e in said] for said in exchanges(store)] == [["kept"]]
