"""How often the target agrees, given how the drafters stand to a token: logistic regressions that
are learned while running (Adagrad: Duchi, Hazan, Singer 2011)."""

from __future__ import annotations

import itertools
import math
from array import array
from dataclasses import dataclass

from specchat.engine.drafting.draft_tree import AGAINST, Opinions
from specchat.engine.policy.node_choice import log_odds, sigmoid

Stand = tuple[tuple[str, int], ...]
"""Each drafter that was asked, and whether it proposes the node's token (1), others at its place
(-1) or nothing there (0)."""

MOST_ASKED = 6
"""Drafters asked about one request: the number of regressions is three to the power of theirs."""

RATE = 0.5
FADING = 0.999  # of the squared gradients, at every step: what was learned long ago gives way
IDLE = 0.998  # of what was learned is left after each step without a trial: drafters change
LARGEST = 50.0  # weight that learning can come to
AGREED = (0.0, 1.0, 0.6, 0.45, 1 / 4, 1 / 5, 1 / 6)
"""Weight of each confidence at first, by how many propose."""

_DIGITS = {0: 0, -1: 1, 1: 2}


@dataclass(frozen=True, slots=True)
class Learned:
    """The regression of one stand: log-odds = weights[0] + weights[1:] . log-odds claimed."""

    stand: Stand
    greedy: bool
    weights: tuple[float, ...]  # the bias, then one for each drafter that proposed, in order
    squares: tuple[float, ...]  # sums of squared gradients

    @property
    def drafters(self) -> tuple[str, ...]:
        return tuple([name for name, _ in self.stand])

    def check(self) -> None:
        """Raise ValueError for what no learning can have led to."""
        count = 1 + sum(said == 1 for _, said in self.stand)
        numbers = (*self.weights, *self.squares)
        sound = all(math.isfinite(n) and abs(n) <= 1e6 for n in numbers)
        sound = sound and all(abs(weight) <= LARGEST for weight in self.weights)
        if len(numbers) != 2 * count or not sound or min(self.squares) <= 0 or count == 1:
            raise ValueError(f"no regression of {self.stand}: {self.weights}, {self.squares}")
        drafters = self.drafters
        known = all(said in _DIGITS for _, said in self.stand)
        if not known or len(drafters) > MOST_ASKED or list(drafters) != sorted(set(drafters)):
            raise ValueError(f"no drafters' stand: {self.stand}")


class Regressions:
    """Of every way in which some drafters can stand to a node, in the order of a number with a
    digit for each drafter, the first one's last: 0 silent, 1 against, 2 for.

    Each has the step up to which it has faded, whether anything was learned, a bias and a weight
    for each drafter, and the sums of their squared gradients, in one array that `cpp/offers.h`
    reads and writes too. Steps that pass without a trial lead a regression back to where it began,
    or a drafter that was wrong once would never be tried again.
    """

    __slots__ = ("_columns", "_rows", "_squares", "address", "drafters")

    def __init__(self, drafters: tuple[str, ...]) -> None:
        """`drafters` in alphabetical order, at most `MOST_ASKED`."""
        self.drafters = drafters
        inputs = 1 + len(drafters)
        self._squares = 2 + inputs  # where they begin
        self._columns = 2 + 2 * inputs
        self._rows = array("d")
        for digits in itertools.product((0, 1, 2), repeat=len(drafters)):
            weight = AGREED[digits.count(2)]
            first = [weight if digit == 2 else 0.0 for digit in reversed(digits)]
            self._rows.extend([0.0, 0.0, 0.0, *first, *[1.0] * inputs])
        self.address = self._rows.buffer_info()[0]

    def chance(self, opinions: Opinions, step: int) -> float:
        """Probability in (0, 1) that the target agrees, as it seems in a step."""
        at, claims = self._faded(opinions, step)
        return sigmoid(self._odds(at, claims))

    def learn(self, opinions: Opinions, hit: bool, step: int) -> None:
        """Take in whether the target agreed. It fades from the step after the next one on."""
        at, claims = self._faded(opinions, step)
        off = sigmoid(self._odds(at, claims)) - hit
        rows = self._rows
        for place, claim in ((0, 1.0), *claims):
            weight, square = at + 2 + place, at + self._squares + place
            gradient = off * claim
            rows[square] = FADING * rows[square] + gradient * gradient
            moved = rows[weight] - RATE * gradient / math.sqrt(rows[square])
            rows[weight] = max(-LARGEST, min(LARGEST, moved))
        rows[at], rows[at + 1] = step + 1, 1.0

    def learned(self, greedy: bool) -> list[Learned]:
        """Those that something was learned of."""
        found = []
        for at in range(0, len(self._rows), self._columns):
            if not self._rows[at + 1]:
                continue
            code = at // self._columns
            digits = [code // 3**i % 3 for i in range(len(self.drafters))]
            stands = [(0, -1, 1)[digit] for digit in digits]
            weights, squares = zip(*self._columns_of(at, stands), strict=True)
            own = tuple(zip(self.drafters, stands, strict=True))
            found.append(
                Learned(
                    own,
                    greedy,
                    tuple([self._rows[i] for i in weights]),
                    tuple([self._rows[i] for i in squares]),
                )
            )
        return found

    def restore(self, learned: Learned, step: int) -> None:
        """Set one of them to what was learned before."""
        stands = [said for _, said in learned.stand]
        at = self._columns * sum([_DIGITS[said] * 3**i for i, said in enumerate(stands)])
        places = self._columns_of(at, stands)
        for (weight, square), *values in zip(places, learned.weights, learned.squares, strict=True):
            self._rows[weight], self._rows[square] = values
        self._rows[at], self._rows[at + 1] = step, 1.0

    def _columns_of(self, at: int, stands: list[int]) -> list[tuple[int, int]]:
        """Where the weight and the squares of the bias and of each that proposes are."""
        places = [0, *[place for place, said in enumerate(stands, 1) if said == 1]]
        return [(at + 2 + place, at + self._squares + place) for place in places]

    def _odds(self, at: int, claims: list[tuple[int, float]]) -> float:
        rows = self._rows
        return rows[at + 2] + sum([rows[at + 2 + place] * claim for place, claim in claims])

    def _faded(self, opinions: Opinions, step: int) -> tuple[int, list[tuple[int, float]]]:
        """Where the regression of these opinions begins, faded up to a step, and what the drafters
        claim: their place among its weights, and the log-odds."""
        code, digit = 0, 1
        claims: list[tuple[int, float]] = []
        for place, (_, said) in enumerate(opinions, 1):
            if said >= 0.0:
                claims.append((place, log_odds(said)))
                code += 2 * digit
            elif said == AGAINST:
                code += digit
            digit *= 3
        at, rows = code * self._columns, self._rows
        idle = step - rows[at]
        if rows[at + 1] and idle > 0:
            left, first = IDLE**idle, AGREED[len(claims)]
            for place, prior in ((0, 0.0), *[(place, first) for place, _ in claims]):
                weight, square = at + 2 + place, at + self._squares + place
                rows[weight] = prior + left * (rows[weight] - prior)
                rows[square] = 1.0 + left * (rows[square] - 1.0)
            rows[at] = step
        return at, claims
