"""A passage: what is searched, shown as a source and read beside a question."""

from __future__ import annotations

from dataclasses import dataclass

from specchat.chat.knowledge.sentences import sentences
from storage.knowledge.records import content_sha

COMPANY = "company"
"""The source of what comes from the company's own files."""

MOST_PARTS = 24  # sentences of a passage that have a vector of their own


@dataclass(frozen=True, slots=True)
class Passage:
    """A help page, or a piece of one."""

    id: str
    source: str  # the document it is from; `COMPANY` for FAQ, profile and policies
    title: str
    text: str  # whole sentences; items and table rows have lines of their own
    words: str = ""  # further words to find it by
    language: str = ""  # "en" or "de"; "" where nobody said it

    @property
    def sha(self) -> str:
        """The same for the same title and text."""
        return content_sha(self.title, self.text)

    @property
    def whole(self) -> str:
        """Title and text."""
        return self.under_title(self.text)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What has vectors of its own beside the whole."""
        return tuple(sentences(self.text)[:MOST_PARTS])

    def under_title(self, text: str) -> str:
        """A piece of the passage with its title above it."""
        return f"{self.title}\n{text}"


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that a search found."""

    passage: Passage
    score: float  # the higher, the better; to compare within one search
    similarity: float  # of the vectors, -1 to 1; 0 where there are none
    words: float  # of the full text: bm25, 0 where no word of weight occurs
    chance: float = 0.0  # that it is the passage that answers; the judge's
