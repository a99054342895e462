"""Prompt lookup: what followed the longest earlier occurrence of the latest tokens.

Saxena, "Prompt lookup decoding" (2023), with the longest match instead of the first one and, among
equally long ones, the latest. The index holds every n-gram of the conversation and grows with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from specchat.engine.draft import DraftContext, DraftTree


@dataclass(slots=True)
class _Index:
    """Where each n-gram of one request's tokens ended last, before the tokens' own end."""

    seen: int = 1  # n-grams that end before this position are known
    ends: dict[tuple[int, ...], int] = field(default_factory=dict)


class NgramSpeculator:
    """Drafts from the conversation itself; costs microseconds."""

    name = "ngram"
    needs_hidden = False

    def __init__(self, *, longest: int = 8, shortest: int = 2, length: int = 8) -> None:
        if not 1 <= shortest <= longest:
            raise ValueError(f"shortest must be from 1 to {longest}, got {shortest}")
        self._longest = longest
        self._shortest = shortest
        self._length = length
        self._indices: dict[str, _Index] = {}

    def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
        """The continuation of the longest match, as a chain."""
        return [self._propose(context) for context in batch]

    def observe(self, request_id: str, tokens: Sequence[int]) -> None:
        """Nothing to do: `propose` catches up with the tokens it is shown."""

    def forget(self, request_id: str) -> None:
        """Drop a request's index."""
        self._indices.pop(request_id, None)

    def _propose(self, context: DraftContext) -> DraftTree:
        index = self._indices.setdefault(context.request_id, _Index())
        self._catch_up(index, context.tokens)
        tokens = context.tokens
        for size in range(min(self._longest, len(tokens) - 1), self._shortest - 1, -1):
            end = index.ends.get(tuple(tokens[-size:]))
            if end is None:
                continue
            draft = tokens[end : end + min(self._length, context.max_depth)]
            confidence = size / (self._longest + 1)
            return DraftTree.chain(draft, self.name, [confidence] * len(draft))
        return DraftTree()

    def _catch_up(self, index: _Index, tokens: Sequence[int]) -> None:
        """Add the n-grams that end before the last token, each once."""
        for end in range(index.seen, len(tokens)):
            for size in range(self._shortest, min(self._longest, end) + 1):
                index.ends[tuple(tokens[end - size : end])] = end
        index.seen = len(tokens)
