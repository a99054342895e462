"""Distributions of times: empirical distribution functions and percentiles."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = Iterable[float | None]
"""Measurements; None and nan mean that there was none and are left out. Outliers stay."""


@dataclass(frozen=True, slots=True)
class Ecdf:
    """An empirical distribution function: `shares[i]` of the values are at most `values[i]`."""

    values: tuple[float, ...]  # increasing, each once
    shares: tuple[float, ...]  # increasing, the last is 1
    n: int  # measurements behind it


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles of `n` measurements; None where `n` is too small to tell."""

    n: int
    p50: float | None
    p95: float | None  # from 20 measurements
    p99: float | None  # from 100 measurements


def ecdf(values: Values) -> Ecdf:
    """The empirical distribution function; empty without measurements."""
    unique, counts = np.unique(_measured(values), return_counts=True)
    n = int(counts.sum())
    shares = np.cumsum(counts) / max(n, 1)
    return Ecdf(tuple(unique.tolist()), tuple(shares.tolist()), n)


def percentiles(values: Values) -> Percentiles:
    """The median, p95 and p99, as far as there are measurements for them."""
    known = _measured(values)
    return Percentiles(
        n=int(known.size),
        p50=percentile(known.tolist(), 50),
        p95=percentile(known.tolist(), 95),
        p99=percentile(known.tolist(), 99),
    )


def percentile(values: Values, percent: float) -> float | None:
    """One percentile, interpolated; None unless a measurement can be expected beyond it.

    That takes 100 / (100 - percent) measurements above the median: 20 for p95, 100 for p99.

    Raises:
        ValueError: `percent` is not above 0 and below 100.
    """
    if not 0 < percent < 100:
        raise ValueError(f"percent must be above 0 and below 100, got {percent}")
    known = _measured(values)
    needed = 1 if percent == 50 else math.ceil(100 / min(percent, 100 - percent))
    return float(np.percentile(known, percent)) if known.size >= needed else None


def _measured(values: Values) -> NDArray[np.float64]:
    kept = [value for value in values if value is not None and math.isfinite(value)]
    return np.array(kept, dtype=np.float64)
