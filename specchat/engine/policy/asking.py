"""Whom to ask for drafts, and about which requests: what asking brought lately, measured.

A request drafts while that pays for it. The speculator that promises most by itself is asked first,
then the cheapest; each only where it has paid on top of what the ones before it offer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from specchat.engine.drafting.speculator import Speculator
from specchat.engine.policy.calibration import MOST_ASKED
from specchat.engine.policy.profitability import AskCost, Lead, Payoffs, Trust, Worth


class Outlook(NamedTuple):
    """What is expected of a step."""

    requests: int  # that decode
    tokens: float  # over all of them
    prompt_rows: int
    ms: float

    @property
    def rate(self) -> float:
        """Expected tokens and prompt rows per millisecond."""
        return self.believed(1.0)

    def believed(self, trust: float) -> float:
        """The rate where that part of the draft tokens is accepted that are expected to be."""
        tokens = self.requests + trust * (self.tokens - self.requests)
        return (tokens + self.prompt_rows) / self.ms


class Gain(NamedTuple):
    """What a step's drafts brought: accepted tokens at the plain price, minus each request's share
    of the added rows and its own drafting."""

    requests: int
    nodes: int  # of all of them
    token_ms: float  # that a plain step takes for a token
    added_ms: float  # by the nodes
    draft_ms: float  # of drafting for one request

    def of(self, accepted: int, nodes: int) -> float:
        """Milliseconds that one request saved, or lost."""
        share = nodes / self.nodes if self.nodes else 1 / self.requests
        return accepted * self.token_ms - share * self.added_ms - self.draft_ms


class Asking:
    """What is known of all requests and speculators."""

    ORDER_FOR = 32  # steps that speculators are sorted by their costs for, once these are known

    def __init__(self) -> None:
        self.payoffs = Payoffs()
        # By speculator and requests asked for, in powers of two.
        self._costs: defaultdict[tuple[str, int], AskCost] = defaultdict(AskCost)
        self._worth: defaultdict[tuple[str, int, int, bool], Worth] = defaultdict(Worth)
        self._leads: defaultdict[tuple[int, bool], Lead] = defaultdict(Lead)
        self._trust: defaultdict[tuple[bool, tuple[str, ...]], Trust] = defaultdict(Trust)
        self._orders: dict[tuple[int, str], list[Speculator]] = {}  # by requests and who leads
        self._steps = 0

    def begin(self, requests: int, greedy: bool) -> Round:
        """A step in which so many requests decode; `greedy`: all of them are."""
        lead = self._leads[requests.bit_length(), greedy]
        plain = Outlook(requests, float(requests), 0, 1.0)
        return Round(self, requests, greedy, lead, plain, plain.rate)

    def order(
        self, speculators: Sequence[Speculator], lead: Lead, requests: int
    ) -> list[Speculator]:
        """All speculators, in the order in which to ask them: who leads, then the cheapest."""
        if len(speculators) < 2:
            return list(speculators)
        self._steps += 1
        if self._steps < self.ORDER_FOR or self._steps % self.ORDER_FOR == 0:
            self.forget_order()
        many = requests.bit_length()
        cheapest = self._orders.get((many, ""))
        if cheapest is None:
            cheapest = sorted(speculators, key=lambda s: self.cost(s.name, requests))
            self._orders[many, ""] = cheapest
        first = lead.choose([speculator.name for speculator in cheapest])
        order = self._orders.get((many, first))
        if order is None:
            order = sorted(cheapest, key=lambda s: s.name != first)
            self._orders[many, first] = order
        return order

    def forget_order(self) -> None:
        """The speculators are others now."""
        self._orders.clear()

    def cost(self, name: str, requests: int) -> float:
        """Average milliseconds of asking for so many; 0 before the first time."""
        return self._costs[name, requests.bit_length()].ms

    def spent(self, name: str, requests: int, ms: float) -> None:
        """Count what it took to ask a speculator and to look at what it said."""
        self._costs[name, requests.bit_length()].observe(ms)

    def worth(self, name: str, tokens: float, requests: int, greedy: bool) -> Worth:
        """Of a speculator, by how many tokens a request may expect without it."""
        return self._worth[name, min(int(tokens / requests), 8), requests, greedy]

    def trust(self, lineup: tuple[str, ...], greedy: bool) -> Trust:
        """In what these speculators promise together."""
        return self._trust[greedy, tuple(sorted(lineup))]


@dataclass(slots=True)
class Round:
    """One step's asking."""

    _asking: Asking
    _requests: int
    _greedy: bool
    _lead: Lead
    _outlook: Outlook  # with the drafts so far
    _rate: float  # of these, as far as they are believed
    lineup: tuple[str, ...] = ()  # who was asked so far

    @property
    def full(self) -> bool:
        """No more can be told apart."""
        return len(self.lineup) == MOST_ASKED

    def order(self, speculators: Sequence[Speculator], wanting: int) -> list[Speculator]:
        """In which to ask, about so many requests."""
        return self._asking.order(speculators, self._lead, wanting)

    def pays(self, name: str) -> bool:
        """Whether it is worth asking that one now; counts down its pause."""
        return self._worth(name).allow()

    def plain(self, outlook: Outlook) -> None:
        """What is expected without any draft; said before the first one is asked."""
        self._outlook, self._rate = outlook, outlook.rate

    def heard(self, name: str, outlook: Outlook | None, paid: bool) -> None:
        """What is expected with that one's drafts too; None where it had none. `paid`: it was asked
        because that pays, not because somebody wants drafts at any price."""
        worth, before = self._worth(name), self._rate
        self.lineup = (*self.lineup, name)
        if outlook is not None:
            self._outlook = outlook
        self._rate = self._outlook.believed(self._trust.ratio)
        if paid:
            first = len(self.lineup) == 1
            worth.observe(self._rate / before, 1.0 if first else Worth.ON_TOP)
            if first:
                self._lead.observe(name, self._rate / before)

    def learn(self, accepted: int) -> None:
        """How many draft tokens were accepted in all, of a step that took what pays."""
        self._trust.observe(accepted, self._outlook.tokens - self._requests)

    @property
    def _trust(self) -> Trust:
        return self._asking.trust(self.lineup, self._greedy)

    def _worth(self, name: str) -> Worth:
        return self._asking.worth(name, self._outlook.tokens, self._requests, self._greedy)
