"""A backup is the whole store at one moment, and goes into an empty one of either kind."""

from __future__ import annotations

import fcntl
import gzip
import json
import sqlite3
import stat
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from specchat.commands import main
from storage import (
    FeedbackRecord,
    HandoffRecord,
    OrderRow,
    PassageRow,
    Store,
    StoreError,
    open_store,
)
from storage.archive.backup import back_up, restore
from storage.database import connect
from storage.models import Base
from tests.storage.stored_examples import metrics, race, turn


def fill(store: Store) -> None:
    """Something in every table."""
    conversation = store.create_conversation("ann", "Ünïcode 🙂 lamp")
    store.record_turn(turn(conversation, turn_id="t", question="Where? 5 \u2028 6"))
    store.record_turn(turn(conversation, metrics=metrics(ttft_ms=float("nan"))))
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
    passage = PassageRow(source="a.md", position=0, title="Delivery", text="Two days.")
    store.knowledge.replace_source("a.md", [passage])
    store.knowledge.put_vectors("m", {passage.sha: b"\x00\xff"}, set())
    store.delete_owner("somebody else")
    assert store.flush()


def held(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    database = connect(url)
    with database.readers.connect() as connection:
        found = {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }
    database.dispose()
    return found


@pytest.fixture
def filled(url: str) -> str:
    """The URL of an SQLite database with something in it."""
    with open_store(url) as store:
        fill(store)
    return url


def test_all_comes_back_from_sqlite_to_postgresql_and_back(
    filled: str, emptied: str, tmp_path: Path
) -> None:
    there, back = tmp_path / "there.gz", tmp_path / "back.gz"
    written = back_up(filled, there)
    assert written.conversations == 1
    assert restore(emptied, there) == written
    assert held(emptied) == held(filled)
    again = back_up(emptied, back)
    assert (again.rows, again.revision) == (written.rows, written.revision)
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere' / 'new.db'}"
    restore(elsewhere, back)
    assert held(elsewhere) == held(filled)
    with open_store(elsewhere) as store:
        (row,) = store.conversations("ann")
        assert row.title == "Ünïcode 🙂 lamp"
        assert store.care.order("4417") is not None


def test_it_is_taken_while_the_store_is_written_to_and_is_its_owners_alone(
    store: Store, url: str, tmp_path: Path
) -> None:
    fill(store)
    file = tmp_path / "now.gz"
    before = back_up(url, file)
    store.create_conversation("ben")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert back_up(url, tmp_path / "later.gz").conversations == before.conversations + 1
    with pytest.raises(StoreError, match="exists already"):
        back_up(url, file)
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def left_in_the_journal(url: str, path: Path) -> None:
    """A process has ended while a question and an erasure waited beside the database."""
    locked = sqlite3.connect(path, isolation_level=None)
    with open_store(url) as store:
        conversation = store.create_conversation("ann")
        store.record_turn(turn(store.create_conversation("eve"), question="erased"))
        assert store.flush()
        locked.execute("BEGIN IMMEDIATE")
        store.record_turn(turn(conversation, question="the last words"))
        with pytest.raises(StoreError, match="when it is free"):
            store.delete_owner("eve")
        store.close(0.2)
    locked.close()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("database", "writer"):
        monkeypatch.setattr(f"storage.{module}.BUSY_TIMEOUT_MS", 20)
    monkeypatch.setattr("storage.store._ERASED_S", 0.5)
    monkeypatch.setattr("storage.store._CAUGHT_UP_S", 0.5)
    monkeypatch.setattr("storage.archive.backup.PATIENCE_S", 0.3)


@pytest.mark.usefixtures("_impatient")
def test_what_waits_beside_the_database_is_in_it_and_what_waits_to_be_erased_is_not(
    url: str, path: Path, tmp_path: Path
) -> None:
    left_in_the_journal(url, path)
    assert list(path.parent.glob(f"{path.name}.spill-*"))
    assert back_up(url, tmp_path / "b.gz").waiting == 0
    said = gzip.decompress((tmp_path / "b.gz").read_bytes()).decode()
    assert "the last words" in said
    assert "erased" not in said.replace('"erased"', "")
    assert not list(path.parent.glob(f"{path.name}.spill-*"))


@pytest.mark.usefixtures("_impatient")
def test_what_still_waits_is_counted_and_said(
    url: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_in_the_journal(url, path)
    (file,) = path.parent.glob(f"{path.name}.spill-*")
    monkeypatch.setenv("SPECCHAT_DATABASE_URL", url)
    with file.open() as of_an_app_that_runs:
        fcntl.flock(of_an_app_that_runs, fcntl.LOCK_EX)
        said = CliRunner().invoke(main.app, ["data", "backup", str(tmp_path / "b.gz")])
    assert said.exit_code == 0, said.output
    assert "2 changes are not in it" in said.output


def test_a_database_that_holds_something_is_left_alone(filled: str, tmp_path: Path) -> None:
    back_up(filled, tmp_path / "b.gz")
    before = held(filled)
    with pytest.raises(StoreError, match="goes into an empty one"):
        restore(filled, tmp_path / "b.gz")
    assert held(filled) == before


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def without_its_end(file: Path) -> None:
    with gzip.open(file) as lines:
        kept = lines.read().splitlines(keepends=True)[:-1]
    with gzip.open(file, "wb") as out:
        out.writelines(kept)


def scrambled(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def not_one_of_ours(file: Path) -> None:
    with gzip.open(file, "wt") as out:
        out.write("[1, 2]\n")


def plain_text(file: Path) -> None:
    file.write_text("hello")


@pytest.mark.parametrize("damage", [cut, without_its_end, scrambled, not_one_of_ours, plain_text])
def test_of_a_damaged_file_nothing_is_restored(filled: str, tmp_path: Path, damage: Any) -> None:
    file = tmp_path / "b.gz"
    back_up(filled, file)
    damage(file)
    new = f"sqlite:///{tmp_path / 'new.db'}"
    with pytest.raises(StoreError, match="is damaged or no backup"):
        restore(new, file)
    assert held(new)["conversation"] == []
    assert held(new)["turn"] == []


def test_a_newer_schema_is_named(filled: str, tmp_path: Path) -> None:
    file = tmp_path / "b.gz"
    back_up(filled, file)
    with gzip.open(file, "rt") as lines:
        header, *rest = lines.read().splitlines()
    with gzip.open(file, "wt") as out:
        out.write("\n".join([json.dumps({**json.loads(header), "revision": "9999"}), *rest]) + "\n")
    with pytest.raises(StoreError, match="'9999', unknown to this version"):
        restore(f"sqlite:///{tmp_path / 'new.db'}", file)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no database"):
        back_up(f"sqlite:///{tmp_path / 'none.db'}", tmp_path / "b.gz")
    with pytest.raises(StoreError, match="there is no file"):
        restore(f"sqlite:///{tmp_path / 'new.db'}", tmp_path / "none.gz")


def test_the_commands_say_what_was_done(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPECCHAT_DATABASE_URL", filled)
    file = tmp_path / "b.gz"
    said = CliRunner().invoke(main.app, ["data", "backup", str(file)])
    assert said.exit_code == 0, said.output
    assert "1 conversations" in said.output
    refused = CliRunner().invoke(main.app, ["data", "restore", str(file)])
    assert refused.exit_code != 0
    assert "empty one" in refused.output
    monkeypatch.setenv("SPECCHAT_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    put = CliRunner().invoke(main.app, ["data", "restore", str(file), "--json"])
    assert put.exit_code == 0, put.output
    assert json.loads(put.stdout)["conversations"] == 1
