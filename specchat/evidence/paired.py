"""Plain against speculative on the same prompts: speedup and time saved."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from specchat.evidence.interval import Interval, bootstrap_median
from specchat.evidence.turns import Arm, Race

Measure = Literal["ttft_ms", "tpot_ms", "e2e_ms"]


@dataclass(frozen=True, slots=True)
class Pair:
    """One time of one prompt, both ways, in milliseconds."""

    prompt: str  # its id or text: pairs of the same prompt are one observation
    plain_ms: float
    speculative_ms: float


@dataclass(frozen=True, slots=True)
class PairedSummary:
    """How many times faster speculation was. nan where there is nothing to say."""

    median: float  # of the prompts' speedups; above 1 means faster
    ci95: Interval  # over prompts; nan bounds under 6 prompts
    prompts: int
    pairs: int
    slower: int  # prompts where speculation lost


@dataclass(frozen=True, slots=True)
class Savings:
    """Time that speculation saved, in milliseconds; negative when it cost time."""

    total_ms: float
    median_ms: float  # of one pair; nan without pairs
    pairs: int


def pairs_of(races: Iterable[Race], measure: Measure) -> tuple[Pair, ...]:
    """One measure of every race in which both arms completed, gave the same answer and have that
    time. The times of different answers say nothing about how either was decoded."""
    pairs = []
    for race in races:
        if not race.identical:
            continue
        plain, speculative = _time(race.plain, measure), _time(race.speculative, measure)
        if plain is not None and speculative is not None:
            pairs.append(Pair(race.prompt, plain, speculative))
    return tuple(pairs)


def paired_speedup(
    pairs: Iterable[Pair], *, resamples: int = 4_000, seed: int = 0
) -> PairedSummary:
    """Median speedup, plain time / speculative time, with a bootstrap 95 % interval over prompts.

    Repeats of a prompt are reduced to their median log ratio first, so that a prompt raced often
    counts once. Medians are taken of log ratios, so 2x and 1/2x cancel.

    Raises:
        ValueError: a time is not positive and finite.
    """
    known = tuple(pairs)
    logs = _log_ratios(known)
    if logs.size == 0:
        return PairedSummary(math.nan, Interval(math.nan, math.nan), 0, 0, 0)
    spread = bootstrap_median(logs, resamples=resamples, seed=seed)
    return PairedSummary(
        median=math.exp(float(np.median(logs))),
        ci95=Interval(math.exp(spread.low), math.exp(spread.high)),
        prompts=int(logs.size),
        pairs=len(known),
        slower=int((logs < 0).sum()),
    )


def saved_ms(pairs: Iterable[Pair]) -> Savings:
    """What speculation saved over these pairs; meant for end-to-end times."""
    saved = np.array([pair.plain_ms - pair.speculative_ms for pair in pairs])
    if saved.size == 0:
        return Savings(0.0, math.nan, 0)
    return Savings(float(saved.sum()), float(np.median(saved)), int(saved.size))


def _log_ratios(pairs: tuple[Pair, ...]) -> NDArray[np.float64]:
    """One median log ratio for each prompt, [prompts]."""
    by_prompt: defaultdict[str, list[float]] = defaultdict(list)
    for pair in pairs:
        for name, value in (("plain", pair.plain_ms), ("speculative", pair.speculative_ms)):
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"the {name} time must be positive and finite, got {value} ms")
        by_prompt[pair.prompt].append(math.log(pair.plain_ms / pair.speculative_ms))
    return np.array([np.median(ratios) for ratios in by_prompt.values()], dtype=np.float64)


def _time(arm: Arm, measure: Measure) -> float | None:
    value: float | None = getattr(arm, measure)
    usable = arm.status == "completed" and value is not None and math.isfinite(value) and value > 0
    return value if usable else None
