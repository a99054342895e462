"""A chat with everything in reach that must hold after any order of actions: pages, rows, bytes."""

from __future__ import annotations

import itertools
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from specchat.chat.answer.task import salt
from specchat.chat.company.profile import load_company
from specchat.chat.service import ChatService
from specchat.loader import LoadedModel
from storage import Store, open_store

WAIT_S = 120.0  # generous: the machine may be busy with other work
TEXTS = {
    "conversation": ("owner", "title"),
    "turn": ("question", "answer", "written", "unsupported"),
    "race": ("owner", "prompt"),
    "feedback": ("comment",),
    "handoff": ("summary",),
}
"""Columns that hold what somebody wrote, or who they are."""

_words = itertools.count()


def new_word() -> str:
    """A word that nobody else says: what it is found in, a text with it has reached."""
    letters = "".join("bcdfghjklm"[int(digit)] for digit in f"{next(_words):06d}")
    return f"zq{letters}"


class Watched:
    """One shop on a database file of its own."""

    def __init__(self, loaded: LoadedModel, database: Path) -> None:
        self.loaded = loaded
        self.database = database
        self.store: Store = open_store(f"sqlite:///{database}")
        self.service = self._service()

    def _service(self) -> ChatService:
        return ChatService(self.loaded, self.store, load_company(), learn=True)

    def restart(self) -> None:
        """A new chat on the same store: what was in memory alone is gone."""
        self.service.close()
        assert self.store.flush()
        self.service = self._service()

    def close(self) -> None:
        """End the chat and close the file."""
        self.service.close()
        self.store.close()

    def wait_idle(self) -> None:
        """Wait until nothing runs, then see that every page is free or cached."""
        engine, deadline = self.loaded.engine, time.monotonic() + WAIT_S
        while (now := engine.snapshot()).running or now.waiting or now.pages_held:
            assert time.monotonic() < deadline, f"pages are held at idle: {now}"
            time.sleep(0.002)
        assert now.pages_free + now.pages_cached == now.pages_total
        assert now.failed_steps == 0
        engine.pool.check()

    def rows(self, *tables: str) -> str:
        """Every text in these tables, or in all."""
        assert self.store.flush()
        found: list[str] = []
        with closing(sqlite3.connect(self.database)) as connection:
            for table in tables or TEXTS:
                columns = ", ".join(TEXTS[table])
                for row in connection.execute(f'SELECT {columns} FROM "{table}"'):
                    found += map(str, row)
        return "\n".join(found)

    def bytes(self) -> bytes:
        """All that the database's files hold."""
        assert self.store.flush()
        assert self.store.wait_for_clean_log()
        files = self.database.parent.glob(f"{self.database.name}*")
        return b"".join(file.read_bytes() for file in files)

    def finds_pages_of(self, owner: str) -> bool:
        """True when a request of this owner could use pages that are cached."""
        return salt(owner) in self.loaded.engine.pool._index._tenants

    def learned_from(self) -> set[str]:
        """Conversations whose answers are drafted from."""
        learning = self.service.learning
        assert learning is not None
        assert learning.wait()
        return {each.conversation_id for each in learning._answers.values()}
