"""Finds the FAQ entries that fit a question, with SQLite's full-text search (FTS5, bm25)."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Sequence

from specchat.chat.company.profile import FaqEntry

_STOP_TEXT = """
a about after all also am an and any anybody anyone are as ask at be because been but by call can
cannot could did do does doing don done for from get give go got had has have hello help her here
hi him his how i if in into is it its just know let like ll looking m me much my name need no not
now of off ok on one or other our out please pls question re s said see she should so some
somebody someone still t tell than thank thanks that the their them then there these they this to
too trying try up us use ve very want wanna was way we were what when where which who why will
with would you your
"""
_STOP_WORDS = frozenset(_STOP_TEXT.split())
_WORD = re.compile(r"[^\W_]{2,}")
_MAX_WORDS = 24
_SAME = 0.75  # the share of words that two ways to ask the same have in common
_CANDIDATES = 4  # times as many are looked at as are returned


class FaqIndex:
    """A search index in memory over a company's FAQ. Safe to use from any thread."""

    def __init__(self, entries: Sequence[FaqEntry]) -> None:
        self._entries = tuple(entries)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute(
            "CREATE VIRTUAL TABLE faq USING fts5(question, tags, answer, "
            "tokenize = 'porter unicode61')"
        )
        self._database.executemany(
            "INSERT INTO faq(rowid, question, tags, answer) VALUES (?, ?, ?, ?)",
            [
                (row, " ".join(weighty_words(entry.question)), " ".join(entry.tags), entry.answer)
                for row, entry in enumerate(self._entries)
            ],
        )

    def search(self, question: str, limit: int = 3) -> tuple[FaqEntry, ...]:
        """At most `limit` entries, best first: none when no word of weight occurs.

        Entries that score under half of the best are left out. A hit only in an answer counts
        little (bm25 weights: question 4, tags 3, answer 0.5); an entry whose whole question is
        asked, small words included, counts up to twice.
        """
        words = weighty_words(question)[:_MAX_WORDS]
        if not words:
            return ()
        query = "{question tags} : (" + " OR ".join(f'"{word}"' for word in words) + ")"
        with self._lock:
            rows = self._database.execute(
                "SELECT rowid, bm25(faq, 4.0, 3.0, 0.5) AS score FROM faq WHERE faq MATCH ? "
                "ORDER BY score, rowid LIMIT ?",
                (query, _CANDIDATES * limit),
            ).fetchall()
        if not rows:
            return ()
        asked = set(_WORD.findall(question.lower()))
        scored = [(score * (1 + self._asked_for(row, asked)), row) for row, score in rows]
        scored.sort()  # bm25 in SQLite: the lower (more negative), the better
        best = scored[0][0]
        return tuple(self._entries[row] for score, row in scored[:limit] if score <= best * 0.5)

    def same(self, question: str) -> FaqEntry | None:
        """The entry that asks the same in nearly the same words, or None."""
        asked = set(_WORD.findall(question.lower()))
        for entry in self.search(question, 1):
            words = set(_WORD.findall(entry.question.lower()))
            if len(words & asked) >= _SAME * max(len(words), len(asked)):
                return entry
        return None

    def _asked_for(self, row: int, asked: set[str]) -> float:
        """The share of an entry's question that stands in what was asked."""
        words = set(_WORD.findall(self._entries[row].question.lower()))
        return len(words & asked) / max(1, len(words))


def weighty_words(text: str) -> list[str]:
    """The words of weight, each once, in order."""
    found = _WORD.findall(text.lower())
    return list(dict.fromkeys(word for word in found if word not in _STOP_WORDS))
