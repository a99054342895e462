"""Prompt lookup: what followed the longest earlier occurrence of the latest tokens.

Saxena, "Prompt lookup decoding" (2023), with the longest match instead of the first one and, among
equally long ones, the latest. The index holds where the conversation's n-grams of the shortest
length end and grows with it; the longest match is found by looking back from these places. Where
the library is there, it looks through the whole text instead, which takes no longer.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Sequence
from ctypes import c_int64, c_void_p
from dataclasses import dataclass, field

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.drafting.speculator import DraftContext, Speculator
from specchat.engine.native.library import loaded_library


@dataclass(slots=True)
class _Index:
    """Where each n-gram of one request's tokens ends, before the tokens' own end."""

    seen: int  # n-grams that end before this position are known
    ends: dict[tuple[int, ...], list[int]] = field(default_factory=dict)  # in order


class NgramSpeculator(Speculator):
    """Drafts from the conversation itself; costs microseconds."""

    name = "ngram"
    noise_ahead = 0

    MOST_PLACES = 64
    """Latest ends of an n-gram to look back from: a text may say one thing over and over."""

    def __init__(self, *, longest: int = 8, shortest: int = 2, length: int = 8) -> None:
        if not 1 <= shortest <= longest:
            raise ValueError(f"shortest must be from 1 to {longest}, got {shortest}")
        self._longest = longest
        self._shortest = shortest
        self._length = length
        self._indices: dict[str, _Index] = {}  # without the library
        self._texts: dict[str, array[int]] = {}  # of requests, for the library
        self._search: Callable[..., int] | None = None
        self._size = array("q", (0,))

    def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
        """The continuation of the longest match, as a chain."""
        if self._search is None:
            self._search = _native_search()
        return [self._propose(context) for context in batch]

    def forget(self, request_id: str) -> None:
        """Drop what was made of a request's tokens."""
        self._indices.pop(request_id, None)
        self._texts.pop(request_id, None)

    def _propose(self, context: DraftContext) -> DraftTree:
        tokens = context.tokens
        end, size = self._find(context.request_id, tokens)
        if not size:
            return DraftTree()
        draft = list(tokens[end : end + min(self._length, context.max_depth)])
        confidence = size / (self._longest + 1)
        parents = list(range(ROOT, len(draft) - 1))
        return DraftTree.of_one(draft, parents, self.name, [confidence] * len(draft))

    def _find(self, request_id: str, tokens: Sequence[int]) -> tuple[int, int]:
        """Where the longest match of the latest tokens ends, and its size; 0, 0 without one."""
        if self._search is None:
            index = self._indices.setdefault(request_id, _Index(self._shortest))
            self._catch_up(index, tokens)
            return self._longest_match(index, tokens)
        text = self._texts.setdefault(request_id, array("i"))
        text.extend(tokens[len(text) :])
        end = self._search(
            text.buffer_info()[0], len(text), self._shortest, self._longest, self.MOST_PLACES,
            self._size.buffer_info()[0],
        )  # fmt: skip
        return end, self._size[0]

    def _catch_up(self, index: _Index, tokens: Sequence[int]) -> None:
        """Add the n-grams that end before the last token, each once."""
        size, ends = self._shortest, index.ends
        for end in range(index.seen, len(tokens)):
            ends.setdefault(tuple(tokens[end - size : end]), []).append(end)
        index.seen = max(index.seen, len(tokens))

    def _longest_match(self, index: _Index, tokens: Sequence[int]) -> tuple[int, int]:
        best = best_end = 0
        most = min(self._longest, len(tokens) - 1)
        ends = index.ends.get(tuple(tokens[-self._shortest :]), ())
        for end in reversed(ends[-self.MOST_PLACES :]):
            size = self._shortest
            while size < min(most, end) and tokens[end - size - 1] == tokens[-size - 1]:
                size += 1
            if size > best:
                best, best_end = size, end
            if best == most:
                break
        return best_end, best


def _native_search() -> Callable[..., int] | None:
    """`longest_ngram` of the library, once it is built."""
    library = loaded_library()
    if library is None:
        return None
    # A call so short that to let others have the interpreter meanwhile would take longer.
    search = ctypes.PyDLL(library._name).longest_ngram
    search.restype = c_int64
    search.argtypes = [c_void_p, c_int64, c_int64, c_int64, c_int64, c_void_p]
    return search
