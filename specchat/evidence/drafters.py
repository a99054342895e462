"""What each speculator earned and cost, over recorded turns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from specchat.evidence.interval import Interval, wilson


class DraftedTurn(Protocol):
    """What is read of a turn."""

    @property
    def mode(self) -> str: ...
    @property
    def tpot_ms(self) -> float | None: ...
    @property
    def steps(self) -> int: ...
    @property
    def plain_steps(self) -> int: ...
    @property
    def drafted_by_source(self) -> Mapping[str, int]: ...
    @property
    def accepted_by_source(self) -> Mapping[str, int]: ...
    @property
    def asked_by_speculator(self) -> Mapping[str, int]: ...
    @property
    def draft_ms_by_speculator(self) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class Drafter:
    """One speculator over all turns."""

    name: str
    asked: int  # steps it was asked in
    drafted: int  # its nodes that were verified
    accepted: int
    rate: float  # accepted / drafted; nan when nothing was verified
    ci95: Interval  # Wilson's
    draft_ms: float  # spent proposing

    @property
    def ms_per_draft(self) -> float:
        """Cost of asking it once; nan when that was never measured."""
        return self.draft_ms / self.asked if self.asked else math.nan

    @property
    def ms_per_token(self) -> float:
        """Drafting time for one accepted token; nan where it is not known, inf where none was."""
        if not self.asked:
            return math.nan
        return self.draft_ms / self.accepted if self.accepted else math.inf


@dataclass(frozen=True, slots=True)
class Drafting:
    """All speculators, and the steps that went without."""

    drafters: tuple[Drafter, ...]  # the one with most accepted tokens first
    steps: int  # of speculative turns
    plain_steps: int  # of these, in which no draft was expected to pay
    plain_ms: float  # median TPOT of plain turns: what a token costs without drafts; nan if none


def drafting(turns: Iterable[DraftedTurn]) -> Drafting:
    """Add up what the turns say of each speculator."""
    known = list(turns)
    speculative = [turn for turn in known if turn.mode == "speculative"]
    names = {name for turn in speculative for name in turn.drafted_by_source}
    names |= {name for turn in speculative for name in turn.asked_by_speculator}
    drafters = [_drafter(name, speculative) for name in sorted(names)]
    plain = [turn.tpot_ms for turn in known if turn.mode == "plain" and turn.tpot_ms]
    return Drafting(
        tuple(sorted(drafters, key=lambda each: -each.accepted)),
        sum(turn.steps for turn in speculative),
        sum(turn.plain_steps for turn in speculative),
        median(plain) if plain else math.nan,
    )


def _drafter(name: str, turns: Sequence[DraftedTurn]) -> Drafter:
    drafted = sum(turn.drafted_by_source.get(name, 0) for turn in turns)
    accepted = sum(turn.accepted_by_source.get(name, 0) for turn in turns)
    return Drafter(
        name=name,
        asked=sum(turn.asked_by_speculator.get(name, 0) for turn in turns),
        drafted=drafted,
        accepted=accepted,
        rate=accepted / drafted if drafted else math.nan,
        ci95=wilson(max(0, min(accepted, drafted)), drafted),
        draft_ms=sum(turn.draft_ms_by_speculator.get(name, 0.0) for turn in turns),
    )
