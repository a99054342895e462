"""Databases of earlier revisions go on with what they hold."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config

import storage
from storage import open_store
from storage.database import connect
from tests.storage.stored_examples import metrics, turn


def _at_revision(url: str, revision: str) -> None:
    """Take a database back to an earlier schema."""
    config = Config()
    config.set_main_option("script_location", str(Path(storage.__file__).parent / "migrations"))
    database = connect(url)
    with database.writer.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
    database.dispose()


def test_turns_of_before_the_rule_was_kept_say_that_it_is_not_known(url: str, path: Path) -> None:
    with open_store(url) as store:
        store.record_turn(turn(None, turn_id="old", metrics=metrics(verification="rejection")))
    _at_revision(url, "0003")
    with sqlite3.connect(path) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(turn_metrics)")]
    connection.close()
    assert "verification" not in columns

    with open_store(url) as store:
        (old,) = store.metrics()
        assert (old.verification, old.accepted) == ("", 70)
        store.record_turn(turn(None, turn_id="new"))
        assert store.flush()
        assert {row.turn_id: row.verification for row in store.metrics()} == {
            "old": "",
            "new": "rejection",
        }
        assert store.personal.erasures() == []
