"""How often the target agrees, given how the drafters stand to a token: logistic regressions that
are learned while running (Adagrad: Duchi, Hazan, Singer 2011)."""

from __future__ import annotations

import itertools
import math
from array import array

from specchat.engine.drafting.draft_tree import AGAINST, Opinions
from specchat.engine.policy.node_choice import log_odds, sigmoid

MOST_ASKED = 6
"""Drafters asked about one request: the number of regressions is three to the power of theirs."""

RATE = 0.5
FADING = 0.999  # of the squared gradients, at every step: what was learned long ago gives way
IDLE = 0.998  # of what was learned is left after each step without a trial: drafters change
LARGEST = 50.0  # weight that learning can come to
AGREED = (0.0, 1.0, 0.6, 0.45, 1 / 4, 1 / 5, 1 / 6)
"""Weight of each confidence at first, by how many propose."""


class Regressions:
    """Of every way in which some drafters can stand to a node, in the order of a number with a
    digit for each drafter, the first one's last: 0 silent, 1 against, 2 for.

    Each has the step up to which it has faded, whether anything was learned, a bias and a weight
    for each drafter, and the sums of their squared gradients, in one array that `cpp/merging.h`
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
