"""kill -9 in the middle of writing: the file stays sound and what was stored stays stored."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from storage import open_store

WRITER = Path(__file__).with_name("crashing_writer.py")
ROOT = Path(__file__).parents[2]


def test_a_killed_writer_loses_no_stored_turn(url: str, path: Path) -> None:
    stored: set[str] = set()
    for cycle in range(3):
        stored |= _write_and_kill(url, turns=10 + 17 * cycle)

        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()

    with open_store(url) as store:
        rows = [row for each in store.conversations("ann") for row in store.turns(each.id)]
        races = store.races()
    ids = [row.turn_id for row in rows]
    assert stored <= set(ids)
    assert len(ids) == len(set(ids))
    assert len(rows) - len(stored) <= 3 * 2, "at most the unacknowledged ones"
    assert all(row.metrics is not None for row in rows), "a turn and its metrics go together"
    assert all(race.plain.turn_id != race.speculative.turn_id for race in races)


def _write_and_kill(url: str, turns: int) -> set[str]:
    """Let a process write, kill it after some turns; the ids it had reported as stored."""
    command = [sys.executable, str(WRITER), url]
    environment = {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        reported = [process.stdout.readline() for _ in range(turns)]
        process.send_signal(signal.SIGKILL)
        reported += process.stdout.readlines()
    return {line.strip() for line in reported if line.endswith("\n")}
