"""Confidence intervals: Wilson's for a proportion, the bootstrap's for a median or percentile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_CELLS = 2_000_000  # resampled values held at once: 16 MB


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a confidence interval; both nan when there is too little data for one."""

    low: float
    high: float

    @property
    def known(self) -> bool:
        """True when there was enough data."""
        return not math.isnan(self.low)


UNKNOWN = Interval(math.nan, math.nan)


def wilson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Wilson score interval of a proportion (Wilson 1927); `UNKNOWN` without trials.

    Raises:
        ValueError: the counts are not 0 <= successes <= trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"successes must be from 0 to trials={trials}, got {successes}")
    if trials == 0:
        return UNKNOWN
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    # Rounding must not push a bound past the share itself at 0 and at 1.
    low = max(0.0, min(share, (centre - spread) / scale))
    return Interval(low, min(1.0, max(share, (centre + spread) / scale)))


def bootstrap_median(
    values: NDArray[np.float64], *, confidence: float = 0.95, resamples: int = 4_000, seed: int = 0
) -> Interval:
    """Percentile bootstrap of the median of `values` [n] (Efron 1979), the same for equal seeds.

    `UNKNOWN` where even the full range of the values covers their median with less than
    `confidence` (a probability of 1 - 2**(1 - n)): under 6 values at 95 %.
    """
    if values.size == 0 or 1 - 2.0 ** (1 - values.size) < confidence:
        return UNKNOWN
    return _bootstrap(values, 50.0, confidence, resamples, seed)


def bootstrap_percentile(
    values: NDArray[np.float64],
    percent: float,
    *,
    confidence: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of a percentile of `values` [n], the same for equal seeds.

    `UNKNOWN` where fewer than two values can be expected beyond it: under 40 values for p95. In
    the tail it is narrow for small n; take it for the order of the noise.

    Raises:
        ValueError: `percent` is not above 0 and below 100.
    """
    if not 0 < percent < 100:
        raise ValueError(f"percent must be above 0 and below 100, got {percent}")
    if values.size * min(percent, 100 - percent) < 200:
        return UNKNOWN
    return _bootstrap(values, percent, confidence, resamples, seed)


def _bootstrap(
    values: NDArray[np.float64], percent: float, confidence: float, resamples: int, seed: int
) -> Interval:
    random = np.random.default_rng(seed)
    found: list[NDArray[np.float64]] = []
    rows = max(1, _CELLS // values.size)
    for start in range(0, resamples, rows):
        shape = (min(rows, resamples - start), values.size)
        sample = values[random.integers(values.size, size=shape)]
        found.append(np.percentile(sample, percent, axis=1))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(found), [tail, 1 - tail])
    return Interval(float(low), float(high))
