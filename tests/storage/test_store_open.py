"""Opening: migrations from nothing, reopening, pragmas, and what cannot be opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from storage import Store, StoreError, open_store, schema
from storage.database import connect, default_url
from storage.models import Base
from tests.storage.stored_examples import turn


def test_migrations_lead_to_the_models(store: Store, url: str) -> None:
    with sa.create_engine(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_reopening_changes_nothing(url: str, path: Path) -> None:
    with open_store(url) as store:
        conversation_id = store.create_conversation("ann")
        store.record_turn(turn(conversation_id))
    before = _schema(path)

    with open_store(url) as store:
        assert len(store.turns(conversation_id)) == 1
    assert _schema(path) == before


def test_many_can_open_a_new_file_at_once(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(open_store, [url] * 4))
    for number, store in enumerate(stores):
        store.create_conversation("ann", str(number))

    assert len(stores[0].conversations("ann")) == 4
    for store in stores:
        store.close()


def test_a_file_that_another_process_creates_meanwhile_is_no_other_programs(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inspected_later(connection: sa.Connection) -> Any:
        monkeypatch.setattr(schema, "inspect", sa.inspect)
        open_store(url).close()
        return sa.inspect(connection)

    monkeypatch.setattr(schema, "inspect", inspected_later)
    with open_store(url) as store:
        store.create_conversation("ann")


def test_the_default_file_is_in_the_users_data_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("platformdirs.user_data_dir", lambda name: str(tmp_path / "data" / name))

    with open_store() as store:
        store.create_conversation("ann")

    assert default_url().database == str(tmp_path / "data" / "specchat" / "specchat.db")
    assert (tmp_path / "data" / "specchat" / "specchat.db").is_file()


def test_closing_leaves_one_file(url: str, path: Path) -> None:
    with open_store(url) as store:
        store.create_conversation("ann")

    assert list(path.parent.iterdir()) == [path]


def test_sqlite_is_set_up_for_one_writer_and_safe_erasure(url: str) -> None:
    open_store(url).close()
    database = connect(url)

    assert _pragmas(database.writer) == {
        "journal_mode": "wal",
        "synchronous": 1,
        "secure_delete": 1,
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "query_only": 0,
        "wal_autocheckpoint": 1000,
    }
    assert _pragmas(database.readers)["query_only"] == 1
    assert _pragmas(database.readers)["wal_autocheckpoint"] == 0
    database.dispose()


def test_journal_mode_delete_can_be_chosen(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPECCHAT_SQLITE_JOURNAL", "delete")

    with open_store(url) as store:
        store.create_conversation("ann")
        assert list(path.parent.iterdir()) == [path]
        assert len(store.conversations("ann")) == 1


def test_a_wal_file_can_go_on_in_delete_mode(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(url) as store:
        store.create_conversation("ann")
    monkeypatch.setenv("SPECCHAT_SQLITE_JOURNAL", "delete")

    with open_store(url) as store:
        assert len(store.conversations("ann")) == 1


def test_a_mounted_bucket_of_a_space_gets_journal_mode_delete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("storage.database._prepare_folder", lambda path: None)

    assert connect("sqlite:////data/specchat.db").journal == "wal"
    monkeypatch.setenv("SPACE_ID", "someone/specchat")
    assert connect("sqlite:////data/specchat.db").journal == "delete"
    assert connect("sqlite:////tmp/specchat.db").journal == "wal"


def test_an_unknown_journal_mode_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECCHAT_SQLITE_JOURNAL", "memory")

    with pytest.raises(StoreError, match="must be 'wal' or 'delete', got 'memory'"):
        open_store(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("specchat.db", "cannot be read"),
        ("", "cannot be read"),
        ("postgresql://user:hunter2@host:port/name", "cannot be read"),
        ("mysql://user:hunter2@host/name", "'mysql' is not supported"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:////dev/null/specchat.db", "folder .* cannot be made"),
        ("sqlite:////proc/specchat.db", "cannot be opened or created"),
    ],
)
def test_a_url_that_cannot_work_is_explained(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)


def test_postgresql_without_its_driver_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)

    with pytest.raises(StoreError, match="psycopg"):
        open_store("postgres://user:hunter2@localhost/name")


def test_a_directory_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a directory"):
        open_store(f"sqlite:///{tmp_path}")


def test_a_read_only_database_is_refused(url: str, path: Path) -> None:
    open_store(url).close()

    with pytest.raises(StoreError, match="not writable"):
        open_store(f"sqlite:///file:{path}?mode=ro&uri=true")


def test_a_locked_database_is_refused_after_a_while(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(url).close()
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_MS", 50)
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError, match="another process holds it locked"):
        open_store(url)
    other.close()


def _no_database(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be read as one" * 100)


def _damaged(path: Path) -> None:
    with open_store(f"sqlite:///{path}") as store:
        conversation_id = store.create_conversation("ann")
        for _ in range(50):
            store.record_turn(turn(conversation_id, answer="a" * 2000))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = b"\x5a" * 8192
    path.write_bytes(content)


def _newer(path: Path) -> None:
    open_store(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_no_database, "not an SQLite database"),
        (_damaged, "damaged; move it away, then put a backup back by specchat data restore"),
        (_newer, "revision '9999', unknown to this version"),
        (_foreign, "belongs to another program"),
    ],
)
def test_a_file_that_is_not_ours_is_left_alone(
    make: Callable[[Path], None], message: str, url: str, path: Path
) -> None:
    make(path)
    before = path.read_bytes()

    with pytest.raises(StoreError, match=message):
        open_store(url)

    assert path.read_bytes() == before


def _schema(path: Path) -> list[tuple[str, str | None]]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    connection.close()
    return rows


def _pragmas(engine: sa.Engine) -> dict[str, object]:
    names = (
        "journal_mode",
        "synchronous",
        "secure_delete",
        "foreign_keys",
        "busy_timeout",
        "query_only",
        "wal_autocheckpoint",
    )
    with engine.connect() as connection:
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names}
