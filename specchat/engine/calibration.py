"""How often the target agrees with drafters that are as sure as they say.

A logistic regression for each way drafters can stand to a node, learned while running (Adagrad:
Duchi, Hazan, Singer 2011). What the second drafter says of a place tells more than the first one's
confidence: a token that both propose, one that the other contradicts, and one that only one of them
was asked about are three different things (stacking: Wolpert 1992).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specchat.engine.choosing import Claims, log_odds, path_chances, sigmoid
from specchat.engine.draft import AGAINST, ROOT, DraftTree, Opinions

Stand = tuple[tuple[str, int], ...]
"""Each drafter, and whether it proposes the node's token (1), others at its place (-1) or nothing
there (0)."""

NOTHING = Claims((), 0.0, math.nan)
"""Of an empty tree."""

_RATE = 0.5
_FADING = 0.999  # of the squared gradients, at every step: what was learned long ago gives way
_IDLE = 0.998  # of what was learned is left after each step without a trial: drafters change
_LARGEST = 50.0  # weight that learning can come to
_AGREED = {1: 1.0, 2: 0.6, 3: 0.45}  # weight of each confidence at first, by how many propose


@dataclass(frozen=True, slots=True)
class Learned:
    """The regression of one stand: log-odds = weights[0] + weights[1:] . log-odds claimed."""

    stand: Stand
    greedy: bool
    weights: tuple[float, ...]  # the bias, then one for each drafter that proposed, in order
    squares: tuple[float, ...]  # sums of squared gradients

    def check(self) -> None:
        """Raise ValueError for numbers that no learning can have led to."""
        count = 1 + sum(said == 1 for _, said in self.stand)
        numbers = (*self.weights, *self.squares)
        sound = all(math.isfinite(n) and abs(n) <= 1e6 for n in numbers)
        sound = sound and all(abs(weight) <= _LARGEST for weight in self.weights)
        if len(numbers) != 2 * count or not sound or min(self.squares) <= 0 or count == 1:
            raise ValueError(f"no regression of {self.stand}: {self.weights}, {self.squares}")


class _Regression:
    """Of one stand. Steps that pass without a trial lead it back to where it began, or a drafter
    that was wrong once would never be tried again."""

    __slots__ = ("prior", "squares", "step", "weights")

    def __init__(self, proposing: int, step: int) -> None:
        self.prior = [0.0, *[_AGREED.get(proposing, 1 / proposing)] * proposing]
        self.weights = list(self.prior)
        self.squares = [1.0] * (1 + proposing)
        self.step = step  # up to which what was learned has faded

    def at(self, step: int) -> _Regression:
        """Itself, after fading up to a step."""
        idle = step - self.step
        if idle > 0:
            left = _IDLE**idle
            for i, prior in enumerate(self.prior):
                self.weights[i] = prior + left * (self.weights[i] - prior)
                self.squares[i] = 1.0 + left * (self.squares[i] - 1.0)
            self.step = step
        return self

    def chance(self, claims: Sequence[float]) -> float:
        total = self.weights[0]
        for weight, claim in zip(self.weights[1:], claims, strict=True):
            total += weight * claim
        return sigmoid(total)

    def learn(self, claims: Sequence[float], hit: bool) -> None:
        off = self.chance(claims) - hit
        for i, claim in enumerate((1.0, *claims)):
            gradient = off * claim
            self.squares[i] = _FADING * self.squares[i] + gradient * gradient
            moved = self.weights[i] - _RATE * gradient / math.sqrt(self.squares[i])
            self.weights[i] = max(-_LARGEST, min(_LARGEST, moved))

    def learn_one(self, claim: float, hit: bool) -> None:
        """The same where one drafter proposes, which is the rule."""
        bias, slope = self.weights
        off = sigmoid(bias + slope * claim) - hit
        gradient = off * claim
        squares = self.squares
        squares[0] = flat = _FADING * squares[0] + off * off
        squares[1] = steep = _FADING * squares[1] + gradient * gradient
        bias -= _RATE * off / math.sqrt(flat)
        slope -= _RATE * gradient / math.sqrt(steep)
        self.weights[0] = max(-_LARGEST, min(_LARGEST, bias))
        self.weights[1] = max(-_LARGEST, min(_LARGEST, slope))


class Calibration:
    """Chance that the target agrees with a draft node whose parent it agreed with, apart for greedy
    and sampled requests."""

    def __init__(self) -> None:
        self._known: dict[tuple[Stand, bool], _Regression] = {}
        self._step = 0

    def begin_step(self) -> None:
        """Another step of the engine."""
        self._step += 1

    def chance(self, opinions: Opinions, greedy: bool) -> float:
        """Calibrated probability in (0, 1) of a node of which the drafters say this."""
        claims = _claims(opinions)
        return self._of(_stand(opinions), greedy, len(claims)).chance(claims)

    def path_chances(self, tree: DraftTree, greedy: bool) -> list[float]:
        """Of each node: that it and all its ancestors are accepted."""
        return path_chances(tree, self.claims(tree, greedy))

    def claims(self, tree: DraftTree, greedy: bool) -> Claims:
        """What is said of a tree's nodes, apart from their ancestors."""
        sources = tree.sources
        if not sources:
            return NOTHING
        if tree.opinions:
            return Claims([self.chance(each, greedy) for each in tree.opinions], 0.0, math.nan)
        if sources.count(sources[0]) == len(sources):
            bias, slope = self._of(((sources[0], 1),), greedy, 1).weights
            return Claims(tree.confidence, bias, slope)
        opinions = map(tree.opinions_of, range(len(sources)))
        return Claims([self.chance(each, greedy) for each in opinions], 0.0, math.nan)

    def observe(self, tree: DraftTree, tokens: Sequence[int], greedy: bool) -> None:
        """Learn from what the target chose from the tree's root on, of all nodes that this tells
        something about, whether they were verified or not."""
        reached = {ROOT: 0}  # nodes that the target chose, and the tokens up to them
        for node, parent in enumerate(tree.parents):
            known = reached.get(parent)
            if known is None or known == len(tokens):
                continue
            hit = tree.tokens[node] == tokens[known]
            if hit:
                reached[node] = known + 1
            if not tree.opinions:
                self._learn_alone(tree.sources[node], tree.confidence[node], greedy, hit)
                continue
            opinions = tree.opinions[node]
            claims = _claims(opinions)
            self._kept(_stand(opinions), greedy, len(claims)).learn(claims, hit)
            if len(opinions) > 1:  # what each alone would have been worth
                for source, said in opinions:
                    if said >= 0.0:
                        self._learn_alone(source, said, greedy, hit)

    def _learn_alone(self, source: str, confidence: float, greedy: bool, hit: bool) -> None:
        self._kept(((source, 1),), greedy, 1).learn_one(log_odds(confidence), hit)

    def _kept(self, stand: Stand, greedy: bool, proposing: int) -> _Regression:
        """A regression that is learned from now, and fades from the step after this one on."""
        known = self._of(stand, greedy, proposing)
        known.step = self._step + 1
        return self._known.setdefault((stand, greedy), known)

    def learned(self) -> list[Learned]:
        """What was learned so far."""
        return [
            Learned(stand, greedy, tuple(known.weights), tuple(known.squares))
            for (stand, greedy), known in self._known.items()
        ]

    def restore(self, learned: Iterable[Learned]) -> None:
        """Begin with what was learned before.

        Raises:
            ValueError: numbers that no learning can have led to.
        """
        learned = list(learned)
        for each in learned:
            each.check()
        for each in learned:
            proposing = len(each.weights) - 1
            known = self._known[each.stand, each.greedy] = _Regression(proposing, self._step)
            known.weights, known.squares = list(each.weights), list(each.squares)

    def _of(self, stand: Stand, greedy: bool, proposing: int) -> _Regression:
        known = self._known.get((stand, greedy))
        return known.at(self._step) if known else _Regression(proposing, self._step)


def _claims(opinions: Opinions) -> list[float]:
    return [log_odds(said) for _, said in opinions if said >= 0.0]


def _stand(opinions: Opinions) -> Stand:
    return tuple([(s, 1 if said >= 0.0 else -1 if said == AGAINST else 0) for s, said in opinions])
