"""Whether drafting pays, measured: for one request, and for one speculator beside the others."""

from __future__ import annotations

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
        if self.steps >= self.trials and self.saved_ms < 0:
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
        payoff.observe(saved_ms)
        place = requests.bit_length()
        lately = self._lately.get(place, 0.0)
        self._lately[place] = lately + self._LEARNING * (saved_ms - lately)

    def forget(self, request_id: str) -> None:
        """A request is over."""
        self._requests.pop(request_id, None)


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
