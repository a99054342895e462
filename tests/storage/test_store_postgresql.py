"""What is PostgreSQL's own; the other tests of the store run on it too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from storage import (
    Store,
    StoreError,
    open_store,
)
from storage.database import connect
from storage.models import Base
from tests.storage.stored_examples import turn


@pytest.fixture
def remote(emptied: str) -> Iterator[Store]:
    """An empty store on the server."""
    with open_store(emptied) as opened:
        yield opened


def test_migrations_lead_to_the_models(remote: Store, emptied: str) -> None:
    with connect(emptied).readers.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert remote.health().database.startswith("PostgreSQL ")


def test_a_second_store_opens_what_the_first_has_made(remote: Store, emptied: str) -> None:
    conversation = remote.create_conversation("ann", "My lamp")
    with open_store(emptied) as second:
        assert second.conversation(conversation, "ann").title == "My lamp"


def test_a_server_that_drops_its_connections_loses_nothing(remote: Store, emptied: str) -> None:
    conversation = remote.create_conversation("ann")
    with connect(emptied).writer.connect() as other:
        other.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    remote.record_turn(turn(conversation))
    assert remote.flush()
    assert len(remote.turns(conversation)) == 1
    assert remote.health().lost == 0


def test_a_database_that_is_not_there_is_named_without_its_password(postgresql: str) -> None:
    url = sa.make_url(postgresql).set(database="no_such_database", password="hunter2")
    with pytest.raises(StoreError, match="no_such_database") as raised:
        open_store(url.render_as_string(hide_password=False))
    assert "hunter2" not in str(raised.value)
