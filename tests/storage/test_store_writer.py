"""The writer thread: locked databases, full queues, refused records, closing."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from storage import Store, StoreError, open_store
from storage.database import connect
from storage.pending.jobs import Job, Outcome
from storage.writer import Writer
from storage.writes import add_turn
from tests.storage.stored_examples import metrics, turn


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite gives up on a lock quickly, so that the writer's own retries are what is tested."""
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_MS", 20)
    monkeypatch.setattr("storage.writer.BUSY_TIMEOUT_MS", 20)
    monkeypatch.setattr("storage.store._VISIBLE_S", 0.2)
    monkeypatch.setattr("storage.store._ERASED_S", 0.2)


@pytest.fixture
def hasty_store(impatient: None, url: str) -> Iterator[Store]:
    with open_store(url) as opened:
        yield opened


def test_a_locked_database_delays_records_but_loses_none(hasty_store: Store, path: Path) -> None:
    conversation_id = hasty_store.create_conversation("ann")
    assert hasty_store.flush()
    lock = _lock(path)

    for number in range(20):  # does not wait for the lock, which is held all the time
        hasty_store.record_turn(turn(conversation_id, question=str(number)))
    _wait_for_error(hasty_store, "database is locked")
    assert not hasty_store.flush(1.0)
    health = hasty_store.health()
    assert (health.queued, health.lost) == (20, 0)
    assert not health.ok
    assert len(hasty_store.conversations("ann")) == 1, "readers go on"

    lock.close()
    assert hasty_store.flush()
    rows = hasty_store.turns(conversation_id)
    assert [row.question for row in rows] == [str(number) for number in range(20)]
    assert hasty_store.health().ok


def test_a_full_disk_delays_records_but_loses_none(hasty_store: Store) -> None:
    conversation_id = hasty_store.create_conversation("ann")
    assert hasty_store.flush()
    _limit_pages(hasty_store, 40)  # SQLite then says what it says on a full disk
    for _ in range(40):
        hasty_store.record_turn(turn(conversation_id, answer="a" * 8_000))
    _wait_for_error(hasty_store, "database or disk is full")
    assert not hasty_store.flush(0.1)

    _limit_pages(hasty_store, 2**30)
    assert hasty_store.flush()
    assert len(hasty_store.turns(conversation_id)) == 40
    assert hasty_store.health().ok


def test_a_conversation_begun_while_locked_appears_later(hasty_store: Store, path: Path) -> None:
    lock = _lock(path)
    conversation_id = hasty_store.create_conversation("ann")
    hasty_store.record_turn(turn(conversation_id))
    assert hasty_store.conversations("ann") == []

    lock.close()
    assert hasty_store.flush()
    assert len(hasty_store.turns(conversation_id)) == 1


def test_an_erasure_that_must_wait_says_so_and_happens_later(
    hasty_store: Store, path: Path
) -> None:
    conversation_id = hasty_store.create_conversation("ann")
    assert hasty_store.flush()
    lock = _lock(path)
    with pytest.raises(StoreError, match="will be erased when it is free"):
        hasty_store.delete_conversation(conversation_id, "ann")

    lock.close()
    assert hasty_store.flush()
    assert hasty_store.conversations("ann") == []


def test_a_full_queue_loses_records_visibly_and_keeps_commands(
    impatient: None, url: str, path: Path
) -> None:
    open_store(url).close()
    database = connect(url)
    writer = Writer(database, capacity=3)
    lock = _lock(path)
    jobs = [_job() for _ in range(5)]
    for job in jobs:
        writer.submit(job)
    command = _job(record=False)
    writer.submit(command)

    assert (writer.state().queued, writer.state().lost) == (4, 2)
    lock.close()
    assert writer.flush(60)
    assert command.done.result(0).error is None
    assert (writer.state().written, writer.state().lost) == (4, 2)
    for _ in range(2):
        assert isinstance(jobs.pop().done.result(0).error, StoreError)
    writer.close(60)
    database.dispose()


def test_commands_are_bounded_too(impatient: None, url: str, path: Path) -> None:
    open_store(url).close()
    database = connect(url)
    writer = Writer(database, capacity=1)
    lock = _lock(path)
    for _ in range(2):
        writer.submit(_job(record=False))

    with pytest.raises(StoreError, match="the queue is full: 2 changes wait"):
        writer.submit(_job(record=False))
    lock.close()
    writer.close(60)
    database.dispose()


def test_a_record_the_database_refuses_does_not_hold_up_the_others(store: Store) -> None:
    conversation_id = store.create_conversation("ann")
    secret = "do not log me"
    refused = turn(conversation_id, question=secret, metrics=metrics(steps=2**70))
    for record in (turn(conversation_id), refused, turn(conversation_id)):
        store.record_turn(record)
    assert store.flush()

    assert len(store.turns(conversation_id)) == 2
    assert store.health().lost == 1
    assert not store.health().ok


def test_errors_hold_no_user_text(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    conversation_id = store.create_conversation("ann")
    broken: Any = replace(turn(conversation_id, question="my secret"), answer=None)
    refused: Any = replace(turn(conversation_id, question="my secret"), status=None)
    store.record_turn(broken)
    store.record_turn(refused)
    assert store.flush()

    assert store.health().lost == 2
    assert "lost" in caplog.text
    assert "secret" not in caplog.text + store.health().last_error


def test_a_conflict_with_another_process_is_looked_at_again(store: Store) -> None:
    attempts = []

    def work(session: Session) -> Outcome:
        attempts.append(1)
        if len(attempts) == 1:
            from sqlalchemy.exc import IntegrityError

            raise IntegrityError("", None, sqlite3.IntegrityError("UNIQUE constraint failed"))
        return Outcome(written=1)

    store._writer.submit(Job(work))

    assert store.flush()
    assert len(attempts) == 2
    assert store.health().ok


def test_closing_stores_what_is_queued(url: str) -> None:
    with open_store(url) as store:
        conversation_id = store.create_conversation("ann")
        for _ in range(60):
            store.record_turn(turn(conversation_id))

    with open_store(url) as store:
        assert len(store.turns(conversation_id)) == 60


def test_closing_in_time_leaves_what_waits_to_the_next_start(
    impatient: None, url: str, path: Path
) -> None:
    store = open_store(url)
    lock = _lock(path)
    for _ in range(3):
        store.record_turn(turn(None))

    store.close(timeout=0.3)  # the lock is still held

    assert (store.health().lost, store.health().journaled) == (0, 3)
    lock.close()
    with open_store(url) as store:
        assert len(store.metrics()) == 3
        assert store.health().ok


def test_closing_without_a_journal_gives_up_in_time_and_counts_it(
    impatient: None, url: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    open_store(url).close()
    database = connect(url)
    writer = Writer(database)
    lock = _lock(path)
    for _ in range(3):
        writer.submit(_job())

    writer.close(timeout=0.3)

    assert writer.state().lost == 3
    assert "closed before it was written: database is locked" in caplog.text
    lock.close()
    database.dispose()


def test_a_closed_store_refuses_commands_and_counts_records(url: str) -> None:
    store = open_store(url)
    store.close()
    store.close()

    store.record_turn(turn(None))
    assert store.health().lost == 1
    with pytest.raises(StoreError, match="closed"):
        store.create_conversation("ann")
    with pytest.raises(StoreError, match="closed"):
        store.conversations("ann")


def test_health_names_the_database(store: Store, url: str) -> None:
    assert url.startswith("sqlite")
    assert store.health().database == f"SQLite {sqlite3.sqlite_version}"
    assert store.health().ok


def _job(*, record: bool = True) -> Job:
    return Job(partial(add_turn, record=turn(None)), record=record)


def _wait_for_error(store: Store, message: str) -> None:
    deadline = time.monotonic() + 60
    while store.health().last_error != message:
        assert time.monotonic() < deadline, store.health()
        time.sleep(0.01)


def _limit_pages(store: Store, pages: int) -> None:
    """Allow the file this many pages, once the writer's connection is free for a moment."""
    connection = store._database.writer.raw_connection()
    connection.cursor().execute(f"PRAGMA max_page_count={pages}")
    connection.close()


def _lock(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection
