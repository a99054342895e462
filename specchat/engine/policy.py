"""How many draft nodes to verify: measured costs against calibrated chances.

Each step maximises expected tokens per millisecond, (B + sum of P) / (t(B + m) + d), over the m
most probable nodes of all requests' trees, where B is the number of decoding requests, P a node's
chance of being accepted, t the measured time of a step of that many rows and d what drafting and
the rest of the step cost. The empty tree is always a candidate. A request whose drafts do not pay
is decoded plainly and tried again later.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from specchat.engine.draft import ROOT, DraftTree

_SMOOTHING = 0.1
_ROWS = (*range(1, 17), 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 192, 256, 384, 512)


class StepCost:
    """Measured time of a step by its number of rows, apart for each backend.

    `place` tells which backend a step of so many rows would run on, and padded to how many;
    `prior_ms` what such a step took when the backend was made.
    """

    def __init__(
        self,
        place: Callable[[int], tuple[str, int]],
        prior_ms: Callable[[str, int], float | None],
    ) -> None:
        self._place = place
        self._prior_ms = prior_ms
        self._measured: dict[tuple[str, int], float] = {}

    def observe(self, rows: int, ms: float) -> None:
        """Take in a step's time. Outliers (a page fault, another process) count little."""
        key = self._key(rows)
        old = self._measured.get(key)
        if old is None:
            self._measured[key] = ms
        else:
            self._measured[key] = old + _SMOOTHING * (min(ms, 2 * old) - old)

    def step_ms(self, rows: int) -> float:
        """Expected time of a step of `rows` rows."""
        backend, size = self._key(rows)
        known = self._measured.get((backend, size))
        return self._interpolate(backend, size) if known is None else known

    def _key(self, rows: int) -> tuple[str, int]:
        backend, padded = self._place(rows)
        return backend, _ROWS[min(bisect.bisect_left(_ROWS, padded), len(_ROWS) - 1)]

    def _interpolate(self, backend: str, size: int) -> float:
        """From the measured sizes around; the prior's shape carries a single one further."""
        sizes = sorted(rows for kind, rows in self._measured if kind == backend)
        below = [s for s in sizes if s < size]
        above = [s for s in sizes if s > size]
        if below and above:
            low, high = below[-1], above[0]
            start, end = self._measured[backend, low], self._measured[backend, high]
            return start + (end - start) * (size - low) / (high - low)
        if not sizes:
            return self._prior(backend, size)
        near = below[-1] if below else above[0]
        ratio = self._prior(backend, size) / self._prior(backend, near)
        return self._measured[backend, near] * ratio

    def _prior(self, backend: str, size: int) -> float:
        return self._prior_ms(backend, size) or _guess_ms(size)


def _guess_ms(rows: int) -> float:
    return 4.0 + 0.15 * rows


class Calibration:
    """Chance that the target agrees with a draft node whose parent it agreed with, learned by
    source, by the drafter's own confidence, and apart for greedy and sampled requests."""

    BINS = 12
    PRIOR_TRIALS = 6.0
    MEMORY = 500.0  # trials after which old ones fade

    def __init__(self) -> None:
        self._counts: dict[tuple[str, bool, int], list[float]] = {}

    def chance(self, source: str, confidence: float, greedy: bool) -> float:
        """Calibrated probability in (0, 1)."""
        bin_ = min(int(confidence * self.BINS), self.BINS - 1)
        hits, trials = self._counts.get((source, greedy, bin_), (0.0, 0.0))
        prior = (bin_ + 0.5) / self.BINS
        return (hits + prior * self.PRIOR_TRIALS) / (trials + self.PRIOR_TRIALS)

    def observe(self, tree: DraftTree, accepted: Sequence[int], greedy: bool) -> None:
        """Learn from one verification: only nodes whose parent was accepted were tried."""
        path = {ROOT, *accepted}
        for node, parent in enumerate(tree.parents):
            if parent not in path:
                continue
            bin_ = min(int(tree.confidence[node] * self.BINS), self.BINS - 1)
            count = self._counts.setdefault((tree.sources[node], greedy, bin_), [0.0, 0.0])
            count[0] += node in path
            count[1] += 1.0
            if count[1] > self.MEMORY:
                count[0] *= 0.5
                count[1] *= 0.5


@dataclass(slots=True)
class Payoff:
    """Whether drafting pays for one request: milliseconds saved per step, and the pause after
    steps that lost."""

    saved_ms: float = 0.0  # exponential average
    steps: int = 0
    pause: int = 0  # plain steps to go before the next try
    length: int = 4  # of the next pause

    LONGEST = 64
    TRIALS = 16  # single steps vary widely; `Policy.choose` already expects a gain of each

    def allow(self) -> bool:
        """True when this step should draft; counts down a pause."""
        if self.pause:
            self.pause -= 1
            return False
        return True

    def observe(self, saved_ms: float) -> None:
        """Take in what a drafted step saved (or lost, negative)."""
        self.steps += 1
        self.saved_ms += (saved_ms - self.saved_ms) * max(0.05, 1 / self.steps)
        if self.steps >= self.TRIALS and self.saved_ms < 0:
            self.pause = self.length
            self.length = min(2 * self.length, self.LONGEST)
            self.steps = 0
            self.saved_ms = 0.0
        elif self.saved_ms > 0:
            self.length = 4


@dataclass(slots=True)
class Worth:
    """Whether asking one speculator pays, given what cheaper ones offer already: the average ratio
    of expected speed with and without it. A losing one is asked again now and then."""

    ratio: float = 1.0
    pause: int = 0
    length: int = 2  # of the next pause

    LONGEST = 32

    def allow(self) -> bool:
        """True when it should be asked in this step; counts down a pause."""
        if self.pause:
            self.pause -= 1
            return False
        return True

    def observe(self, ratio: float) -> None:
        """Take in the ratio of one step."""
        self.ratio += 0.25 * (ratio - self.ratio)
        if self.ratio < 1.0:
            self.pause = self.length
            self.length = min(2 * self.length, self.LONGEST)
        else:
            self.length = 2


@dataclass(frozen=True, slots=True)
class Choice:
    """The nodes to verify, and what is expected of them."""

    trees: list[DraftTree]
    tokens: float  # expected of the step, over all requests
    rate: float  # expected tokens per millisecond


@dataclass(slots=True)
class Policy:
    """Chooses the nodes of a step."""

    cost: StepCost
    max_nodes: int  # per request
    calibration: Calibration = field(default_factory=Calibration)
    overhead_ms: float = 0.3  # of a step outside the model, drafting left out; refined

    def choose(
        self,
        trees: Sequence[DraftTree],
        greedy: Sequence[bool],
        other_rows: int,
        draft_ms: float,
    ) -> Choice:
        """The part of each tree worth verifying in a step that also has `other_rows` rows of
        prefill. `trees` holds one, possibly empty, tree per decoding request."""
        requests, base_rows = len(trees), len(trees) + other_rows
        fixed_ms = self.overhead_ms + draft_ms
        plain_rate = requests / (self.cost.step_ms(base_rows) + fixed_ms)
        if not any(map(len, trees)):
            return Choice(list(trees), float(requests), plain_rate)
        chances = [self._chances(tree, flag) for tree, flag in zip(trees, greedy, strict=True)]
        ranked = sorted(
            ((chance, r, node) for r, row in enumerate(chances) for node, chance in enumerate(row)),
            key=lambda item: (-item[0], item[1], item[2]),
        )
        best_tokens = expected = float(requests)
        best_rate, best_count, count = plain_rate, 0, 0
        room = [self.max_nodes] * requests
        chosen: list[tuple[int, int]] = []
        for chance, r, node in ranked:
            if not room[r]:
                continue
            room[r] -= 1
            chosen.append((r, node))
            count += 1
            expected += chance
            rate = expected / (self.cost.step_ms(base_rows + count) + fixed_ms)
            if rate > best_rate:
                best_rate, best_tokens, best_count = rate, expected, count
        kept: list[list[int]] = [[] for _ in trees]
        for r, node in chosen[:best_count]:
            kept[r].append(node)
        selected = [
            tree if len(nodes) == len(tree) else tree.select(nodes)
            for tree, nodes in zip(trees, kept, strict=True)
        ]
        return Choice(selected, best_tokens, best_rate)

    def _chances(self, tree: DraftTree, greedy: bool) -> list[float]:
        """Chance of each node's whole path."""
        out: list[float] = []
        for node, parent in enumerate(tree.parents):
            own = self.calibration.chance(tree.sources[node], tree.confidence[node], greedy)
            out.append(own if parent == ROOT else own * out[parent])
        return out
