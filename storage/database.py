"""Where the database is and how to connect: URLs, pragmas, the writer's and readers' engines."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import platformdirs
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError

from storage.errors import StoreBusyError, StoreError
from storage.lock import alone_in

BUSY_TIMEOUT_MS = 5_000
"""How long one SQLite statement waits for another connection's lock."""

_SUPPORTED = "sqlite:////absolute/path.db, sqlite:///relative/path.db or postgresql://host/name"


@dataclass(frozen=True, slots=True)
class Database:
    """One database with two engines: a single writing connection, and readers."""

    url: URL
    writer: Engine  # on SQLite the only connection that writes and checkpoints
    readers: Engine  # on SQLite they cannot write
    journal: str  # SQLite's journal mode, "wal" or "delete"; "" elsewhere

    @property
    def sqlite(self) -> bool:
        """True when this is an SQLite file."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def version(self) -> str:
        """The database's name and version, e.g. "SQLite 3.45.1"."""
        if self.sqlite:
            return f"SQLite {sqlite3.sqlite_version}"
        numbers = self.writer.dialect.server_version_info or ()
        return f"PostgreSQL {'.'.join(map(str, numbers))}"

    @property
    def file(self) -> Path | None:
        """The SQLite file; None elsewhere, and for a `file:` URI, which says more than a path."""
        return _sqlite_path(self.url) if self.sqlite else None

    @property
    def beside(self) -> Path:
        """What files that belong to the database are called after: its own file, or one in the
        user's data directory where it has none."""
        if self.file is not None:
            return self.file.absolute()
        name = sha256(self.url.render_as_string().encode()).hexdigest()[:16]
        return _data_folder() / f"{self.url.get_backend_name()}-{name}"

    @property
    def inode(self) -> int | None:
        """Which file it is, whatever its name; None where it is none, or gone."""
        try:
            return self.file.stat().st_ino if self.file is not None else None
        except OSError:
            return None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold off every other process that would write to the file or checkpoint its log.

        Raises:
            StoreBusyError: another process does so for longer than a statement may wait.
        """
        if self.journal != "wal" or self.file is None:
            yield
            return
        with alone_in(self.file.absolute().parent, BUSY_TIMEOUT_MS):
            yield

    def empty_log(self) -> bool:
        """Move the write-ahead log into the file and truncate it; only the writer may ask.

        Returns False when somebody else holds the log or the file. Raises sqlite3.Error.
        """
        if self.journal != "wal":
            return True
        link = self.writer.raw_connection()
        try:
            with self.alone():
                cursor = link.cursor()
                busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                cursor.close()
        except StoreBusyError:
            return False
        finally:
            link.close()
        return not busy

    def dispose(self) -> None:
        """Close all connections, the writer's last: it then removes the write-ahead log."""
        self.readers.dispose()
        try:
            with self.alone():
                self.writer.dispose()
        except StoreBusyError:
            self.writer.dispose()


def connect(url: str | None) -> Database:
    """Prepare the engines for `url` (None: the default file); nothing is opened yet.

    Raises:
        StoreError: the URL is not understood, its driver is missing or its folder cannot be made.
    """
    parsed = _parse(url) if url is not None else default_url()
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    return _postgresql(parsed)


def require_database(url: str | None) -> None:
    """Make sure that there is a database at `url` (None: the default file), and create nothing.

    Raises:
        StoreError: the URL is not understood, or names a file that does not exist.
    """
    parsed = _parse(url) if url is not None else default_url()
    path = _sqlite_path(parsed) if parsed.get_backend_name() == "sqlite" else None
    if path is not None and not path.exists():
        raise StoreError(
            f"there is no database {str(path)!r}; SPECCHAT_DATABASE_URL says where it is"
        )


def default_url() -> URL:
    """The SQLite file in the user's data directory."""
    return URL.create("sqlite", database=str(_data_folder() / "specchat.db"))


def in_trouble(error: Exception) -> bool:
    """True for trouble of the database (locked, full, away, damaged) rather than of what it was
    given."""
    return (
        isinstance(error, OperationalError | StoreBusyError)
        or type(error) is DatabaseError
        or (isinstance(error, DBAPIError) and error.connection_invalidated)
    )


def _data_folder() -> Path:
    return Path(platformdirs.user_data_dir("specchat"))


def driver_message(error: BaseException) -> str:
    """What went wrong, in words that cannot hold user text.

    SQLite's own messages never quote values; those of other drivers may, so only their type shows.
    """
    if isinstance(error, StoreError):
        return str(error)
    original = error.orig if isinstance(error, DBAPIError) else error
    if type(original).__module__ == "sqlite3":
        return str(original)
    return type(original or error).__name__


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url.strip())
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        # The value itself is not shown: it may hold a password.
        raise StoreError(f"the database URL cannot be read; it should be {_SUPPORTED}") from None
    if backend == "postgres":
        parsed, backend = parsed.set(drivername="postgresql"), "postgresql"
    if backend not in ("sqlite", "postgresql"):
        raise StoreError(f"database {backend!r} is not supported; the URL should be {_SUPPORTED}")
    return parsed


def _sqlite(url: URL) -> Database:
    if url.database in (None, "", ":memory:"):
        raise StoreError(f"an SQLite database needs a file; the URL should be {_SUPPORTED}")
    path = _sqlite_path(url)
    if path is not None:
        _prepare_folder(path)
    journal = _journal_mode(path)
    pragmas = {"foreign_keys": "ON", "busy_timeout": str(BUSY_TIMEOUT_MS)}
    writer = _engine(url, pool_size=1, max_overflow=0)
    _set_pragmas(
        writer, pragmas | {"journal_mode": journal, "synchronous": "NORMAL", "secure_delete": "ON"}
    )
    _begin_immediate(writer)
    readers = _engine(url, pool_size=8, max_overflow=8)
    # Only the writer may checkpoint: several checkpointing connections can corrupt the file in
    # SQLite before 3.51.3 (WAL-reset bug).
    _set_pragmas(readers, pragmas | {"query_only": "ON", "wal_autocheckpoint": "0"})
    return Database(url, writer, readers, journal)


def _sqlite_path(url: URL) -> Path | None:
    """The file, or None for an SQLite `file:` URI, which may say more than a path."""
    name = url.database or ""
    return None if name.startswith("file:") else Path(name)


def _prepare_folder(path: Path) -> None:
    if path.is_dir():
        raise StoreError(f"the database {str(path)!r} is a directory; name a file inside it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder of the database {str(path)!r} cannot be made: {error.strerror}"
        ) from error


def _journal_mode(path: Path | None) -> str:
    """WAL on a local disk; DELETE on a Space's bucket at /data, which lacks shared memory."""
    chosen = os.environ.get("SPECCHAT_SQLITE_JOURNAL", "").strip().lower()
    if chosen in ("wal", "delete"):
        return chosen
    if chosen:
        raise StoreError(f"SPECCHAT_SQLITE_JOURNAL must be 'wal' or 'delete', got {chosen!r}")
    on_bucket = path is not None and path.absolute().is_relative_to("/data")
    return "delete" if on_bucket and os.environ.get("SPACE_ID") else "wal"


def _postgresql(url: URL) -> Database:
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    try:
        writer = _engine(url, pool_size=1, max_overflow=0)
        readers = _engine(url, pool_size=8, max_overflow=8)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"{url.drivername} needs the module {error.name!r}: pip install 'psycopg[binary]'"
        ) from error
    return Database(url, writer, readers, "")


def _engine(url: URL, *, pool_size: int, max_overflow: int) -> Engine:
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_pre_ping=url.get_backend_name() != "sqlite",
        hide_parameters=True,  # parameters are user text
    )


def _set_pragmas(engine: Engine, pragmas: dict[str, str]) -> None:
    @event.listens_for(engine, "connect")
    def run(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where SQLAlchemy says, DDL included
        for name, value in pragmas.items():
            connection.execute(f"PRAGMA {name}={value}").fetchall()


def _begin_immediate(engine: Engine) -> None:
    """Take the write lock when a transaction begins, where waiting for it is still possible."""

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
