"""Statistics over recorded turns: pure functions, plain dataclasses in and out."""

from specchat.evidence.acceptance import (
    AcceptanceLength,
    AcceptanceRate,
    DepthAcceptance,
    acceptance_by_depth,
    acceptance_histogram,
    draft_acceptance_rate,
    mean_acceptance_length,
)
from specchat.evidence.alarms import Alarm, alarms
from specchat.evidence.distribution import Ecdf, Percentiles, ecdf, percentile, percentiles
from specchat.evidence.interval import (
    Interval,
    bootstrap_median,
    bootstrap_percentile,
    wilson,
)
from specchat.evidence.paired import (
    Pair,
    PairedSummary,
    Savings,
    paired_speedup,
    pairs_of,
    saved_ms,
)

__all__ = [
    "AcceptanceLength",
    "AcceptanceRate",
    "Alarm",
    "DepthAcceptance",
    "Ecdf",
    "Interval",
    "Pair",
    "PairedSummary",
    "Percentiles",
    "Savings",
    "acceptance_by_depth",
    "acceptance_histogram",
    "alarms",
    "bootstrap_median",
    "bootstrap_percentile",
    "draft_acceptance_rate",
    "ecdf",
    "mean_acceptance_length",
    "paired_speedup",
    "pairs_of",
    "percentile",
    "percentiles",
    "saved_ms",
    "wilson",
]
