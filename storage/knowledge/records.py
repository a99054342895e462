"""Passages as they are handed over and read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from storage.records import new_id, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageRow:
    """One stored passage."""

    source: str  # the document it is from
    position: int  # within the source, from 0
    title: str
    text: str
    words: str = ""  # further words to find it by, with spaces between
    searchable: bool = True  # False: kept, but not found
    passage_id: str = field(default_factory=new_id)
    added_at: datetime = field(default_factory=utc_now)  # UTC

    @property
    def sha(self) -> str:
        """What its vectors are kept under: the same title and text have the same."""
        return content_sha(self.title, self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """What is stored of one document."""

    source: str
    passages: int
    searchable: int  # of the passages
    added_at: datetime  # UTC, the newest passage's


def content_sha(title: str, text: str) -> str:
    """The SHA-256 of a title and a text, as 64 hexadecimal digits."""
    return hashlib.sha256(f"{title}\n{text}".encode("utf-8", "replace")).hexdigest()
