"""Whom to ask for drafts: what asking brought lately, measured.

The cheapest speculator is asked first; each only where it has paid on top of what the ones before
it offer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from specchat.engine.drafting.speculator import Speculator
from specchat.engine.policy.calibration import MOST_ASKED
from specchat.engine.policy.profitability import AskCost, Worth


class Outlook(NamedTuple):
    """What is expected of a step."""

    requests: int  # that decode
    tokens: float  # over all of them
    prompt_rows: int
    ms: float

    @property
    def rate(self) -> float:
        """Expected tokens and prompt rows per millisecond."""
        return (self.tokens + self.prompt_rows) / self.ms


class Asking:
    """What is known of all speculators."""

    def __init__(self) -> None:
        # By speculator and requests asked for, in powers of two.
        self._costs: defaultdict[tuple[str, int], AskCost] = defaultdict(AskCost)
        self._worth: defaultdict[tuple[str, int, int, bool], Worth] = defaultdict(Worth)

    def begin(self, plain: Outlook, greedy: bool) -> Round:
        """A step that is expected to bring so much without drafts; `greedy`: all requests are."""
        return Round(self, greedy, plain, plain.ms)

    def cost(self, name: str, requests: int) -> float:
        """Average milliseconds of asking for so many; 0 before the first time."""
        return self._costs[name, requests.bit_length()].ms

    def spent(self, name: str, requests: int, ms: float) -> None:
        """Count what it took to ask a speculator and to look at what it said."""
        self._costs[name, requests.bit_length()].observe(ms)

    def worth(self, name: str, outlook: Outlook, greedy: bool) -> Worth:
        """Of a speculator, by how many tokens a request may expect without it."""
        requests = outlook.requests
        return self._worth[name, min(int(outlook.tokens / requests), 8), requests, greedy]


@dataclass(slots=True)
class Round:
    """One step's asking."""

    _asking: Asking
    _greedy: bool
    _outlook: Outlook  # with the drafts so far
    _plain_ms: float  # of a step without any
    lineup: tuple[str, ...] = ()  # who was asked so far

    CHEAP = 0.005
    """Of a plain step: who takes less is asked without weighing it, which is worth 6 % where drafts
    are right only now and then."""

    @property
    def full(self) -> bool:
        """No more can be told apart."""
        return len(self.lineup) == MOST_ASKED

    def order(self, speculators: Sequence[Speculator], wanting: int) -> list[Speculator]:
        """In which to ask, about so many requests: the cheapest first."""
        return sorted(speculators, key=lambda s: self._asking.cost(s.name, wanting))

    def pays(self, name: str) -> bool:
        """Whether it is worth asking that one now; counts down its pause."""
        cost_ms = self._asking.cost(name, self._outlook.requests)
        return cost_ms < self.CHEAP * self._plain_ms or self._worth(name).allow()

    def heard(self, name: str, outlook: Outlook | None, paid: bool) -> None:
        """What is expected with that one's drafts too; None where it had none. `paid`: it was asked
        because that pays, not because somebody wants drafts at any price."""
        worth, before = self._worth(name), self._outlook.rate
        self.lineup = (*self.lineup, name)
        if outlook is not None:
            self._outlook = outlook
        if paid:
            gain = self._outlook.rate / before
            worth.observe(gain, 1.0 if len(self.lineup) == 1 else Worth.ON_TOP)

    def _worth(self, name: str) -> Worth:
        return self._asking.worth(name, self._outlook, self._greedy)
