"""Suffix drafting: how earlier answers went on after the same words.

After SuffixDecoding (Oliaro et al. 2024, arXiv 2411.04975): the longest suffix of the current text
that occurs in a store of earlier answers is looked up, and the store's continuations, weighted by
how often each occurs, become the draft tree. Customer care repeats itself, and a lookup costs a
fraction of a forward pass.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from specchat.engine.draft import ROOT, DraftContext, DraftTree
from specchat.engine.errors import ModelLoadError

_SEPARATOR = -1
_SORTED_TOKENS = 32
"""Suffixes are sorted by this many tokens; more than a match and its draft ever compare."""


@dataclass(frozen=True, slots=True)
class Match:
    """The suffixes [low, high) of the sorted array, which all start with the same `length`
    tokens."""

    low: int
    high: int
    length: int

    @property
    def count(self) -> int:
        """Places in the store where these tokens occur."""
        return self.high - self.low


class SuffixStore:
    """A suffix array over token sequences; immutable."""

    def __init__(self, answers: Iterable[Sequence[int]]) -> None:
        parts: list[int] = []
        for answer in answers:
            parts += answer
            parts.append(_SEPARATOR)
        self.tokens = np.asarray(parts, dtype=np.int32)
        self._order = _sort_suffixes(self.tokens)

    def __len__(self) -> int:
        return len(self.tokens)

    def frequent_tokens(self, share: float) -> list[int]:
        """The fewest tokens that make up this share of the store; empty for an empty store."""
        tokens, counts = np.unique(self.tokens[self.tokens != _SEPARATOR], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        needed = np.searchsorted(np.cumsum(counts[order]), share * counts.sum()) + 1
        return sorted(tokens[order[:needed]].tolist()) if len(tokens) else []

    def longest_match(self, tokens: Sequence[int], shortest: int, longest: int) -> Match | None:
        """Where the longest suffix of `tokens`, of `shortest` to `longest` tokens, occurs."""
        best: list[int] = []
        start = 0
        low, high = shortest, min(longest, len(tokens))
        while low <= high:  # a shorter suffix occurs wherever a longer one does
            size = (low + high) // 2
            pattern = list(tokens[-size:])
            place = self._bound(pattern, after=False)
            if self._starts_with(place, pattern):
                best, start, low = pattern, place, size + 1
            else:
                high = size - 1
        return self._match(best, start) if best else None

    def find(self, pattern: Sequence[int]) -> Match | None:
        """Where `pattern` occurs; None when nowhere."""
        wanted = list(pattern)
        place = self._bound(wanted, after=False)
        return self._match(wanted, place) if self._starts_with(place, wanted) else None

    def continuations(self, match: Match, most: int) -> list[tuple[int, Match]]:
        """The `most` frequent next tokens of a match, each with its narrower match."""
        following = self.tokens[self._order[match.low : match.high] + match.length]
        if following[0] == following[-1]:  # sorted: one token follows everywhere
            starts, counts = [0], [len(following)]
        else:
            changes = np.flatnonzero(following[1:] != following[:-1]) + 1
            starts = [0, *changes.tolist()]
            counts = [b - a for a, b in zip(starts, [*starts[1:], len(following)], strict=True)]
        found = []
        for i in sorted(range(len(starts)), key=counts.__getitem__, reverse=True)[: most + 1]:
            token = int(following[starts[i]])
            if token != _SEPARATOR:
                low = match.low + starts[i]
                found.append((token, Match(low, low + counts[i], match.length + 1)))
        return found[:most]

    def _match(self, pattern: list[int], low: int) -> Match:
        return Match(low, self._bound(pattern, after=True, low=low), len(pattern))

    def _starts_with(self, place: int, pattern: list[int]) -> bool:
        """Whether the suffix at a place of the sorted array begins with the pattern."""
        if place == len(self._order):
            return False
        start = self._order[place]
        return self.tokens[start : start + len(pattern)].tolist() == pattern

    def _bound(self, pattern: list[int], *, after: bool, low: int = 0) -> int:
        """First place from `low` whose suffix is not before the pattern, or is behind all that
        start with it."""
        high = len(self._order)
        size = len(pattern)
        while low < high:
            middle = (low + high) // 2
            start = self._order[middle]
            found = self.tokens[start : start + size].tolist()
            if found < pattern or (after and found == pattern):
                low = middle + 1
            else:
                high = middle
        return low


class SuffixSpeculator:
    """Drafts a tree from a store of earlier answers."""

    name = "suffix"
    needs_hidden = False

    def __init__(
        self,
        store: SuffixStore,
        *,
        longest: int = 16,
        shortest: int = 2,
        max_nodes: int = 14,
        branches: int = 2,
        least_chance: float = 0.12,
    ) -> None:
        if not 1 <= shortest <= longest < _SORTED_TOKENS:
            raise ValueError(
                f"1 <= shortest <= longest < {_SORTED_TOKENS} must hold, got {shortest}, {longest}"
            )
        self._store = store
        self._longest = longest
        self._shortest = shortest
        self._max_nodes = max_nodes
        self._branches = branches
        self._least_chance = least_chance

    def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
        """The most probable continuations by their counts in the store."""
        return [self._propose(context) for context in batch]

    def observe(self, request_id: str, tokens: Sequence[int]) -> None:
        """The store does not grow from requests in flight."""

    def forget(self, request_id: str) -> None:
        """Nothing was kept."""

    def _propose(self, context: DraftContext) -> DraftTree:
        tree = DraftTree()
        recent = context.tokens[-self._longest :]
        match = self._store.longest_match(recent, self._shortest, self._longest)
        if match is None:
            return tree
        limit = min(context.max_depth, _SORTED_TOKENS - match.length)
        frontier: list[tuple[float, int, int, Match]] = [(-1.0, 0, ROOT, match)]
        while frontier and len(tree) < self._max_nodes:
            chance, depth, parent, at = heapq.heappop(frontier)
            if depth >= limit:
                continue
            for token, narrower in self._store.continuations(at, self._branches):
                # One more trial that failed: a single occurrence is no certainty.
                confidence = narrower.count / (at.count + 1)
                joint = -chance * confidence
                if joint < self._least_chance or len(tree) == self._max_nodes:
                    continue
                node = tree.add(token, parent, self.name, confidence)
                heapq.heappush(frontier, (-joint, depth + 1, node, narrower))
        return tree


def save_store(path: Path, answers: Sequence[Sequence[int]], vocab_size: int) -> None:
    """Write token sequences as a store file."""
    small = np.uint16 if vocab_size <= 2**16 else np.int32
    lengths = np.asarray([len(answer) for answer in answers], dtype=np.int32)
    flat = np.asarray([token for answer in answers for token in answer], dtype=small)
    save_file({"tokens": flat, "lengths": lengths, "vocab_size": np.asarray([vocab_size])}, path)


def load_store(path: Path, vocab_size: int) -> SuffixStore:
    """Read a store file made for a vocabulary of this size.

    Raises:
        ModelLoadError: missing, damaged, or made for another tokenizer.
    """
    try:
        arrays = load_file(path)
        tokens, lengths = arrays["tokens"], arrays["lengths"]
        made_for = int(arrays["vocab_size"][0])
    except (SafetensorError, OSError, KeyError, IndexError) as error:
        raise ModelLoadError(f"{path} is missing or no suffix store: {error}") from None
    if made_for != vocab_size:
        raise ModelLoadError(
            f"{path} was made for a vocabulary of {made_for}, but the target's has {vocab_size}"
        )
    if lengths.sum() != len(tokens) or (len(tokens) and not _within(tokens, vocab_size)):
        raise ModelLoadError(f"{path} is damaged: its lengths or tokens do not fit together")
    ends = np.cumsum(lengths)
    answers = (tokens[end - size : end].tolist() for end, size in zip(ends, lengths, strict=True))
    return SuffixStore(answers)


def _within(tokens: npt.NDArray[np.integer], vocab_size: int) -> bool:
    return bool(tokens.min() >= 0 and tokens.max() < vocab_size)


def _sort_suffixes(tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Start positions in the order of their suffixes, by prefix doubling (Manber, Myers 1990)."""
    count = len(tokens)
    if not count:
        return np.empty(0, dtype=np.int64)
    _, rank = np.unique(tokens, return_inverse=True)
    rank = rank.astype(np.int64) + 1  # 0 is the end of the store
    width = 1
    order = np.argsort(rank, kind="stable")
    while width < _SORTED_TOKENS:
        following = np.zeros(count, dtype=np.int64)
        following[: count - width] = rank[width:] if width < count else 0
        key = rank * (count + 1) + following
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        rank = np.empty(count, dtype=np.int64)
        rank[order] = np.cumsum(np.concatenate([[1], ordered[1:] != ordered[:-1]]))
        width *= 2
    return order
