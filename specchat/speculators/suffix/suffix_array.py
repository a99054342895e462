"""Sorted suffixes of token sequences, and what follows in them on the latest tokens.

After SuffixDecoding (Oliaro et al. 2024, arXiv 2411.04975), with suffix arrays (Manber, Myers 1990)
for its trees, and with shorter matches that occur more often blended in, as prediction by partial
matching does (Cleary, Witten 1984). `cpp/suffix.h` computes the same, far faster; this is used
where it cannot be built, and is what it is tested against.
"""

from __future__ import annotations

import bisect
import ctypes
import heapq
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from specchat.engine.options import USUAL_NODES

SORTED_TOKENS = 48
"""Suffixes are sorted by this many tokens; a match and its draft never compare more."""

MOST_BLENDED = 4
"""Matches beside the longest."""

Tokens = Sequence[int] | npt.NDArray[np.int32]
"""A sequence of token ids."""

_END = -1
_EULER = 0.5772


@dataclass(frozen=True, slots=True)
class SuffixOptions:
    """How drafts are made."""

    longest: int = 24  # tokens of a match
    shortest: int = 1
    often: tuple[int, ...] = (3, 10)  # what occurrences of each match beside the longest weigh
    most_nodes: int = USUAL_NODES
    branches: int = 2
    least_chance: float = 0.2  # of a node's whole path
    doubt: float = 0.1  # occurrences of something else, added to those of a match
    sampled_doubt: float = 0.3  # the same where the target samples

    def __post_init__(self) -> None:
        if self.doubt <= 0 or self.sampled_doubt <= 0:
            raise ValueError(
                f"what is doubted must be above 0, got {self.doubt}, {self.sampled_doubt}"
            )
        if len(self.often) > MOST_BLENDED or list(self.often) != sorted(self.often):
            raise ValueError(
                f"often must be at most {MOST_BLENDED} rising counts, got {self.often}"
            )
        if not 1 <= self.shortest <= self.longest < SORTED_TOKENS:
            raise ValueError(
                f"1 <= shortest <= longest < {SORTED_TOKENS} must hold, "
                f"got {self.shortest}, {self.longest}"
            )


@dataclass(slots=True)
class Nodes:
    """Drafted tokens, parents (-1: the context) before children, and chances given the parent."""

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)  # 1 for what follows the context
    chances: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SuffixArray:
    """Sequences end to end, each with a negative number behind it, and their sorted suffixes."""

    tokens: npt.NDArray[np.int32]
    order: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int32]  # place of the first suffix that starts with a token or above

    @classmethod
    def build(cls, sequences: Iterable[Tokens], library: ctypes.CDLL | None = None) -> SuffixArray:
        """Sort; natively where the library is given."""
        end = np.full(1, _END, dtype=np.int32)
        pieces = [np.empty(0, dtype=np.int32)]
        for sequence in sequences:
            pieces += [np.asarray(sequence, dtype=np.int32), end]
        tokens = np.concatenate(pieces)
        if library is None:
            order = _sort(tokens)
        else:
            order = np.empty(len(tokens), dtype=np.int32)
            library.sort_suffixes(tokens.ctypes.data, len(tokens), SORTED_TOKENS, order.ctypes.data)
        every = np.arange(tokens.max(initial=_END) + 2)
        starts = np.searchsorted(tokens[order], every).astype(np.int32)
        return cls(tokens, order, starts)

    @property
    def vocab(self) -> int:
        """One more than the largest token."""
        return len(self.starts) - 1

    def __len__(self) -> int:
        return len(self.tokens)

    def split(self) -> Iterator[list[int]]:
        """The sequences as they were given."""
        ends = np.flatnonzero(self.tokens == _END)
        for start, end in zip([0, *(ends[:-1] + 1).tolist()], ends.tolist(), strict=False):
            yield self.tokens[start:end].tolist()

    def find(self, pattern: Sequence[int]) -> range:
        """Places of the order whose suffixes start with `pattern`."""
        found = range(len(self.order))
        for depth, token in enumerate(pattern):
            found = self.narrow(found, depth, token)
        return found

    def narrow(self, found: range, depth: int, token: int) -> range:
        """Those of `found`, which agree on `depth` tokens, that go on with `token`."""

        def key(place: int) -> int:
            return self._at(place, depth)

        low = bisect.bisect_left(found, token, key=key)
        high = bisect.bisect_right(found, token, lo=low, key=key)
        return found[low:high]

    def following(self, found: range, depth: int) -> Iterator[tuple[int, int]]:
        """Next tokens of `found`, which agree on `depth` tokens, and how often each comes."""
        while len(found):
            token = self._at(found[0], depth)
            same = self.narrow(found, depth, token)
            if token != _END:
                yield token, len(same)
            found = found[len(same) :]

    def _at(self, place: int, depth: int) -> int:
        index = int(self.order[place]) + depth
        return int(self.tokens[index]) if index < len(self.tokens) else _END


@dataclass(frozen=True, slots=True)
class _Match:
    """A suffix of the context, and what each of its occurrences counts beside its part's weight."""

    length: int
    scale: float
    found: list[range]  # in each part


@dataclass(order=True, slots=True)
class _Candidate:
    sort_key: float
    number: int
    chance: float = field(compare=False)
    depth: int = field(compare=False)
    node: int = field(compare=False)
    found: list[list[range]] = field(compare=False)  # of each match


def draft(
    parts: Sequence[SuffixArray],
    weights: Sequence[float],
    context: Sequence[int],
    options: SuffixOptions,
    most_depth: int,
    noise: torch.Tensor | None = None,
    temperature: float = 1.0,
) -> Nodes:
    """The most probable ways to go on after the longest suffix of `context` that occurs in any
    part, and after shorter ones that occur more often. An occurrence of the longest one counts as
    much as its part's weight, all of another match together as one. With `noise` [depths, vocab]
    chances are those of being the largest after log p / temperature + noise."""
    matches = _matches(parts, weights, context, options)
    nodes = Nodes()
    if not matches:
        return nodes
    deepest = min(most_depth, SORTED_TOKENS - matches[0].length)
    if noise is not None:
        deepest = min(deepest, len(noise))
    doubt = options.doubt if noise is None else options.sampled_doubt
    numbers = itertools.count()
    heap = [_Candidate(-1.0, next(numbers), 1.0, 0, -1, [match.found for match in matches])]
    while heap and len(nodes.tokens) < options.most_nodes:
        here = heapq.heappop(heap)
        if here.depth >= deepest:
            continue
        total, counts = doubt, dict[int, float]()
        for match, found in zip(matches, here.found, strict=True):
            for part, weight, places in zip(parts, weights, found, strict=True):
                total += match.scale * weight * len(places)
                for token, count in part.following(places, match.length + here.depth):
                    counts[token] = counts.get(token, 0.0) + match.scale * weight * count
        row = None if noise is None else noise[here.depth]
        for token, chance in _ranked(counts, total, options.branches, row, temperature):
            joint = chance * here.chance
            if joint < options.least_chance or len(nodes.tokens) == options.most_nodes:
                break
            narrower = [
                [
                    part.narrow(places, match.length + here.depth, token)
                    for part, places in zip(parts, found, strict=True)
                ]
                for match, found in zip(matches, here.found, strict=True)
            ]
            nodes.tokens.append(token)
            nodes.parents.append(here.node)
            nodes.depths.append(here.depth + 1)
            nodes.chances.append(chance)
            number = next(numbers)
            heapq.heappush(
                heap,
                _Candidate(-joint, number, joint, here.depth + 1, len(nodes.tokens) - 1, narrower),
            )
    return nodes


def frequent_tokens(sequences: Iterable[Tokens], share: float) -> list[int]:
    """The fewest tokens that make up this share of all; none where there are none."""
    pieces = [np.asarray(sequence, dtype=np.int64) for sequence in sequences]
    counts = np.bincount(np.concatenate([np.empty(0, dtype=np.int64), *pieces]))
    ranked = np.argsort(-counts, kind="stable")
    reached = np.cumsum(counts[ranked])
    needed = int(np.searchsorted(reached, share * counts.sum())) + 1
    return sorted(ranked[:needed].tolist()) if counts.any() else []


def _matches(
    parts: Sequence[SuffixArray],
    weights: Sequence[float],
    context: Sequence[int],
    options: SuffixOptions,
) -> list[_Match]:
    """The longest match, then the longest ones that occur at least as often as they have to."""
    matches: list[_Match] = []
    most, weight = min(options.longest, len(context)), 0.0
    for often in (0, *options.often):
        if matches and weight >= often:
            continue
        length, found = 0, [range(0)] * len(parts)
        low, high = options.shortest, most
        while low <= high:  # a shorter suffix occurs wherever a longer one does
            size = (low + high) // 2
            tried = [part.find(context[-size:]) for part in parts]
            total = sum(w * len(places) for w, places in zip(weights, tried, strict=True))
            if total >= often and total:
                length, found, weight, low = size, tried, total, size + 1
            else:
                high = size - 1
        if not length:
            break
        matches.append(_Match(length, 1.0 / weight if matches else 1.0, found))
        most = length - 1
    return matches


def _ranked(
    counts: dict[int, float],
    total: float,
    branches: int,
    noise: torch.Tensor | None,
    temperature: float,
) -> list[tuple[int, float]]:
    """The best next tokens, each with its chance; `total` counts what was never seen too."""
    if noise is not None and counts:
        rest = total - sum(counts.values())
        scores = {t: math.log(c / total) / temperature + float(noise[t]) for t, c in counts.items()}
        # What was never seen: as one token with the noise of an average one.
        unseen = math.log(rest / total) / temperature + _EULER
        most = max(unseen, *scores.values())
        counts = {token: math.exp(score - most) for token, score in scores.items()}
        total = sum(counts.values()) + math.exp(unseen - most)
    best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:branches]
    return [(token, count / total) for token, count in best]


def _sort(tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Suffixes in the order of their first SORTED_TOKENS tokens or more, up to the first end, by
    prefix doubling; equal ones by their place."""
    count = len(tokens)
    if not count:
        return np.empty(0, dtype=np.int32)
    _, rank = np.unique(tokens, return_inverse=True)
    rank = rank.astype(np.int64)  # ends have the smallest, 0
    over = np.flatnonzero(tokens == _END)
    width = 1
    order = np.argsort(rank, kind="stable")
    while width < SORTED_TOKENS:
        following = np.zeros(count, dtype=np.int64)
        following[: max(0, count - width)] = rank[width:]
        # Nothing counts behind an end.
        next_end = over[np.searchsorted(over, np.arange(count))]
        following[next_end - np.arange(count) < width] = 0
        key = rank * (count + 1) + following
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        rank = np.empty(count, dtype=np.int64)
        rank[order] = np.cumsum(np.concatenate([[0], ordered[1:] != ordered[:-1]]))
        width *= 2
    return order.astype(np.int32)
