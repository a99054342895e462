"""A database in trouble: what was said waits in a file beside it, and nothing of it is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from storage import Store, StoreError, Subject, open_store
from storage.care.records import FeedbackRecord, HandoffRecord
from storage.records import utc_now
from tests.storage.stored_examples import race, turn

ROOT = Path(__file__).parents[3]
KILLED = """
import os, sqlite3, sys, time
import storage.database
storage.database.BUSY_TIMEOUT_MS = 20
from storage import open_store
from tests.storage.stored_examples import turn
store = open_store(sys.argv[1])
lock = sqlite3.connect(sys.argv[3], isolation_level=None)
lock.execute("BEGIN IMMEDIATE")
store.record_turn(turn(sys.argv[2], question="the last words"))
while not store.health().journaled:
    time.sleep(0.01)
os.kill(os.getpid(), 9)
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("database", "writer"):
        monkeypatch.setattr(f"storage.{module}.BUSY_TIMEOUT_MS", 20)
    monkeypatch.setattr("storage.store._VISIBLE_S", 0.1)
    monkeypatch.setattr("storage.store._ERASED_S", 0.5)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url) as opened:
        yield opened


@pytest.fixture
def lock(store: Store, path: Path) -> Iterator[sqlite3.Connection]:
    """Another program writes and does not end."""
    assert store.flush()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def _journals(path: Path) -> list[Path]:
    return list(path.parent.glob(f"{path.name}.spill-*"))


def _journal_bytes(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in _journals(path))


def _wait_for(store: Store, journaled: int) -> None:
    deadline = time.monotonic() + 60
    while store.health().journaled != journaled:
        assert time.monotonic() < deadline, store.health()
        time.sleep(0.005)


def test_more_than_the_queue_holds_is_kept_in_order(
    store: Store, lock: sqlite3.Connection, path: Path
) -> None:
    store._writer.capacity = 4
    conversation = store.create_conversation("ann")
    for number in range(30):
        store.record_turn(turn(conversation, question=f"question {number}"))
        _wait_for(store, number + 2)
    (file,) = _journals(path)
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    lock.close()
    assert store.flush()
    assert [row.question for row in store.turns(conversation)] == [
        f"question {number}" for number in range(30)
    ]
    assert store.health().ok
    assert (store.health().written, store.health().queued) == (31, 0)
    assert not _journals(path)


def test_what_customers_and_colleagues_do_waits_too(store: Store, lock: sqlite3.Connection) -> None:
    conversation = store.create_conversation("ann")
    said = turn(conversation)
    store.record_turn(said)
    store.care.record_feedback(
        FeedbackRecord(kind="answer", score=1, conversation_id=conversation, turn_id=said.turn_id)
    )
    handoff = HandoffRecord(
        conversation_id=conversation, ticket="T1", reason="asked", summary="a refund"
    )
    store.care.open_handoff(handoff)
    store.care.move_handoff(handoff.handoff_id, "active")
    store.record_race(race(owner="ann"))
    _wait_for(store, 6)
    lock.close()
    assert store.flush()
    assert [row.score for row in store.care.feedback(conversation)] == [1]
    assert [row.status for row in store.care.open_handoffs()] == ["active"]
    assert len(store.races()) == 1


@pytest.mark.parametrize("trouble", ["full", "read-only", "gone"])
def test_a_database_that_comes_back_gets_everything(store: Store, path: Path, trouble: str) -> None:
    conversation = store.create_conversation("ann")
    assert store.flush()
    away = path.with_name("away")
    if trouble == "gone":
        path.rename(away)
    else:
        _make(store, trouble)
    for _ in range(5):
        store.record_turn(turn(conversation, answer="a" * 8_000))
    _wait_for(store, 5)
    if trouble == "gone":
        away.rename(path)
    else:
        _make(store, "as before")
    assert store.flush()
    assert len(store.turns(conversation)) == 5
    assert store.health().ok


def _make(store: Store, trouble: str) -> None:
    """SQLite says then what it says on a full or read-only disk."""
    connection = store._database.writer.raw_connection()
    pages = 1 if trouble == "full" else 2**30
    connection.cursor().execute(f"PRAGMA max_page_count={pages}")
    connection.cursor().execute(f"PRAGMA query_only={int(trouble == 'read-only')}")
    connection.close()


def test_a_killed_process_leaves_its_records_to_the_next(url: str, path: Path) -> None:
    with open_store(url) as store:
        conversation = store.create_conversation("ann")
    command = [sys.executable, "-c", KILLED, url, conversation, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(command, env=environment).returncode == -signal.SIGKILL
    assert _journals(path)
    with open_store(url) as store:
        assert [row.question for row in store.turns(conversation)] == ["the last words"]
        assert store.health().ok
    assert not _journals(path)


def test_an_interrupted_replay_stores_nothing_twice(
    store: Store, lock: sqlite3.Connection, url: str, path: Path
) -> None:
    conversation = store.create_conversation("ann")
    said = turn(conversation)
    store.record_turn(said)
    store.care.record_feedback(
        FeedbackRecord(kind="answer", score=1, conversation_id=conversation, turn_id=said.turn_id)
    )
    _wait_for(store, 3)
    copy = _journal_bytes(path)
    lock.close()
    assert store.flush()
    store.close()
    path.with_name(f"{path.name}.spill-0001").write_bytes(copy)
    with open_store(url) as again:
        assert [row.turn_id for row in again.turns(conversation)] == [said.turn_id]
        assert len(again.care.feedback(conversation)) == 1
        assert len(again.conversations("ann")) == 1
    assert not _journals(path)


@pytest.mark.parametrize("cut", [1, 40])
def test_a_damaged_or_half_written_line_is_survived_and_counted(
    store: Store, lock: sqlite3.Connection, url: str, path: Path, cut: int
) -> None:
    conversation = store.create_conversation("ann")
    for word in ("first", "second", "third"):
        store.record_turn(turn(conversation, question=word))
    _wait_for(store, 4)
    store.close(timeout=0.1)
    lock.close()
    (file,) = _journals(path)
    lines = file.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"first", b"fir?t")
    file.write_bytes(b"".join(lines)[:-cut])
    with open_store(url) as again:
        whole = ["second", "third"] if cut == 1 else ["second"]
        assert [row.question for row in again.turns(conversation)] == whole
        assert again.health().lost == 3 - len(whole)
        assert not again.health().ok
    assert not _journals(path)


def test_an_erasure_takes_a_conversation_from_the_journal_at_once(
    store: Store, lock: sqlite3.Connection, path: Path
) -> None:
    gone, stays = (store.create_conversation("ann") for _ in range(2))
    store.record_turn(turn(gone, question="where is my wombat"))
    store.record_turn(turn(stays, question="where is my numbat"))
    _wait_for(store, 4)
    assert b"wombat" in _journal_bytes(path)
    with pytest.raises(StoreError, match=r"erased when it is free$"):
        store.personal.erase(Subject(conversation_id=gone), "customer")
    assert b"wombat" not in _journal_bytes(path)
    assert b"numbat" in _journal_bytes(path)
    store.record_turn(turn(gone, question="too late"))
    lock.close()
    assert store.flush()
    assert [row.id for row in store.conversations("ann")] == [stays]
    assert store.health().discarded == 3  # the conversation, its turn, and the late one
    assert store.health().lost == 0


def test_an_erasure_takes_all_of_an_owner(store: Store, path: Path, url: str) -> None:
    stored = store.create_conversation("ann")
    other = store.create_conversation("bob")
    assert store.flush()
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    begun = store.create_conversation("ann")
    for conversation in (stored, begun):
        store.record_turn(turn(conversation, question="where is my wombat"))
    store.record_turn(turn(other, question="where is my numbat"))
    store.record_race(race(owner="ann", prompt="where is my wombat"))
    _wait_for(store, 5)
    with pytest.raises(StoreError, match="erased when it is free"):
        store.delete_owner("ann")
    assert b"wombat" not in _journal_bytes(path)
    assert b"numbat" in _journal_bytes(path)
    store.close(timeout=0.1)  # the next start makes up for it
    lock.close()
    with open_store(url) as again:
        assert again.conversations("ann") == []
        assert again.races() == []
        assert len(again.turns(other)) == 1
        assert again.personal.erasures()[0].extent.conversations == 1


def test_a_turn_that_is_removed_goes_from_the_journal_but_for_its_measurements(
    store: Store, lock: sqlite3.Connection, path: Path
) -> None:
    conversation = store.create_conversation("ann")
    said = turn(conversation, question="where is my wombat", title="where is my wombat")
    store.record_turn(said)
    store.remove_turn(said.turn_id)
    _wait_for(store, 3)
    assert b"wombat" not in _journal_bytes(path)
    lock.close()
    assert store.flush()
    assert store.turns(conversation) == []
    assert len(store.metrics()) == 1


def test_what_is_too_old_goes_from_the_journal(
    store: Store, lock: sqlite3.Connection, path: Path
) -> None:
    conversation = store.create_conversation("ann")
    old = utc_now() - timedelta(days=40)
    store.record_turn(turn(conversation, question="where is my wombat", created_at=old))
    store.record_turn(turn(conversation, question="where is my numbat"))
    _wait_for(store, 3)
    with pytest.raises(StoreError, match="erased when it is free"):
        store.personal.erase_before(utc_now() - timedelta(days=30), "retention")
    assert b"wombat" not in _journal_bytes(path)
    lock.close()
    assert store.flush()
    assert [row.question for row in store.turns(conversation)] == ["where is my numbat"]


def test_a_journal_that_cannot_be_written_leaves_records_in_memory(
    store: Store, lock: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("storage.pending.file.JournalFile.append", full)
    conversation = store.create_conversation("ann")
    for _ in range(3):
        store.record_turn(turn(conversation))
    assert not store.flush(0.2)
    assert (store.health().queued, store.health().journaled) == (4, 0)
    lock.close()
    assert store.flush()
    assert len(store.turns(conversation)) == 3


def test_the_journal_of_a_process_that_lives_is_left_alone(
    store: Store,
    lock: sqlite3.Connection,
    url: str,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    conversation = store.create_conversation("ann")
    store.record_turn(turn(conversation))
    _wait_for(store, 2)
    lock.close()
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_MS", 60_000)  # they write by turns
    with open_store(url) as other:
        assert other.health().lost == 0
    assert store.flush()
    assert len(store.turns(conversation)) == 1
    assert store.health().ok
