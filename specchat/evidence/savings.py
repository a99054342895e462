"""What speculation would save over many chats: an extrapolation from raced answers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from specchat.evidence.interval import Interval, bootstrap_median
from specchat.evidence.paired import Pair


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is assumed, because no race can tell it.

    Raises:
        ValueError: a number is negative or not finite.
    """

    chats: float = 1_000.0
    answers_per_chat: float = 3.0
    price_per_hour: float = 0.5  # of the machine that answers, any currency

    def __post_init__(self) -> None:
        for name in ("chats", "answers_per_chat", "price_per_hour"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a number of at least 0, got {value}")


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """Seconds of answering, and what they cost. Negative seconds are a loss."""

    seconds: float  # saved over all chats; nan without races
    ci95: Interval  # of the seconds, over prompts; nan bounds under 6 prompts
    cost: float  # saved, in the currency of the price
    plain_seconds: float  # what the chats take without speculation
    prompts: int


def extrapolate(pairs: Iterable[Pair], assumed: Assumptions) -> Extrapolation:
    """The median saving of a prompt, times the answers of all chats.

    Repeats of a prompt count once, by their median. It assumes that answers are as long and as easy
    to draft as those raced, one after the other on the same machine.
    """
    by_prompt: dict[str, list[tuple[float, float]]] = {}
    for pair in pairs:
        by_prompt.setdefault(pair.prompt, []).append((pair.plain_ms, pair.speculative_ms))
    if not by_prompt:
        return Extrapolation(math.nan, Interval(math.nan, math.nan), math.nan, math.nan, 0)
    saved = np.array([np.median([a - b for a, b in times]) for times in by_prompt.values()])
    plain = np.array([np.median([a for a, _ in times]) for times in by_prompt.values()])
    answers = assumed.chats * assumed.answers_per_chat
    seconds = float(np.median(saved)) * answers / 1000
    spread = bootstrap_median(saved)
    return Extrapolation(
        seconds=seconds,
        ci95=Interval(spread.low * answers / 1000, spread.high * answers / 1000),
        cost=seconds / 3600 * assumed.price_per_hour,
        plain_seconds=float(np.median(plain)) * answers / 1000,
        prompts=len(by_prompt),
    )
