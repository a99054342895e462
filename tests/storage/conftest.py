"""An empty store: on a file of its own, and on a real PostgreSQL."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import Store, open_store
from storage.database import connect
from tests.storage.postgresql_server import postgresql_server

OF_A_FILE = {"path", "url"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of a store run on both databases, but for those that look at the file."""
    asked = set(inspect.signature(metafunc.function).parameters)
    if "store" in metafunc.fixturenames:
        both = ["sqlite"] if asked & OF_A_FILE else ["sqlite", "postgresql"]
        metafunc.parametrize("store", both, indirect=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database file will be."""
    return tmp_path / "stored.db"


@pytest.fixture
def url(path: Path) -> str:
    """The URL of that file."""
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a real server."""
    with postgresql_server() as server:
        yield server


@pytest.fixture
def emptied(postgresql: str) -> str:
    """The URL of an empty database on that server."""
    database = connect(postgresql)
    with database.writer.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    database.dispose()
    return postgresql


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store, closed afterwards."""
    where = "url" if request.param == "sqlite" else "emptied"
    with open_store(request.getfixturevalue(where)) as opened:
        yield opened
