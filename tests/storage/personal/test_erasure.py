"""Deleted text is in no file any more, byte for byte."""

from __future__ import annotations

import random
import sqlite3
import time
from pathlib import Path

import pytest

from storage import RaceArm, Store, open_store
from tests.storage.stored_examples import race, turn

MARK = "4111-1111-1111-1111"


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_deleted_conversation_leaves_no_byte(
    journal: str, url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPECCHAT_SQLITE_JOURNAL", journal)
    with open_store(url) as store:
        secret = store.create_conversation("ann", title=f"about {MARK}")
        other = store.create_conversation("ann")
        sizes = random.Random(0)
        for number in range(80):  # rows of many sizes, so that pages split and overflow
            text = f"{MARK} " * sizes.choice((1, 5, 60, 400))
            store.record_turn(turn(secret, question=text, answer=text))
            store.record_turn(turn(other, answer="x" * sizes.choice((10, 3000))))
            if number % 3 == 0:
                store.record_turn(turn(secret, turn_id=f"gone {number}", answer=text))
                store.remove_turn(f"gone {number}")
        assert store.flush()
        assert _found_in(path)

        store.delete_conversation(secret, "ann")

        assert not _found_in(path)
        assert len(store.turns(other)) == 80


def test_a_removed_turn_leaves_no_byte(store: Store, path: Path) -> None:
    conversation_id = store.create_conversation("ann")
    store.record_turn(turn(conversation_id, turn_id="t", question=MARK, answer=MARK * 500))
    assert store.flush()
    assert _found_in(path)

    store.remove_turn("t")

    assert not _found_in(path)


def test_an_erased_owners_races_leave_no_byte(store: Store, path: Path) -> None:
    template = race()
    arm = RaceArm(answer=MARK, metrics=template.plain.metrics)
    store.record_race(race(owner="ann", prompt=MARK, plain=arm))
    assert store.flush()
    assert _found_in(path)

    store.delete_owner("ann")

    assert not _found_in(path)


def test_text_that_a_reader_held_is_gone_soon_after(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_MS", 20)
    monkeypatch.setattr("storage.writer._LONGEST_WAIT_S", 0.05)
    with open_store(url) as store:
        conversation_id = store.create_conversation("ann", MARK)
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM conversation").fetchall()

        store.delete_conversation(conversation_id, "ann")
        assert _found_in(path), "the reader still sees it, so it must still be somewhere"
        reader.close()

        deadline = time.monotonic() + 60
        while _found_in(path) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not _found_in(path)


def _found_in(path: Path) -> list[str]:
    """The database's files that hold the mark."""
    files = path.parent.glob(f"{path.name}*")
    return [file.name for file in files if MARK.encode() in file.read_bytes()]
