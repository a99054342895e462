"""All that a database holds as one file, and back into an empty one, of either kind.

The file is gzipped JSON lines: a header, the name and columns of each table before its rows, and a
last line with the number of rows, without which a file is not whole. It is read on any database, so
it also moves a store from SQLite to PostgreSQL.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from sqlalchemy import Connection, Date, LargeBinary, Table, func, insert, select
from sqlalchemy.exc import DBAPIError

from storage import schema
from storage.database import Database, connect, driver_message, require_database
from storage.errors import StoreError
from storage.models import Base, UtcDateTime
from storage.pending.file import lines_beside
from storage.records import utc_now
from storage.store import open_store

FORMAT = "specchat backup 1"
AT_A_TIME = 500  # rows
PATIENCE_S = 10.0
"""How long a backup waits for an app that runs to write what waits."""

MADE_ANEW = {"knowledge_version", "order"}
"""Tables that a new database has rows in before anybody used it."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds."""

    created_at: datetime
    revision: str  # of the schema
    rows: int
    conversations: int
    waiting: int = 0  # changes that it lacks: the database did not take them yet


def back_up(url: str | None, file: Path) -> Backup:
    """Write everything in the database at `url` (None: the default file) as of this moment into a
    new file that only its owner may read. The app may be running. What waits beside the database
    goes into it first; where that takes too long, the backup says how much it lacks.

    Raises:
        StoreError: there is no database, it does not answer, or the file exists or cannot be made.
    """
    require_database(url)
    if file.exists():
        raise StoreError(f"{str(file)!r} exists already; name a new file")
    database = connect(url)
    try:
        schema.upgrade(database)
        waiting = _caught_up(database, url)
        with _beside(file) as out, _snapshot(database) as connection:
            return replace(_write(connection, out), waiting=waiting)
    except DBAPIError as error:
        raise StoreError(f"the backup failed: {driver_message(error)}") from error
    except OSError as error:
        raise StoreError(f"{str(file)!r} cannot be written: {error.strerror}") from error
    finally:
        database.dispose()


def restore(url: str | None, file: Path) -> Backup:
    """Put a backup into the database at `url`, which must hold nothing; it is made where there is
    none. All of it or, where that fails, none of it.

    Raises:
        StoreError: the file is not a whole backup or a newer version's, or the database is in use
            or holds something.
    """
    database = connect(url)
    try:
        schema.upgrade(database)
        with _opened(file) as lines, database.alone(), database.writer.begin() as connection:
            _require_empty(connection)
            return _read(connection, lines, file)
    except DBAPIError as error:
        raise StoreError(f"restoring failed: {driver_message(error)}") from error
    finally:
        database.dispose()


def _caught_up(database: Database, url: str | None) -> int:
    """Lets what waits beside the database go into it, and says how many changes still wait."""
    if not lines_beside(database.beside):
        return 0
    open_store(url).close()  # takes over what processes left that have ended
    deadline = time.monotonic() + PATIENCE_S
    while (waiting := lines_beside(database.beside)) and time.monotonic() < deadline:
        time.sleep(0.1)  # an app that runs has them
    return waiting


# -- writing -----------------------------------------------------------------------------------


@contextmanager
def _beside(file: Path) -> Iterator[gzip.GzipFile]:
    """A file that has its name only once it is whole."""
    handle, name = tempfile.mkstemp(dir=file.absolute().parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as raw, gzip.open(raw, "wb") as out:
            yield out
        os.link(name, file)  # never over another
    finally:
        os.unlink(name)


@contextmanager
def _snapshot(database: Database) -> Iterator[Connection]:
    """A connection that sees one moment, whatever is written meanwhile."""
    with database.readers.connect() as connection:
        if database.sqlite:
            connection.exec_driver_sql("BEGIN")
            yield connection
            connection.exec_driver_sql("COMMIT")
        else:
            yield connection.execution_options(isolation_level="REPEATABLE READ")


def _write(connection: Connection, out: gzip.GzipFile) -> Backup:
    revision = MigrationContext.configure(connection).get_current_revision() or ""
    now, total, conversations = utc_now(), 0, 0
    _line(out, {"format": FORMAT, "revision": revision, "created_at": now.isoformat()})
    for table in Base.metadata.sorted_tables:
        _line(out, {"table": table.name, "columns": [column.name for column in table.columns]})
        rows = connection.execute(
            select(table).order_by(*table.primary_key.columns),
            execution_options={"yield_per": AT_A_TIME},
        )
        count = 0
        for row in rows:
            _line(out, [_packed(value) for value in row])
            count += 1
        total += count
        conversations += count if table.name == "conversation" else 0
    _line(out, {"rows": total})
    return Backup(now, revision, total, conversations)


def _line(out: gzip.GzipFile, content: Any) -> None:
    out.write(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def _packed(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value.isoformat() if isinstance(value, date) else value


# -- reading -----------------------------------------------------------------------------------


@contextmanager
def _opened(file: Path) -> Iterator[Iterator[Any]]:
    """The lines of a backup as values."""
    damaged = StoreError(f"{str(file)!r} is damaged or no backup of specchat")
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield (json.loads(line) for line in lines)
    except FileNotFoundError:
        raise StoreError(f"there is no file {str(file)!r}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise damaged from error
    except OSError as error:
        raise StoreError(f"{str(file)!r} cannot be read: {error.strerror}") from error


def _require_empty(connection: Connection) -> None:
    for table in Base.metadata.sorted_tables:
        held = connection.execute(select(func.count()).select_from(table)).scalar_one()
        if held and table.name not in MADE_ANEW:
            raise StoreError(
                f"the database holds {held} row{'' if held == 1 else 's'} of {table.name!r}; a "
                "backup goes into an empty one: name another by SPECCHAT_DATABASE_URL"
            )


def _read(connection: Connection, lines: Iterator[Any], file: Path) -> Backup:
    header = next(lines, None)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError("no header")
    schema.require_known(header["revision"], f"the backup {str(file)!r}")
    tables = {table.name: table for table in Base.metadata.sorted_tables}
    rows: list[dict[str, Any]] = []
    table: Table | None = None
    columns: list[str] = []
    total = conversations = 0
    promised: int | None = None

    def put() -> None:
        if rows and table is not None:
            connection.execute(insert(table), rows)
            rows.clear()

    for line in lines:
        if isinstance(line, list):
            if table is None or promised is not None:
                raise ValueError("a row of no table")
            rows.append(_unpacked(table, dict(zip(columns, line, strict=True))))
            total += 1
            conversations += table.name == "conversation"
            if len(rows) >= AT_A_TIME:
                put()
        else:
            put()
            if "rows" in line:
                promised = line["rows"]
            else:
                table, columns = tables[line["table"]], line["columns"]
                connection.execute(table.delete())
    if promised != total:
        raise ValueError("the end is missing")
    created_at = datetime.fromisoformat(header["created_at"])
    return Backup(created_at, header["revision"], total, conversations)


def _unpacked(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """The row with values as the database takes them; an older version's has fewer columns."""
    for name, value in row.items():
        kind = table.columns[name].type
        if value is None:
            continue
        if isinstance(kind, LargeBinary):
            row[name] = base64.b64decode(value, validate=True)
        elif isinstance(kind, UtcDateTime):
            row[name] = datetime.fromisoformat(value)
        elif isinstance(kind, Date):
            row[name] = date.fromisoformat(value)
    return row
