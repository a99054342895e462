"""Whether drafting pays, measured: for one request, and for one speculator beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Payoff:
    """Whether drafting pays for one request: milliseconds saved per step, and the pause after
    steps that lost."""

    saved_ms: float = 0.0  # exponential average
    steps: int = 0
    pause: int = 0  # plain steps to go before the next try
    length: int = 4  # of the next pause
    trials: int = 16  # single steps vary widely; `Policy.choose` already expects a gain of each

    LONGEST = 64
    BELIEF = 10.0  # steps' worth of what others saved
    LATEST = 20  # steps that the average is made of

    def allow(self) -> bool:
        """True when this step should draft; counts down a pause."""
        if self.pause:
            self.pause -= 1
            return False
        return True

    def observe(self, saved_ms: float, others_ms: float = 0.0) -> None:
        """Take in what a drafted step saved (or lost, negative), and what steps of requests like
        this one saved on the average lately. Where others lose, a request counts for itself."""
        self.steps += 1
        steps = min(self.steps, self.LATEST)
        self.saved_ms += (saved_ms - self.saved_ms) / steps
        loses = steps * self.saved_ms + self.BELIEF * max(0.0, others_ms) < 0
        if self.steps >= self.trials and loses:
            self.pause = self.length
            self.length = min(2 * self.length, self.LONGEST)
            self.steps = 0
            self.saved_ms = 0.0
        elif self.saved_ms > 0:
            self.length = 4


@dataclass(slots=True)
class Payoffs:
    """The payoffs of all requests. Where drafting has lost lately, with about as many requests at a
    time and those not few, few of the new requests are tried at once, and shortly."""

    _requests: dict[str, Payoff] = field(default_factory=dict)
    _lately: dict[int, float] = field(default_factory=dict)  # saved_ms, by requests in powers of 2
    _begun: int = 0  # requests that began where drafting had lost

    MANY = 4  # with fewer a trial costs next to nothing: rows are not what takes the time
    SHORT_TRIALS = 2
    SCOUTS = 4  # one of so many is tried at once, the others as if they had lost already
    LONG_PAUSE = 32
    _LEARNING = 0.02

    def of(self, request_id: str, requests: int) -> Payoff:
        """A request's own, which begins with its first step. It runs beside so many others."""
        payoff = self._requests.get(request_id)
        if payoff is None:
            payoff = self._requests[request_id] = Payoff()
            many = requests >= self.MANY
            if many and self._lately.get(requests.bit_length(), 0.0) < 0:
                payoff.trials, payoff.length = self.SHORT_TRIALS, self.LONG_PAUSE
                payoff.pause = self.LONG_PAUSE if self._begun % self.SCOUTS else 0
                self._begun += 1
        return payoff

    def observe(self, request_id: str, requests: int, saved_ms: float) -> None:
        """Take in what a drafted step saved (or lost, negative) of a request's time."""
        payoff = self._requests.get(request_id)
        if payoff is None:
            return
        place = requests.bit_length()
        lately = self._lately.get(place, 0.0)
        payoff.observe(saved_ms, lately)
        self._lately[place] = lately + self._LEARNING * (saved_ms - lately)

    def forget(self, request_id: str) -> None:
        """A request is over."""
        self._requests.pop(request_id, None)


@dataclass(slots=True)
class Worth:
    """Whether asking one speculator pays, given what cheaper ones offer already: the average ratio
    of expected speed with and without it. A losing one is asked again now and then."""

    ratio: float = 1.0
    steps: int = 0
    pause: int = 0
    length: int = 2  # of the next pause

    LONGEST = 256
    ON_TOP = 1.03  # of one asked after others: less is not worth the trouble, it is often overrated

    def allow(self) -> bool:
        """True when it should be asked in this step; counts down a pause."""
        if self.pause:
            self.pause -= 1
            return False
        return True

    def observe(self, ratio: float, least: float = 1.0) -> None:
        """Take in the ratio of one step; it pays where the average is `least` or more."""
        self.steps += 1
        self.ratio += max(0.06, 1 / (self.steps + 3)) * (ratio - self.ratio)
        if self.ratio < least:
            self.pause = self.length
            self.length = min(2 * self.length, self.LONGEST)
        else:
            self.length = 2


@dataclass(slots=True)
class AskCost:
    """Milliseconds of asking a speculator, an exponential average."""

    ms: float = 0.0
    seen: int = 0

    FIRST = 5  # calls of which the shortest counts: the first ones prepare things
    WORST = 3.0  # times the average; more is an interruption, and counts as this much
    _LEARNING = 0.1

    def observe(self, ms: float) -> None:
        """Take in what a call took."""
        self.seen += 1
        if self.seen <= self.FIRST:
            self.ms = ms if self.seen == 1 else min(self.ms, ms)
        else:
            self.ms += self._LEARNING * (min(ms, self.WORST * self.ms) - self.ms)


@dataclass(slots=True)
class Trust:
    """What part of the draft tokens that were expected to be accepted was. The best of several
    uncertain offers tends to be one that was overrated, the more so the more there are."""

    accepted: float = 0.0
    expected: float = 0.0

    PRIOR = 20.0  # tokens' worth of belief in what is expected
    _MEMORY = 0.995  # of a step's weight at the next one

    def observe(self, accepted: float, expected: float) -> None:
        """Take in a step."""
        self.accepted = self._MEMORY * self.accepted + accepted
        self.expected = self._MEMORY * self.expected + expected

    @property
    def ratio(self) -> float:
        """About 1 where expectations are right."""
        return (self.accepted + self.PRIOR) / (self.expected + self.PRIOR)


@dataclass(slots=True)
class Lead:
    """Which speculator to ask first: the one whose drafts promise most with nothing else beside
    them. The others have a try now and then, the less often the longer it leads."""

    gains: dict[str, float] = field(default_factory=dict)  # exponential averages
    seen: dict[str, int] = field(default_factory=dict)  # steps that they are made of
    tries: dict[str, int] = field(default_factory=dict)
    leader: str = ""
    pause: int = 0  # steps to go before the next try
    length: int = 0  # of the next pause

    SHORTEST = 24
    LONGEST = 192
    FIRST = 6  # tries of each at the start
    LOOK = 8  # steps of a pause after which it is looked who leads
    _LEARNING = 0.01
    _LEARNING_OF_TRIES = 0.1

    def choose(self, names: Sequence[str]) -> str:
        """One of these."""
        if self.pause % self.LOOK and self.leader in names:
            self.pause -= 1
            return self.leader
        fewest = min(names, key=self._tried)
        if self._tried(fewest) < self.FIRST:
            return self._try(fewest)
        best = max(names, key=lambda name: self.gains.get(name, 0.0))
        if best != self.leader:
            self.leader, self.length = best, self.SHORTEST
            self.pause = min(self.pause, self.SHORTEST)
        others = [name for name in names if name != best]
        if self.pause or not others:
            self.pause = max(0, self.pause - 1)
            return best
        self.pause, self.length = self.length, min(2 * self.length, self.LONGEST)
        return self._try(min(others, key=self._tried))

    def observe(self, name: str, gain: float) -> None:
        """Take in how many times the plain rate was expected when only this one had been asked."""
        seen = self.seen[name] = self.seen.get(name, 0) + 1
        learning = self._LEARNING if name == self.leader else self._LEARNING_OF_TRIES
        old = self.gains.get(name, 0.0)
        self.gains[name] = old + max(learning, 1 / seen) * (gain - old)

    def _tried(self, name: str) -> int:
        return self.tries.get(name, 0)

    def _try(self, name: str) -> str:
        self.tries[name] = self._tried(name) + 1
        return name
