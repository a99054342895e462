"""How often answers stand on what was found, how often nothing was known, how much was invented."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

GROUNDED = frozenset({"grounded", "page", "order"})
TALK = "talk"


class CheckedTurn(Protocol):
    """What is known of an answer that was checked."""

    @property
    def state(self) -> str:
        """What the answer stands on: "grounded", "page", "order", "unknown" or "talk"."""

    @property
    def unsupported(self) -> Sequence[str]:
        """The specifics that nothing supports, in what the model wrote."""


@dataclass(frozen=True, slots=True)
class GroundingRates:
    """Counts over the answers to questions; small talk, which needs no page, is left out."""

    answers: int = 0
    grounded: int = 0  # from pages or orders, the pages in their own words among them
    replaced: int = 0  # of these: a page in its own words, because the model's answer failed
    unknown: int = 0  # the answer is that nobody knows
    unsupported: int = 0  # the model wrote a specific that nothing supports; it was not left

    def share(self, count: int) -> float | None:
        """Of all answers, 0 to 1; None without any."""
        return count / self.answers if self.answers else None


def grounding_rates(turns: Iterable[CheckedTurn]) -> GroundingRates:
    """The counts of these turns."""
    checked = [turn for turn in turns if turn.state != TALK]
    return GroundingRates(
        answers=len(checked),
        grounded=sum(turn.state in GROUNDED for turn in checked),
        replaced=sum(turn.state == "page" for turn in checked),
        unknown=sum(turn.state == "unknown" for turn in checked),
        unsupported=sum(bool(turn.unsupported) for turn in checked),
    )
