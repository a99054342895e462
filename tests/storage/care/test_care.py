"""Feedback, hand-offs, orders and search: what is stored is found, and goes with its owner."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from storage import FeedbackRecord, HandoffRecord, OrderRow, Store
from tests.storage.stored_examples import turn

MARK = "mauve-elephant"


def handoff(conversation_id: str, ticket: str, summary: str = "wants a person") -> HandoffRecord:
    return HandoffRecord(
        conversation_id=conversation_id, ticket=ticket, reason="asked", summary=summary
    )


def order(number: str = "4417", status: str = "shipped") -> OrderRow:
    return OrderRow(
        number=number,
        status=status,  # type: ignore[arg-type]
        items=("Desk lamp", "Bulb"),
        total="$49.80",
        ordered_on=date(2026, 1, 2),
        due_on=date(2026, 1, 8),
        carrier="UPS",
        tracking="1Z999AA10123456784",
    )


def test_the_last_opinion_on_an_answer_counts(store: Store) -> None:
    conversation = store.create_conversation("ann")
    store.record_turn(turn(conversation, turn_id="t"))
    for score in (1, -1):
        store.care.record_feedback(
            FeedbackRecord(kind="answer", score=score, conversation_id=conversation, turn_id="t")
        )
    store.care.record_feedback(
        FeedbackRecord(kind="csat", score=4, conversation_id=conversation, comment="good")
    )
    found = {row.kind: row for row in store.care.feedback(conversation)}
    assert (found["answer"].score, found["answer"].turn_id) == (-1, "t")
    assert (found["csat"].score, found["csat"].comment) == (4, "good")
    store.care.record_feedback(
        FeedbackRecord(kind="answer", score=0, conversation_id=conversation, turn_id="t")
    )
    assert [row.kind for row in store.care.feedback()] == ["csat"]


def test_an_opinion_on_nothing_is_discarded(store: Store) -> None:
    store.care.record_feedback(
        FeedbackRecord(kind="answer", score=1, conversation_id=None, turn_id="never stored")
    )
    assert store.care.feedback() == []
    assert store.health().discarded == 1


def test_the_queue_moves_up_when_somebody_is_served(store: Store) -> None:
    conversations = [store.create_conversation(owner, f"of {owner}") for owner in ("ann", "ben")]
    for number, conversation in enumerate(conversations):
        store.care.open_handoff(handoff(conversation, f"T-{number}"))
    first, second = store.care.open_handoffs()
    assert [(row.position, row.title) for row in (first, second)] == [(1, "of ann"), (2, "of ben")]

    store.care.move_handoff(first.handoff_id, "active")
    taken, waiting = store.care.open_handoffs()
    assert (taken.status, taken.position, waiting.position) == ("active", 0, 1)
    assert taken.taken_at is not None

    store.care.move_handoff(first.handoff_id, "closed")
    store.care.move_handoff(first.handoff_id, "active")  # too late
    closed = store.care.handoff_of(conversations[0])
    assert closed is not None
    assert closed.status == "closed"
    assert [row.ticket for row in store.care.open_handoffs()] == ["T-1"]


def test_a_colleague_reads_all_that_was_said(store: Store) -> None:
    conversation = store.create_conversation("ann")
    store.record_turn(turn(conversation, question="Where is it?"))
    store.record_turn(
        turn(conversation, kind="person", question="", answer="I look.", metrics=None)
    )
    store.care.open_handoff(handoff(conversation, "T-1"))
    (row,) = store.care.open_handoffs()
    desk = store.care.desk(row.handoff_id)
    assert [(said.kind, said.answer) for said in desk.turns][1] == ("person", "I look.")
    with pytest.raises(LookupError):
        store.care.desk("unknown")


def test_orders_are_written_over_and_others_stay(store: Store) -> None:
    store.care.put_orders([order(), order("5520")])
    store.care.put_orders([order(status="delivered")])
    assert store.care.order("4417") == order(status="delivered")
    assert store.care.order("5520") == order("5520")
    assert store.care.order("1") is None


def test_search_finds_words_in_titles_and_texts_of_one_owner(store: Store) -> None:
    lamp = store.create_conversation("ann", "My lamp")
    shoes = store.create_conversation("ann", "Shoes")
    store.record_turn(turn(shoes, question="They pinch", answer="Send them BACK, 100%"))
    store.create_conversation("ben", "A lamp too")
    assert store.flush()

    def found(words: str) -> list[str]:
        return [row.id for row in store.conversations("ann", search=words)]

    assert found("lamp") == [lamp]
    assert found("back pinch") == [shoes]
    assert found("100%") == [shoes]
    assert found("_") == []
    assert found("lamp pinch") == []
    assert found("  ") == [shoes, lamp]


@pytest.mark.parametrize(
    ("said", "searched"),
    [
        ("Überweisung fehlt", "überweisung"),
        ("Überweisung fehlt", "U\u0308BERWEISUNG"),
        ("u\u0308berweisung fehlt", "ÜBERWEISUNG"),
        ("Überweisung fehlt", "uberweisung"),
        ("Maße und Straße", "STRASSE"),
        ("ПОСЫЛКА не пришла", "посылка"),
        ("Η ΠΑΡΑΓΓΕΛΙΑ ΜΟΥ ΤΗΣ ΠΕΜΠΤΗΣ", "παραγγελία της"),
        ("İADE istiyorum", "iade"),
        ("kapı kırık", "KAPI"),
        ("ｏｒｄｅｒ　４４１７", "order 4417"),
        ("コーヒー が ﾃﾞｶｲ", "デカイ"),
        ("my la\u00admp", "lamp"),
        ("طلبي لم يصل", "طلبي"),
        ("zamówienie z Łodzi", "lodzi"),
    ],
)
def test_a_search_finds_a_word_in_any_case_and_any_form_of_its_letters(
    store: Store, said: str, searched: str
) -> None:
    found = store.create_conversation("ann")
    titled = store.create_conversation("ann", said)
    other = store.create_conversation("ann", "Something else")
    store.record_turn(turn(found, question=said))
    store.record_turn(turn(titled))
    store.record_turn(turn(other))
    assert store.flush()
    rows = store.conversations("ann", search=searched)
    assert {row.id for row in rows} == {found, titled}


def test_a_search_counts_what_it_finds_and_not_what_it_reads(store: Store) -> None:
    made = [
        store.create_conversation("ann", f"{'lamp' if i % 2 else 'shoe'} {i}") for i in range(9)
    ]
    rows = store.conversations("ann", limit=2, search="LAMP")
    assert [row.id for row in rows] == [made[7], made[5]]


@pytest.mark.parametrize("broken", ["\ud800", "lamp \udfff", "\x00", "a\ud83d"])
def test_text_that_no_database_holds_is_searched_kept_and_compared(
    store: Store, broken: str
) -> None:
    named = store.create_conversation(f"ann {broken}", broken)
    assert [row.id for row in store.conversations(f"ann {broken}")] == [named]
    assert store.conversations("ann", search=broken) == []
    store.rename_conversation(named, f"ann {broken}", f"title {broken}")
    assert store.conversation(named, f"ann {broken}").title == f"title {broken}".replace(
        broken[-1], "\ufffd"
    )
    with pytest.raises(LookupError):
        store.conversation(broken, "ann")
    with pytest.raises(LookupError):
        store.care.desk(broken)
    assert store.care.handoff_of(broken) is None
    assert store.care.order(broken) is None


def test_a_deleted_owner_takes_feedback_and_hand_offs_along(store: Store, path: Path) -> None:
    conversation = store.create_conversation("ann", MARK)
    store.record_turn(turn(conversation, turn_id="t", question=MARK))
    store.care.record_feedback(
        FeedbackRecord(kind="csat", score=1, conversation_id=conversation, comment=MARK)
    )
    store.care.open_handoff(handoff(conversation, "T-1", MARK))
    files = list(path.parent.glob(f"{path.name}*"))
    assert any(MARK.encode() in file.read_bytes() for file in files)

    store.delete_owner("ann")

    assert store.care.feedback() == []
    assert store.care.open_handoffs() == []
    assert not any(MARK.encode() in file.read_bytes() for file in path.parent.iterdir())


def test_a_conversation_waits_for_a_person_once(store: Store) -> None:
    conversation = store.create_conversation("ann")
    for number in range(2):
        store.care.open_handoff(handoff(conversation, f"T-{number}"))
    (waiting,) = store.care.open_handoffs()
    store.care.move_handoff(waiting.handoff_id, "closed")
    store.care.open_handoff(handoff(conversation, "T-2"))
    assert [row.ticket for row in store.care.open_handoffs()] == ["T-2"]
