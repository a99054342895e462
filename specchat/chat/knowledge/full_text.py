"""Passages by their words: SQLite's full-text search (FTS5, bm25) in memory.

The same for every database the passages are stored in. Words are stemmed (Porter) and lose case
and accents; a prefix alone finds nothing.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from specchat.chat.company.faq_search import weighty_words
from specchat.chat.knowledge.passage import Passage

MOST_WORDS = 24  # of a question
_GERMAN_TEXT = """
aber alle als also am an auch auf aus bei bin bis bitte da das dass dem den der des die dies diese
dieser dir doch du ein eine einem einen einer er es euch euer für gibt habe haben hat hätte ich ihr
ihre ihren im in ist ja kann kein keine können man mehr mein meine meinem meinen meiner mich mir
mit muss nach nicht noch nur ob oder sein sich sie sind so und uns unser von vor war warum was wenn
wer werden wie wieso wir wird wo wohin wurde würde zu zum zur über
"""
GERMAN_STOP_WORDS = frozenset(_GERMAN_TEXT.split())


class FullText:
    """A search index over passages, never changed once built. Safe to use from any thread."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._size = len(passages)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute(
            "CREATE VIRTUAL TABLE passage USING fts5(title, words, text, "
            "tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        self._database.executemany(
            "INSERT INTO passage(rowid, title, words, text) VALUES (?, ?, ?, ?)",
            [
                (row, *map(composed, (each.title, each.words, each.text)))
                for row, each in enumerate(passages)
            ],
        )

    def scores(self, question: str) -> NDArray[np.float32]:
        """bm25 of every passage, float32 `[passages]`: 0 where no word of weight occurs.

        A word of the title or of the further words counts twice.
        """
        found = np.zeros(self._size, np.float32)
        words = search_words(question)
        if not words:
            return found
        query = " OR ".join(f'"{word}"' for word in words)
        with self._lock:
            rows = self._database.execute(
                "SELECT rowid, bm25(passage, 2.0, 2.0, 1.0) FROM passage WHERE passage MATCH ?",
                (query,),
            ).fetchall()
        for row, score in rows:  # in SQLite the lower (more negative), the better
            found[row] = -score
        return found


def search_words(question: str) -> list[str]:
    """The words of weight that are searched for, each once."""
    words = weighty_words(composed(question))
    return [word for word in words if word not in GERMAN_STOP_WORDS][:MOST_WORDS]


def composed(text: str) -> str:
    """One form of letters that can be written in several (Unicode's NFKC)."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text))
