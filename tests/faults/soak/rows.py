"""What must hold of the rows of a database, whatever became of the process that wrote them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from tests.faults.soak.customer import Reply

_HALF = {
    "turns without their measurements": """
        SELECT count(*) FROM turn LEFT JOIN turn_metrics ON turn_id = turn.id
        WHERE turn_id IS NULL AND kind = 'chat'
        AND NOT (status = 'cancelled' AND answer = '')""",  # stopped before the engine had it
    "completed turns without an answer": """
        SELECT count(*) FROM turn JOIN turn_metrics ON turn_id = turn.id
        WHERE conversation_id IS NOT NULL AND status = 'completed' AND NOT removed
        AND answer = '' AND completion_tokens > 1""",  # one token: the model ended at once
}


def faults(database: Path) -> list[str]:
    """What is wrong with the file or stored by halves; empty when all is well."""
    with closing(sqlite3.connect(database)) as connection:
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
        found = [] if said == "ok" else [f"integrity_check: {said}"]
        for name, query in _HALF.items():
            (count,) = connection.execute(query).fetchone()
            found += [f"{count} {name}"] * bool(count)
    return found


def missing(database: Path, replies: Sequence[Reply]) -> list[Reply]:
    """Those of the replies, in the order they were seen, that are not stored so: with this
    question and status, behind the one before them in their conversation."""
    lost, last = [], dict[str, int]()
    with closing(sqlite3.connect(database)) as connection:
        for reply in replies:
            position = _position(connection, reply)
            if position is None or position <= last.get(reply.conversation, -1):
                lost.append(reply)
            else:
                last[reply.conversation] = position
    return lost


def left(database: Path, words: Iterable[str]) -> list[str]:
    """The words that are in the bytes of the database's files, its log and journal too."""
    files = [file for file in database.parent.glob(f"{database.name}*") if file.is_file()]
    held = b"".join(file.read_bytes() for file in files)
    return [word for word in words if word.encode() in held]


def _position(connection: sqlite3.Connection, reply: Reply) -> int | None:
    found = connection.execute(
        "SELECT position FROM turn WHERE conversation_id = ? AND question = ?"
        " AND ? IN (id, '') AND ? IN (status, '') AND NOT removed",
        (reply.conversation, reply.question, reply.turn, reply.status),
    ).fetchone()
    return None if found is None else found[0]
