"""How far drafts were accepted: by depth, by step, by turn and over all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from statistics import median

from specchat.evidence.interval import Interval, wilson
from specchat.evidence.turns import SpeculativeTurn


@dataclass(frozen=True, slots=True)
class DepthAcceptance:
    """Acceptance at one depth of the draft."""

    depth: int  # 1 is the first draft token
    accepted: int  # steps whose accepted path reached it
    drafted: int  # steps that offered it
    rate: float  # accepted / drafted
    ci95: Interval  # Wilson's


@dataclass(frozen=True, slots=True)
class AcceptanceLength:
    """Mean acceptance length, tau = 1 + accepted / steps; nan without steps."""

    token_weighted: float  # over all steps together: tokens for one target pass
    turn_median: float  # of the turns' own
    turns: int  # turns with at least one step


@dataclass(frozen=True, slots=True)
class AcceptanceRate:
    """Draft acceptance rate, accepted / drafted; nan when nothing was drafted."""

    rate: float
    ci95: Interval  # Wilson's; tokens of one draft depend on each other, so it is a little narrow
    accepted: int
    drafted: int


def acceptance_by_depth(turns: Iterable[SpeculativeTurn]) -> tuple[DepthAcceptance, ...]:
    """Acceptance at every depth that was ever offered, shallow first."""
    drafted: Counter[int] = Counter()
    accepted: Counter[int] = Counter()
    for turn in turns:
        both = zip_longest(turn.drafted_by_depth, turn.accepted_by_depth, fillvalue=0)
        for depth, (offered, reached) in enumerate(both, start=1):
            drafted[depth] += offered
            accepted[depth] += reached
    return tuple(
        _at_depth(depth, accepted[depth], drafted[depth])
        for depth in sorted(drafted)
        if drafted[depth]
    )


def acceptance_histogram(turns: Iterable[SpeculativeTurn]) -> tuple[int, ...]:
    """Steps by how many draft tokens they accepted: index 0 counts those that accepted none."""
    counts = Counter(length for turn in turns for length in turn.accepted_lengths)
    return tuple(counts[length] for length in range(max(counts, default=-1) + 1))


def mean_acceptance_length(turns: Iterable[SpeculativeTurn]) -> AcceptanceLength:
    """Tokens for one target pass, over all steps and as the median of the turns."""
    stepped = [turn for turn in turns if turn.steps]
    if not stepped:
        return AcceptanceLength(math.nan, math.nan, 0)
    accepted, steps = sum(turn.accepted for turn in stepped), sum(turn.steps for turn in stepped)
    return AcceptanceLength(
        token_weighted=1 + accepted / steps,
        turn_median=median(1 + turn.accepted / turn.steps for turn in stepped),
        turns=len(stepped),
    )


def draft_acceptance_rate(turns: Iterable[SpeculativeTurn]) -> AcceptanceRate:
    """Accepted over verified draft tokens, of all turns together."""
    counted = [(turn.accepted, turn.drafted) for turn in turns]
    accepted = sum(each for each, _ in counted)
    drafted = sum(each for _, each in counted)
    rate = accepted / drafted if drafted else math.nan
    return AcceptanceRate(rate, _interval(accepted, drafted), accepted, drafted)


def _at_depth(depth: int, accepted: int, drafted: int) -> DepthAcceptance:
    rate = accepted / drafted
    return DepthAcceptance(depth, accepted, drafted, rate, _interval(accepted, drafted))


def _interval(accepted: int, drafted: int) -> Interval:
    """Wilson's interval, also for contradictory counters: those are for `alarms` to report."""
    return wilson(max(0, min(accepted, drafted)), drafted)
