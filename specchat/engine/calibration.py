"""How often the target agrees with a drafter that is as sure as it says."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specchat.engine.draft import ROOT, DraftTree

_EDGES = (
    0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.86, 0.9, 0.93, 0.95, 0.965, 0.98,
    0.99, 0.995,
)  # fmt: skip
"""Bounds of the bins of confidence; closer where long candidates are decided."""

_MIDDLES = tuple((low + high) / 2 for low, high in zip((0.0, *_EDGES), (*_EDGES, 1.0), strict=True))


@dataclass(frozen=True, slots=True)
class Counts:
    """How often nodes of one source were tried and agreed with, by bin of confidence."""

    source: str
    greedy: bool
    hits: tuple[float, ...]
    trials: tuple[float, ...]

    def check(self) -> None:
        """Raise ValueError unless 0 <= hits <= trials holds in each of the bins."""
        pairs = list(zip(self.hits, self.trials, strict=True))
        sound = all(0 <= hits <= trials <= Calibration.MEMORY + 1 for hits, trials in pairs)
        if len(pairs) != len(_MIDDLES) or not sound:
            raise ValueError(f"no counts of {len(_MIDDLES)} bins: {self.hits}, {self.trials}")


class Calibration:
    """Chance that the target agrees with a draft node whose parent it agreed with, learned by
    source, by the drafter's own confidence, and apart for greedy and sampled requests."""

    PRIOR_TRIALS = 6.0
    MEMORY = 500.0  # trials after which old ones fade

    def __init__(self) -> None:
        self._hits: dict[tuple[str, bool], list[float]] = {}
        self._trials: dict[tuple[str, bool], list[float]] = {}
        self._chances: dict[tuple[str, bool], list[float]] = {}

    def chance(self, source: str, confidence: float, greedy: bool) -> float:
        """Calibrated probability in (0, 1)."""
        known = self._chances.get((source, greedy), _MIDDLES)
        return known[bisect.bisect_right(_EDGES, confidence)]

    def path_chances(self, tree: DraftTree, greedy: bool) -> list[float]:
        """Of each node: that it and all its ancestors are accepted.

        Siblings exclude each other, so where drafters disagree and both are sure, each is believed
        less.
        """
        known = {
            source: self._chances.get((source, greedy), _MIDDLES) for source in set(tree.sources)
        }
        own = [
            known[source][bisect.bisect_right(_EDGES, confidence)]
            for source, confidence in zip(tree.sources, tree.confidence, strict=True)
        ]
        claimed: dict[int, float] = {}
        for parent, chance in zip(tree.parents, own, strict=True):
            claimed[parent] = claimed.get(parent, 0.0) + chance
        out: list[float] = []
        for parent, chance in zip(tree.parents, own, strict=True):
            if claimed[parent] > 1.0:
                chance /= claimed[parent]
            out.append(chance if parent == ROOT else chance * out[parent])
        return out

    def observe(self, tree: DraftTree, accepted: Sequence[int], greedy: bool) -> None:
        """Learn from one verification: only nodes whose parent was accepted were tried."""
        path = {ROOT, *accepted}
        for node, parent in enumerate(tree.parents):
            if parent in path:
                self._count(tree.sources[node], greedy, tree.confidence[node], node in path)

    def _count(self, source: str, greedy: bool, confidence: float, hit: bool) -> None:
        key, place = (source, greedy), bisect.bisect_right(_EDGES, confidence)
        if key not in self._chances:
            self._hits[key] = [0.0] * len(_MIDDLES)
            self._trials[key] = [0.0] * len(_MIDDLES)
            self._chances[key] = list(_MIDDLES)
        hits, trials = self._hits[key], self._trials[key]
        hits[place] += hit
        trials[place] += 1.0
        self._chances[key][place] = self._estimate(key, place)
        if trials[place] > self.MEMORY:
            hits[place] *= 0.5
            trials[place] *= 0.5

    def _estimate(self, key: tuple[str, bool], place: int) -> float:
        hits, trials = self._hits[key][place], self._trials[key][place]
        return (hits + _MIDDLES[place] * self.PRIOR_TRIALS) / (trials + self.PRIOR_TRIALS)

    def counts(self) -> list[Counts]:
        """What was learned so far."""
        return [
            Counts(source, greedy, tuple(hits), tuple(self._trials[source, greedy]))
            for (source, greedy), hits in self._hits.items()
        ]

    def restore(self, learned: Iterable[Counts]) -> None:
        """Begin with what was learned before.

        Raises:
            ValueError: counts that no verification can have led to.
        """
        learned = list(learned)
        for counts in learned:
            counts.check()
        for counts in learned:
            key = counts.source, counts.greedy
            self._hits[key], self._trials[key] = list(counts.hits), list(counts.trials)
            self._chances[key] = [self._estimate(key, place) for place in range(len(_MIDDLES))]
