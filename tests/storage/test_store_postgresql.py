"""The store on a real PostgreSQL, where one is named.

SPECCHAT_TEST_POSTGRESQL=postgresql://user@host/database python -m pytest tests/storage

The database is emptied. It needs the `postgres` extra: pip install -e '.[postgres]'.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from storage import (
    FeedbackRecord,
    HandoffRecord,
    OrderRow,
    PassageRow,
    Store,
    StoreError,
    Subject,
    TurnFilter,
    open_store,
)
from storage.database import connect
from storage.models import Base
from storage.records import utc_now
from tests.storage.stored_examples import metrics, race, turn

URL = os.environ.get("SPECCHAT_TEST_POSTGRESQL", "")
pytestmark = pytest.mark.skipif(not URL, reason="SPECCHAT_TEST_POSTGRESQL names no database")


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    database = connect(URL)
    with database.writer.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    database.dispose()
    with open_store(URL) as opened:
        yield opened


def test_migrations_lead_to_the_models(store: Store) -> None:
    with connect(URL).readers.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert store.health().database.startswith("PostgreSQL ")


def test_a_second_store_opens_what_the_first_has_made(store: Store) -> None:
    conversation = store.create_conversation("ann", "My lamp")
    with open_store(URL) as second:
        assert second.conversation(conversation, "ann").title == "My lamp"


def test_turns_come_back_as_they_were_written(store: Store) -> None:
    conversation = store.create_conversation("ann")
    written = turn(conversation, question="Where \x00 is\ud800 it? ünïcode 🙂")
    store.record_turn(written)
    store.record_turn(written)  # twice is once
    store.record_turn(turn(conversation, metrics=metrics(ttft_ms=float("nan"))))
    assert store.flush()
    first, second = store.turns(conversation)
    assert first.question == "Where \ufffd is\ufffd it? ünïcode 🙂"
    assert (first.position, second.position) == (0, 1)
    assert first.created_at == written.created_at
    assert first.metrics is not None
    assert first.metrics.seed == 2**63 - 1
    assert first.metrics.accepted_by_depth == (25, 20, 15, 10)
    assert second.metrics is not None
    assert second.metrics.ttft_ms is None
    store.remove_turn(first.turn_id)
    assert [row.turn_id for row in store.turns(conversation)] == [second.turn_id]
    assert store.health().lost == 0


def test_the_dashboard_and_search_read_it(store: Store) -> None:
    lamp = store.create_conversation("ann", "My LAMP, 100%")
    store.create_conversation("ben", "lamp")
    store.record_turn(turn(lamp))
    store.record_race(race(owner="ann"))
    assert store.flush()
    assert len(store.metrics(TurnFilter(kind="chat"))) == 1
    assert store.races()[0].plain.mode == "plain"
    assert set(store.facets().kinds) == {"chat", "race"}
    assert [row.id for row in store.conversations("ann", search="lamp 100% refund")] == [lamp]
    assert store.conversations("ann", search="_amp") == []
    assert store.conversations("ann", search="\ud800 \x00") == []
    transfer = store.create_conversation("ann", "ÜBERWEISUNG")
    assert [row.id for row in store.conversations("ann", search="u\u0308berweisung")] == [transfer]


def test_care_and_erasure(store: Store) -> None:
    conversation = store.create_conversation("ann")
    store.record_turn(turn(conversation, turn_id="t"))
    store.record_race(race(owner="ann"))
    store.care.record_feedback(
        FeedbackRecord(kind="answer", score=1, conversation_id=conversation, turn_id="t")
    )
    store.care.open_handoff(
        HandoffRecord(conversation_id=conversation, ticket="T-1", reason="asked", summary="s")
    )
    order = OrderRow(
        number="4417", status="shipped", items=("a", "b"), total="$1", ordered_on=date(2026, 1, 2),
        due_on=None, carrier="", tracking="",
    )  # fmt: skip
    store.care.put_orders([order])
    store.care.put_orders([order])
    assert store.care.order("4417") == order
    (handoff,) = store.care.open_handoffs()
    assert handoff.position == 1
    store.care.move_handoff(handoff.handoff_id, "active")
    assert store.care.desk(handoff.handoff_id).handoff.status == "active"
    assert [row.score for row in store.care.feedback(conversation)] == [1]

    store.delete_owner("ann")

    assert store.conversations("ann") == []
    assert store.races() == []
    assert store.care.feedback() == []
    assert store.care.open_handoffs() == []
    assert store.metrics() == []


def test_what_is_kept_of_a_person_is_read_and_what_is_old_goes(store: Store) -> None:
    then = utc_now() - timedelta(days=40)
    conversation = store.create_conversation("ann")
    store.record_turn(turn(conversation, created_at=then))
    store.record_turn(turn(conversation))
    store.record_race(race(owner="ann", created_at=then))
    assert store.flush()
    kept = store.personal.stored(Subject("ann"))
    assert [len(each.turns) for each in kept.conversations] == [2]
    assert len(kept.races) == 1
    cutoff = utc_now() - timedelta(days=30)
    foreseen = store.personal.extent_before(cutoff)
    assert store.personal.erase_before(cutoff, "operator") == foreseen
    assert (foreseen.conversations, foreseen.turns, foreseen.races) == (0, 3, 1)  # two arms
    (recorded,) = store.personal.erasures()
    assert recorded.extent == foreseen
    assert len(store.turns(conversation)) == 1


def test_a_server_that_drops_its_connections_loses_nothing(store: Store) -> None:
    conversation = store.create_conversation("ann")
    with connect(URL).writer.connect() as other:
        other.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    store.record_turn(turn(conversation))
    assert store.flush()
    assert len(store.turns(conversation)) == 1
    assert store.health().lost == 0


def test_a_database_that_is_not_there_is_named_without_its_password() -> None:
    url = sa.make_url(URL).set(database="no_such_database", password="hunter2")
    with pytest.raises(StoreError, match="no_such_database") as raised:
        open_store(url.render_as_string(hide_password=False))
    assert "hunter2" not in str(raised.value)


def test_passages_and_vectors_are_kept(store: Store) -> None:
    row = PassageRow(source="a.md", position=0, title="Delivery", text="Two days \x00 at most.")
    store.knowledge.replace_source("a.md", [row])
    store.knowledge.put_vectors("m", {row.sha: b"\x00\xff", "company": b"1"}, {"company"})
    with open_store(URL) as other:
        assert other.knowledge.version() == 1
        (found,) = other.knowledge.passages(searchable_only=True)
        assert found.text == "Two days \ufffd at most."
        assert other.knowledge.sources()[0].searchable == 1
        assert other.knowledge.vectors("m", [row.sha, "company"])[row.sha] == b"\x00\xff"
        other.knowledge.set_searchable("a.md", False)
    assert store.knowledge.version() == 2
    assert store.knowledge.passages(searchable_only=True) == []
