"""How often the target agrees with drafters that are as sure as they say.

A logistic regression for each way in which the drafters that were asked can stand to a node,
learned while running (Adagrad: Duchi, Hazan, Singer 2011). What the second drafter says of a place
tells more than the first one's confidence: a token that both propose, one that the other
contradicts, and one of which the other knows nothing are three different things (stacking: Wolpert
1992). `cpp/merging.h` computes with what is kept here: a node's log-odds are a bias, and a weight
times the log-odds claimed by each drafter that proposes it.
"""

from __future__ import annotations

import itertools
from array import array

MOST_ASKED = 6
"""Drafters asked about one request: the number of regressions is three to the power of theirs."""

RATE = 0.5
FADING = 0.999  # of the squared gradients, at every step: what was learned long ago gives way
IDLE = 0.998  # of what was learned is left after each step without a trial: drafters change
LARGEST = 50.0  # weight that learning can come to
AGREED = (0.0, 1.0, 0.6, 0.45, 1 / 4, 1 / 5, 1 / 6)
"""Weight of each confidence at first, by how many propose."""


class Calibration:
    """What was learned, apart for each set of drafters that was asked, and for greedy and sampled
    requests.

    Steps that pass without a trial lead a regression back to where it began, or a drafter that was
    wrong once would never be tried again.
    """

    def __init__(self) -> None:
        self._tables: dict[tuple[tuple[str, ...], bool], array[float]] = {}
        self.step = 0
        self._constants = array("d", [RATE, FADING, IDLE, LARGEST, *AGREED])

    @property
    def constants(self) -> int:
        """Address of `Learning` in `cpp/merging.h`."""
        return self._constants.buffer_info()[0]

    def begin_step(self) -> None:
        """Another step of the engine."""
        self.step += 1

    def table(self, drafters: tuple[str, ...], greedy: bool) -> int:
        """Address of the regressions where these were asked, in alphabetical order, at most
        `MOST_ASKED`; the same as long as this object lives."""
        known = self._tables.get((drafters, greedy))
        if known is None:
            known = self._tables[drafters, greedy] = _regressions(len(drafters))
        return known.buffer_info()[0]


def _regressions(drafters: int) -> array[float]:
    """Of every way in which so many can stand to a node, in the order of a number with a digit for
    each drafter, the first one's last: 0 silent, 1 against, 2 for.

    Each has the step up to which it has faded, whether anything was learned, a bias and a weight
    for each drafter, and the sums of their squared gradients.
    """
    rows = array("d")
    for digits in itertools.product((0, 1, 2), repeat=drafters):
        weight = AGREED[digits.count(2)]
        first = [weight if digit == 2 else 0.0 for digit in reversed(digits)]
        rows.extend([0.0, 0.0, 0.0, *first, *[1.0] * (1 + drafters)])
    return rows
