"""A piece of a text that is personal data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text that is personal data."""

    start: int
    end: int
    kind: str  # one of `NOUNS`
