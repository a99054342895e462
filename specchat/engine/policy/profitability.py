"""Whether asking a speculator pays beside the others, measured, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Worth:
    """Whether asking one speculator pays, given what cheaper ones offer already: the average ratio
    of expected speed with and without it. A losing one is asked again now and then. To ask all of
    them always takes 1 to 5 % longer."""

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
    """Milliseconds of asking a speculator, an exponential average. To ask the cheapest first is
    worth 2 % beside a fixed order."""

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
