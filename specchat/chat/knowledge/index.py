"""Words and meaning together: every passage scored by full text and by sentence vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specchat.chat.knowledge.full_text import FullText
from specchat.chat.knowledge.passage import Found, Passage

NEAREST = 3.0
"""What the nearest sentence counts beside the whole passage."""

TITLED = "titled"
"""Names how a passage is turned into vectors: stored ones of another making are not used."""

WORDS_WEIGHT = 0.06
WORDS_HALF = 2.0
"""How bm25 joins the similarity: + WORDS_WEIGHT * bm25 / (bm25 + WORDS_HALF).

The right page first, of 1,431 questions of five made-up companies: vectors alone 69.6 %, with words
70.9 %, words alone 48.4 %; reciprocal rank fusion 61.3 to 63.3 %. Of 1,006 questions of three: the
whole passage alone 61.7 %, its nearest sentence alone 64.7 %, both 70.4 %.
"""

Matrix = NDArray[np.float32]


class Vectors(Protocol):
    """What turns texts into vectors: `specchat.pretrained.sentence_vectors.SentenceVectors`."""

    name: str  # the same name means the same vectors
    dimensions: int
    common: Sequence[str]  # words, in lower case, the most frequent first

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Vectors of what is searched, of length 1, float32 `[texts, dimensions]`."""
        ...

    def encode_questions(self, questions: Sequence[str]) -> Matrix:
        """Vectors of what is searched for, in the same space."""
        ...

    def knows(self, word: str) -> bool:
        """True for a word, in lower case, of the model's own vocabulary."""
        ...


def passage_vectors(passages: Sequence[Passage], vectors: Vectors) -> list[Matrix]:
    """Of each passage the vector of the whole, then one of each sentence: `[parts, dimensions]`.

    That of a sentence is the mean of its vectors alone and under the title, without which "Write to
    us with what went wrong" is about anything. The right page first of 151 questions to three
    companies (among the first two), by the sentence alone 109 (128), under its title 117 (129), by
    the mean of both 121 (131), and 117 (132) with `NEAREST` 3 for 2; of 1,071 questions to three
    kinds of company .747 (.895), .740 (.868), .754 (.887) and .764 (.891).
    """
    alone = [text for each in passages for text in each.sentences]
    titled = [each.under_title(text) for each in passages for text in each.sentences]
    texts = list(dict.fromkeys([*(each.whole for each in passages), *alone, *titled]))
    rows = dict(zip(texts, vectors.encode(texts), strict=True))
    return [
        np.stack(
            [
                rows[each.whole],
                *((rows[text] + rows[each.under_title(text)]) / 2 for text in each.sentences),
            ]
        )
        for each in passages
    ]


class Index:
    """Passages ready to be searched; never changed once built. Safe to use from any thread."""

    def __init__(self, passages: Sequence[Passage], vectors: Sequence[NDArray[Any]] | None) -> None:
        """`vectors` are the `passage_vectors` of each; None without."""
        self.passages = tuple(passages)
        self._full_text = FullText(self.passages)
        self._rows = {each.id: row for row, each in enumerate(self.passages)}
        self._whole: Matrix | None = None
        self._languages = np.array([each.language for each in self.passages])
        if vectors and self.passages:
            self._whole = np.stack([each[0] for each in vectors]).astype(np.float32)
            parts = [each[1:] if len(each) > 1 else each for each in vectors]
            self._parts = np.concatenate(parts).astype(np.float32)
            self._starts = np.cumsum([0, *map(len, parts[:-1])])
            self._ends = self._starts + [len(each) for each in parts]

    def search(
        self,
        texts: Sequence[tuple[str, float]],
        vectors: Matrix | None,
        limit: int,
        language: str = "",
    ) -> list[Found]:
        """At most `limit` passages, best first; those of another language are left out.

        `texts` are searched together, each with its weight; `vectors` are theirs,
        `[texts, dimensions]`. Without vectors only passages that share a word of weight are found.
        """
        if not self.passages:
            return []
        total = sum(weight for _, weight in texts)
        weights = np.array([weight / total for _, weight in texts], np.float32)
        words = np.stack([self._full_text.scores(text) for text, _ in texts], 1)
        similarity = self._similarity(vectors, len(texts)) @ weights
        by_words = (words / (words + WORDS_HALF)) @ weights
        words = words @ weights
        with_vectors = vectors is not None and self._whole is not None
        score = similarity + WORDS_WEIGHT * by_words if with_vectors else by_words
        usable = np.full(len(words), True) if with_vectors else words > 0
        if language:
            usable &= (self._languages == language) | (self._languages == "")
        rows = np.flatnonzero(usable)
        best = rows[np.argsort(-score[rows], kind="stable")[:limit]]
        return [
            Found(self.passages[row], float(score[row]), float(similarity[row]), float(words[row]))
            for row in best
        ]

    def nearness(
        self, passage: Passage, texts: Sequence[tuple[str, float]], vectors: Matrix | None
    ) -> list[float]:
        """How near each sentence of a passage is to `texts` with their weights, as `search` has
        them; [] where there are no vectors of it."""
        row = self._rows.get(passage.id)
        if vectors is None or self._whole is None or row is None:
            return []
        weights = np.array([weight for _, weight in texts], np.float32)
        sentences = self._parts[self._starts[row] : self._ends[row]]
        found: list[float] = (sentences @ vectors.T @ (weights / weights.sum())).tolist()
        return found

    def _similarity(self, vectors: Matrix | None, texts: int) -> Matrix:
        """The whole passage's and its nearest sentence's, weighted: `[passages, texts]`."""
        if vectors is None or self._whole is None:
            return np.zeros((len(self.passages), texts), np.float32)
        nearest = np.maximum.reduceat(self._parts @ vectors.T, self._starts, axis=0)
        both = self._whole @ vectors.T + NEAREST * nearest
        return np.asarray(both / (1 + NEAREST), np.float32)
