"""A store, the bundled company and made-up vectors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from specchat.chat.company.profile import Company, load_company
from storage import Store, open_store
from tests.chat.knowledge.made_up import WordVectors


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Of a database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'knowledge.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store, closed afterwards."""
    with open_store(url) as opened:
        yield opened


@pytest.fixture(scope="session")
def company() -> Company:
    """The bundled shop, in English alone."""
    return load_company().model_copy(update={"german": None})


@pytest.fixture
def vectors() -> WordVectors:
    """Vectors that count what they were asked."""
    return WordVectors()
