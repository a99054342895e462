"""Bringing a database to the newest revision of `storage/migrations`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from storage.database import Database, driver_message
from storage.errors import StoreError

_MIGRATIONS = Path(__file__).with_name("migrations")
_CHECK_LIMIT_BYTES = 64 * 2**20  # read in about 0.2 s; a bigger file is not read whole at start
_UPGRADE_LOCK = 7_239_118  # PostgreSQL advisory lock: any number no other program uses

_SQLITE_REASONS = {
    "not a database": "it is not an SQLite database",
    "malformed": "it is damaged; move it away, then put a backup back by specchat data restore",
    "readonly": "it is not writable",
    "read-only": "it is not writable",
    "unable to open": "it cannot be opened or created; check the path and its permissions",
    "locked": "another process holds it locked",
    "full": "the disk is full",
}


def upgrade(database: Database) -> None:
    """Create the tables or migrate them, in one transaction that also proves that writing works.

    A file that is not ours is only read.

    Raises:
        StoreError: not a database, damaged, not writable, another program's, or newer than this
            code.
    """
    try:
        with database.readers.connect() as connection:
            if database.sqlite:
                _check_file(database, connection)
            _check_revision(database, connection)
        database.readers.dispose()  # an open reader would keep SQLite from changing journal mode
        with database.alone(), database.writer.begin() as connection:
            if not database.sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})")
            _run_migrations(connection)
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")
    except DBAPIError as error:
        raise StoreError(_explain(database, error)) from error


def _check_file(database: Database, connection: Connection) -> None:
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    page_bytes = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    if pages * page_bytes > _CHECK_LIMIT_BYTES:
        return
    if connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() != "ok":
        raise StoreError(f"database {_name(database)}: {_SQLITE_REASONS['malformed']}")


def _check_revision(database: Database, connection: Connection) -> None:
    # The tables first: another process that migrates meanwhile adds its revision with them.
    tables = inspect(connection).get_table_names()
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is not None:
        require_known(revision, f"database {_name(database)}")
    if revision is None and database.sqlite and tables:
        raise StoreError(f"database {_name(database)} belongs to another program; name a new file")


def require_known(revision: str, what: str) -> None:
    """Raise StoreError unless this version knows the schema revision of `what`."""
    known = {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}
    if revision not in known:
        raise StoreError(
            f"{what} has the schema revision {revision!r}, unknown to this version of specchat: "
            "use a newer version, or another file"
        )


def _run_migrations(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _explain(database: Database, error: DBAPIError) -> str:
    if not database.sqlite:  # nothing of a user is in play while opening: the whole message helps
        return f"cannot use the database {_name(database)}: {' '.join(str(error.orig).split())}"
    message = driver_message(error)
    for part, reason in _SQLITE_REASONS.items():
        if part in message:
            return f"database {_name(database)}: {reason} ({message})"
    return f"database {_name(database)}: {message}"


def _name(database: Database) -> str:
    if database.sqlite:
        return repr(database.url.database)
    return repr(database.url.render_as_string(hide_password=True))
