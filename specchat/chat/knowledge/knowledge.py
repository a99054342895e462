"""What the shop knows: its own pages and imported documents, always up to date."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specchat.chat.company.profile import Company
from specchat.chat.knowledge.asked import Exchange, Query, queries, query_vectors
from specchat.chat.knowledge.company_pages import company_passages
from specchat.chat.knowledge.excerpt import FIRST_WORDS, NEXT_WORDS, excerpt, in_turn, shared_words
from specchat.chat.knowledge.index import TITLED, Index, Matrix, Vectors, passage_vectors
from specchat.chat.knowledge.judge import Judgement, Likelihoods, judged, read
from specchat.chat.knowledge.language import language_of
from specchat.chat.knowledge.passage import COMPANY, Found, Passage
from specchat.chat.knowledge.spelling import Spelling
from storage import PassageRow, SourceRow, Store, StoreError

_log = logging.getLogger(__name__)

Half = NDArray[np.float16]
"""Vectors as they are kept, `[parts, dimensions]`: half the memory, and no rank changes."""

LOOKED_AT = 8  # passages that the judge sees


@dataclass(frozen=True, slots=True)
class _State:
    version: int  # of the stored passages
    index: Index
    spelling: Spelling


class Knowledge:
    """Search over a company's pages and a store's documents. Safe to use from any thread.

    Changes of the documents, by any process, are seen by the next search. Vectors are computed
    once and stored; without a vector model the full text alone is searched.
    """

    def __init__(self, store: Store, company: Company, vectors: Vectors | None) -> None:
        self._store = store
        self._own = company_passages(company)
        self._languages = {each.language for each in self._own}
        self._vectors = vectors
        self._known: dict[str, Half] = {}  # vectors by the SHA-256 of their passage
        self._lock = threading.Lock()
        self._state = self._read(-1)

    @property
    def uses_vectors(self) -> bool:
        """False when words alone are searched."""
        return self._vectors is not None

    def search(self, question: str, limit: int = 5) -> list[Found]:
        """At most `limit` passages, best first. Follow-ups and two questions in one are `judge`'s.

        Raises nothing for a store that is away: then what was read last is searched.
        """
        if not question.strip():
            return []
        state = self._current()
        query = Query(((state.spelling.corrected(question), 1.0),))
        return self._search(query, state.index, limit)

    def judge(
        self,
        question: str,
        earlier: Sequence[Exchange] = (),
        likelihoods: Likelihoods | None = None,
    ) -> Judgement:
        """Which passages answer the question, and how likely that is.

        `earlier` is what was said before, the oldest first: a follow-up leans on its last.
        `likelihoods` is the target's opinion of the first ones.
        """
        state = self._current()
        meant = state.spelling.corrected(question)
        asked = queries(meant, earlier) if question.strip() else ()
        searches = [(query, self._search(query, state.index, LOOKED_AT)) for query in asked]
        if likelihoods is not None:
            searches = [
                (query, read(query, found, likelihoods, vectors=self.uses_vectors))
                for query, found in searches
            ]
        return judged(searches, vectors=self.uses_vectors)

    def excerpts(
        self, question: str, passages: Sequence[Passage], earlier: Sequence[Exchange] = ()
    ) -> tuple[str, ...]:
        """Of each passage what answers the question, in its own words; the first has most room."""
        state = self._current()
        meant = state.spelling.corrected(question)
        asked = [(query, self._encoded(query)) for query in queries(meant, earlier)]
        found: list[str] = []
        for passage in passages:
            near = [state.index.nearness(passage, query.texts, rows) for query, rows in asked]
            nearest = in_turn(near)
            most = NEXT_WORDS if found else FIRST_WORDS
            text = passage.text
            found.append(excerpt(text, nearest or shared_words(text, meant), most))
        return tuple(found)

    def add(self, passages: Iterable[Passage]) -> None:
        """Store passages, each source in the place of what it was.

        Their vectors come first, so that an app that runs beside need not compute them.

        Raises:
            ValueError: a passage claims to be the company's own.
            StoreError: the database refuses.
        """
        by_source: dict[str, list[Passage]] = {}
        for passage in passages:
            if passage.source == COMPANY:
                raise ValueError(f"the source {COMPANY!r} is kept for the company's own files")
            by_source.setdefault(passage.source, []).append(passage)
        self._vectors_of([each for found in by_source.values() for each in found])
        for source, found in by_source.items():
            rows = [_row(passage, position) for position, passage in enumerate(found)]
            self._store.knowledge.replace_source(source, rows)
        self._current()

    def remove(self, source: str) -> bool:
        """Remove a document; False when there is none of that name. Raises StoreError."""
        if all(each.source != source for each in self._store.knowledge.sources()):
            return False
        self._store.knowledge.replace_source(source, ())
        return True

    def sources(self) -> list[SourceRow]:
        """The imported documents, by name. Raises StoreError."""
        return self._store.knowledge.sources()

    def nearness(self, question: str, text: str) -> float:
        """How near a text is to a question, 1 at the most: by their meanings, or by how many of the
        question's words are in it."""
        if self._vectors is not None:
            asked = self._vectors.encode_questions([question])[0]
            return float(asked @ self._vectors.encode([text])[0])
        words = set(re.findall(r"\w{4,}", question.lower()))
        return len(words & set(re.findall(r"\w{4,}", text.lower()))) / max(1, len(words))

    def passages(self) -> tuple[Passage, ...]:
        """Everything that is searched: the company's own first."""
        return self._current().index.passages

    def _search(self, query: Query, index: Index, limit: int) -> list[Found]:
        language = language_of(query.text) if len(self._languages) > 1 else ""
        return index.search(query.texts, self._encoded(query), limit, language)

    def _encoded(self, query: Query) -> Matrix | None:
        return None if self._vectors is None else query_vectors(query, self._vectors)

    def _current(self) -> _State:
        """The index of what is stored now; the last one while the store does not answer."""
        state = self._state
        try:
            if self._store.knowledge.version() == state.version:
                return state
            if not self._lock.acquire(blocking=False):
                return state  # another thread reads: nobody else waits for that
            try:
                self._state = self._read(self._state.version)
            finally:
                self._lock.release()
        except StoreError as error:
            _log.warning("searching what was read last: %s", error)
        return self._state

    def _read(self, seen: int) -> _State:
        """Read and index all passages, unless it is version `seen` that is stored still."""
        version = self._store.knowledge.version()
        if version == seen:
            return self._state
        stored = map(_passage, self._store.knowledge.passages(searchable_only=True))
        unique = {each.sha: each for each in reversed([*self._own, *stored])}
        passages = list(reversed(unique.values()))
        vectors = self._vectors_of(passages)
        live = {each.sha for each in passages}
        self._known = {sha: rows for sha, rows in self._known.items() if sha in live}
        words = [text for each in passages for text in (each.title, each.words, each.text)]
        common = () if self._vectors is None else self._vectors.common
        return _State(version, Index(passages, vectors), Spelling(words, self._knows, common))

    def _knows(self, word: str) -> bool:
        return self._vectors is not None and self._vectors.knows(word)

    def _vectors_of(self, passages: Sequence[Passage]) -> list[Half] | None:
        """From memory, from the store, or computed now and stored."""
        if self._vectors is None:
            return None
        missing = {each.sha: each for each in passages if each.sha not in self._known}
        name = f"{self._vectors.name} {TITLED}"
        stored = self._store.knowledge.vectors(name, sorted(missing))
        found = {sha: _from_blob(blob, self._vectors.dimensions) for sha, blob in stored.items()}
        fresh = [each for sha, each in missing.items() if sha not in stored]
        if fresh:
            computed = self._compute(fresh)
            blobs = {sha: rows.tobytes() for sha, rows in computed.items()}
            keep = frozenset(each.sha for each in (*self._own, *passages))
            self._store.knowledge.put_vectors(name, blobs, keep)
            found |= computed
        known = self._known | found
        self._known = known
        return [known[each.sha] for each in passages]

    def _compute(self, passages: Sequence[Passage]) -> dict[str, Half]:
        """The vectors of all parts of these passages, by the SHA-256 of each."""
        assert self._vectors is not None
        found = passage_vectors(passages, self._vectors)
        return {
            each.sha: rows.astype(np.float16) for each, rows in zip(passages, found, strict=True)
        }


def _row(passage: Passage, position: int) -> PassageRow:
    return PassageRow(
        source=passage.source,
        position=position,
        title=passage.title,
        text=passage.text,
        words=passage.words,
    )


def _passage(row: PassageRow) -> Passage:
    return Passage(
        id=row.passage_id, source=row.source, title=row.title, text=row.text, words=row.words
    )


def _from_blob(blob: bytes, dimensions: int) -> Half:
    return np.frombuffer(blob, np.float16).reshape(-1, dimensions)
