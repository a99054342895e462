"""Vectors for tests: the words of a text, each on an axis of its own."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from specchat.chat.knowledge.full_text import search_words

DIMENSIONS = 256


class WordVectors:
    """Texts that share words are near each other. Counts what it was asked."""

    dimensions = DIMENSIONS
    common = ()

    def __init__(self, name: str = "words") -> None:
        self.name = name
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.encoded += texts
        return np.stack([_vector(text) for text in texts])

    def encode_questions(self, questions: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([_vector(question) for question in questions])

    def knows(self, word: str) -> bool:
        return word in ("camel", "tier")


def _vector(text: str) -> NDArray[np.float32]:
    found = np.full(DIMENSIONS, 1e-3, np.float32)
    for word in search_words(text):
        found[zlib.crc32(word.rstrip("s").encode()) % DIMENSIONS] += 1
    return (found / np.linalg.norm(found)).astype(np.float32)
