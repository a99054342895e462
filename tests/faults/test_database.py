"""The database is locked or full while customers ask: the chat goes on, and the rows come later."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from specchat.chat.types import AnswerOptions, AnswerUpdate
from specchat.loader import LoadedModel
from storage import StoreError
from tests.faults.watched import Watched

OWNER = "ann"
MOST = 60  # questions that fit into what is free in the last pages of a full file
Trouble = Callable[[Watched], AbstractContextManager[None]]


@contextmanager
def locked(shop: Watched) -> Iterator[None]:
    """Another program writes and does not end."""
    lock = sqlite3.connect(shop.database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    yield
    lock.close()


@contextmanager
def full(shop: Watched) -> Iterator[None]:
    """SQLite says then what it says on a full disk."""
    _limit_pages(shop, 1)
    yield
    _limit_pages(shop, 2**30)


def _limit_pages(shop: Watched, pages: int) -> None:
    connection = shop.store._database.writer.raw_connection()
    connection.cursor().execute(f"PRAGMA max_page_count={pages}")
    connection.close()


@pytest.fixture
def shop(loaded: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_MS", 20)
    monkeypatch.setattr("storage.writer.BUSY_TIMEOUT_MS", 20)
    monkeypatch.setattr("storage.store._VISIBLE_S", 0.2)
    monkeypatch.setattr("storage.store._ERASED_S", 0.2)
    monkeypatch.setattr("specchat.chat.turns.repository._FLUSH_S", 0.2)
    opened = Watched(loaded, tmp_path / "chat.db")
    yield opened
    opened.close()


def ask(shop: Watched, conversation: str, question: str) -> AnswerUpdate:
    options = AnswerOptions(max_tokens=6)
    return list(shop.service.answer(conversation, question, owner=OWNER, options=options))[-1]


@pytest.mark.parametrize("trouble", [locked, full])
def test_the_chat_goes_on_and_nothing_is_lost(shop: Watched, trouble: Trouble) -> None:
    before = shop.service.new_conversation(OWNER)
    ask(shop, before, "where is my quokka")
    assert shop.store.flush()
    with trouble(shop):
        during = shop.service.new_conversation(OWNER)
        for word in ("wombat", "numbat"):
            assert ask(shop, during, f"where is my {word}").status == "completed"
        asked = 1
        while shop.store.health().ok:  # which the page shows
            assert ask(shop, before, "where is my bilby").status == "completed"
            asked += 1
            assert asked < MOST
        assert len(shop.service.history(during, OWNER)) == 2
        assert shop.store.health().lost == 0
    assert shop.store.flush()
    assert shop.store.health().ok
    for conversation, turns in ((before, asked), (during, 2)):
        stored = [row.turn_id for row in shop.store.turns(conversation)]
        assert stored == [turn.turn_id for turn in shop.service.history(conversation, OWNER)]
        assert len(stored) == turns
    assert shop.store.conversation(during, OWNER).title == "where is my wombat"


def test_an_erasure_that_finds_the_database_locked_is_made_up_for(shop: Watched) -> None:
    conversation = shop.service.new_conversation(OWNER)
    ask(shop, conversation, "where is my quokka")
    assert shop.store.flush()
    with locked(shop), pytest.raises(StoreError, match="will be erased when it is free"):
        shop.service.delete_conversation(conversation, owner=OWNER)
    assert shop.store.flush()
    with pytest.raises(LookupError):
        shop.service.history(conversation, OWNER)
    assert b"quokka" not in shop.bytes()
