"""A server under load: goodput at an objective, users sustained, and where more users stop paying.

Goodput is the rate of requests that meet the service-level objective (DistServe, Zhong et al.
2024). Latencies are those that a user of the stream sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from specchat.evidence.distribution import Percentiles, percentiles
from specchat.evidence.interval import UNKNOWN, Interval, bootstrap_median, bootstrap_percentile


@dataclass(frozen=True, slots=True)
class Objective:
    """What a user has to get: the first token and the ones after it, in milliseconds."""

    ttft_ms: float
    tpot_ms: float


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """One request as its user saw it."""

    completed: bool  # False: refused, or nobody waited any longer
    tokens: int
    ttft_ms: float | None
    tpot_ms: float | None  # None under two tokens
    e2e_ms: float
    longest_gap_ms: float  # the longest pause inside the answer

    @property
    def normalized_ms(self) -> float | None:
        """Time per token with the wait in it, E2E / n (Orca, Yu et al. 2022)."""
        return self.e2e_ms / self.tokens if self.completed and self.tokens else None

    def meets(self, objective: Objective) -> bool:
        """True when it was answered, and in time."""
        return (
            self.completed
            and self.ttft_ms is not None
            and self.ttft_ms <= objective.ttft_ms
            and (self.tpot_ms is None or self.tpot_ms <= objective.tpot_ms)
        )


@dataclass(frozen=True, slots=True)
class Latencies:
    """Of the answered requests, in milliseconds; intervals are the bootstrap's over requests."""

    ttft: Percentiles
    tpot: Percentiles
    normalized: Percentiles
    longest_gap: Percentiles
    ttft_p95_ci95: Interval
    tpot_p95_ci95: Interval


@dataclass(frozen=True, slots=True)
class RatioSummary:
    """One arm's throughput over another's, measured next to each other; nan without pairs."""

    median: float  # 1 means no difference
    ci95: Interval  # over pairs; unknown under 6
    low: float  # the smallest ratio seen
    high: float
    pairs: int


@dataclass(frozen=True, slots=True)
class Level:
    """How an arm did at one number of users."""

    users: int
    latencies: Latencies
    refused: int


@dataclass(frozen=True, slots=True)
class Sustained:
    """Users that an arm serves within the objective."""

    users: int  # 0: none is known to hold
    fails_at: int | None  # the next level, if that does not hold
    unknown_at: int | None  # the next level, if that had too few answers to tell


def goodput(requests: Iterable[ServedRequest], objective: Objective, seconds: float) -> float:
    """Requests per second that met the objective.

    Raises:
        ValueError: `seconds` is not positive.
    """
    if not seconds > 0:
        raise ValueError(f"seconds must be positive, got {seconds}")
    return sum(request.meets(objective) for request in requests) / seconds


def latencies(requests: Sequence[ServedRequest]) -> Latencies:
    """Percentiles over the answered requests; p95 from 20 and p99 from 100 of them."""
    done = [request for request in requests if request.completed]
    ttft = [request.ttft_ms for request in done if request.ttft_ms is not None]
    tpot = [request.tpot_ms for request in done if request.tpot_ms is not None]
    return Latencies(
        ttft=percentiles(ttft),
        tpot=percentiles(tpot),
        normalized=percentiles(request.normalized_ms for request in done),
        longest_gap=percentiles(request.longest_gap_ms for request in done),
        ttft_p95_ci95=bootstrap_percentile(np.array(ttft), 95),
        tpot_p95_ci95=bootstrap_percentile(np.array(tpot), 95),
    )


def throughput_ratio(pairs: Iterable[tuple[float, float]]) -> RatioSummary:
    """Second over first of (tokens per second, tokens per second) pairs; zeros are left out."""
    logs = np.array([np.log(second / first) for first, second in pairs if first > 0 and second > 0])
    if logs.size == 0:
        return RatioSummary(np.nan, UNKNOWN, np.nan, np.nan, 0)
    spread = bootstrap_median(logs)
    return RatioSummary(
        median=float(np.exp(np.median(logs))),
        ci95=Interval(float(np.exp(spread.low)), float(np.exp(spread.high))),
        low=float(np.exp(logs.min())),
        high=float(np.exp(logs.max())),
        pairs=int(logs.size),
    )


def sustained(levels: Iterable[Level], objective: Objective) -> Sustained:
    """The highest level up to which every one keeps p95 TTFT and p95 TPOT within the objective.

    A level with refused requests does not hold; p95 takes 20 answers.
    """
    return _sustained(
        levels,
        lambda found: [
            (found.ttft.p95, objective.ttft_ms),
            (found.tpot.p95, objective.tpot_ms),
        ],
    )


def sustained_normalized(levels: Iterable[Level], limit_ms: float) -> Sustained:
    """`sustained`, where p95 of the time per token with the wait in it (E2E / n) is at most
    `limit_ms`: a user who waits for the first token waits for all of them."""
    return _sustained(levels, lambda found: [(found.normalized.p95, limit_ms)])


def _sustained(
    levels: Iterable[Level], values: Callable[[Latencies], Sequence[tuple[float | None, float]]]
) -> Sustained:
    users = 0
    for level in sorted(levels, key=lambda each: each.users):
        if level.refused:
            return Sustained(users, level.users, None)
        for value, limit in values(level.latencies):
            if value is None:
                return Sustained(users, None, level.users)
            if value > limit:
                return Sustained(users, level.users, None)
        users = level.users
    return Sustained(users, None, None)


def saturation(points: Iterable[tuple[int, float]], share: float = 0.95) -> int | None:
    """The lowest number of users that gives `share` of the highest throughput measured.

    Points are (users, tokens per second). None when only the highest level does: more users may
    still pay.
    """
    known = sorted(points)
    if not known:
        return None
    enough = share * max(tokens for _, tokens in known)
    first = next(users for users, tokens in known if tokens >= enough)
    return None if first == known[-1][0] else first
