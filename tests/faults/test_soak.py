"""The soak's own parts, and a short one. The long form: `make soak`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from storage import open_store
from tests.faults.soak.customer import Reply
from tests.faults.soak.report import MIB, figures, page
from tests.faults.soak.rows import faults, missing
from tests.faults.soak.soak import Soak
from tests.storage.stored_examples import turn


def test_a_few_visits_leave_nothing_behind(tmp_path: Path) -> None:
    soak = Soak(tmp_path, 3.0, users=2)
    report = soak.run()
    assert report["faults"] == []
    assert report["pages"]["free"] + report["pages"]["cached"] == report["pages"]["total"]
    assert "nothing was lost or left" in page(report, soak.samples)


def _samples(mib_an_hour: float, run: int = 1) -> list[dict[str, float]]:
    return [
        {"at_s": 60.0 * n, "rss": MIB * (500 + mib_an_hour * n / 60), "run": run} for n in range(61)
    ]


def test_memory_that_grows_has_a_slope() -> None:
    assert figures(_samples(0.0), [])["rss_mib"]["slope_per_hour"] == 0.0
    assert figures(_samples(12.0), [])["rss_mib"]["slope_per_hour"] == pytest.approx(12.0)


def test_what_fills_at_first_is_no_leak() -> None:
    samples = _samples(0.0)
    for each in samples[:10]:
        each["rss"] = 0.0
    assert figures(samples, [])["rss_mib"]["slope_per_hour"] == 0.0


def test_answers_that_become_slower_are_seen() -> None:
    answers = [(at, 1.0 if at < 75 else 4.0) for at in range(100)]
    assert figures([], answers)["p95_s_by_quarter"] == [1.0, 1.0, 1.0, 4.0]


def test_what_is_not_stored_as_it_was_seen_is_found(tmp_path: Path) -> None:
    database = tmp_path / "chat.db"
    with open_store(f"sqlite:///{database}") as store:
        conversation = store.create_conversation("ann")
        said = [turn(conversation, question=f"question {n}") for n in range(3)]
        for each in said:
            store.record_turn(each)
    seen = [Reply(t.turn_id, conversation, t.question, t.status, 1.0) for t in said]
    assert faults(database) == []
    assert missing(database, seen) == []
    assert missing(database, seen[::-1]) == seen[1::-1], "they are not in order"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DELETE FROM turn_metrics WHERE turn_id = ?", (seen[0].turn,))
        connection.execute("UPDATE turn SET answer = '' WHERE id = ?", (seen[1].turn,))
        connection.execute("UPDATE turn SET question = 'other' WHERE id = ?", (seen[2].turn,))
        connection.commit()
    assert len(faults(database)) == 2
    assert missing(database, seen) == seen[2:]
