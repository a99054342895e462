"""Acceptance that cannot be right, or is a sign of bad answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from specchat.evidence.interval import wilson
from specchat.evidence.paired import paired_speedup, pairs_of
from specchat.evidence.turns import Race, SpeculativeTurn, StoredTurn

AlarmKind = Literal["impossible", "too_high", "too_low", "loss"]

HIGH_RATE = 0.95
"""Real text surprises its drafter more often; answers that repeat themselves do not."""
LOW_RATE = 0.02
"""A drafter that fits its target does better, even on hard text."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One kind of trouble and the turns that show it."""

    kind: AlarmKind
    message: str
    turn_ids: tuple[str, ...]


def alarms(turns: Iterable[StoredTurn]) -> tuple[Alarm, ...]:
    """What should be looked at before these turns are believed, worst first; () when nothing.

    A rate counts as too high or too low only when its whole Wilson 95 % interval is.
    """
    known = tuple(turns)
    checks: tuple[tuple[AlarmKind, str, Callable[[SpeculativeTurn], bool]], ...] = (
        ("impossible", "counters contradict each other: a defect in the measurement", _impossible),
        ("too_high", "nearly every draft was accepted: look for repetition in the answer", _high),
        ("too_low", "hardly any draft was accepted: the speculator does not fit", _low),
    )
    found = []
    for kind, message, shows in checks:
        turn_ids = tuple(turn.turn_id for turn in known if shows(turn))
        if turn_ids:
            found.append(Alarm(kind, message, turn_ids))
    return tuple(found)


def loss_alarms(
    races: Iterable[Race], group: Callable[[Race], str], arm_id: Callable[[Race], str]
) -> tuple[Alarm, ...]:
    """Groups of races in which speculation costs time: the whole 95 % interval of their paired
    speedup is below 1. Groups of under 6 prompts have no interval and raise no alarm."""
    groups: dict[str, list[Race]] = {}
    for race in races:
        groups.setdefault(group(race), []).append(race)
    found = []
    for name, members in sorted(groups.items()):
        summary = paired_speedup(pairs_of(members, "e2e_ms"))
        if summary.ci95.known and summary.ci95.high < 1:
            message = (
                f"speculation at a loss with {name}: {summary.median:.2f}x, "
                f"95 % interval {summary.ci95.low:.2f}x to {summary.ci95.high:.2f}x"
            )
            found.append(Alarm("loss", message, tuple(map(arm_id, members))))
    return tuple(found)


def _impossible(turn: SpeculativeTurn) -> bool:
    pairs = zip(turn.accepted_by_depth, turn.drafted_by_depth, strict=False)
    deeper = zip(turn.accepted_by_depth, turn.accepted_by_depth[1:], strict=False)
    return (
        not 0 <= turn.accepted <= turn.drafted
        or len(turn.accepted_by_depth) > len(turn.drafted_by_depth)
        or any(accepted > drafted for accepted, drafted in pairs)
        or any(second > first for first, second in deeper)
    )


def _high(turn: SpeculativeTurn) -> bool:
    return not _impossible(turn) and wilson(turn.accepted, turn.drafted).low > HIGH_RATE


def _low(turn: SpeculativeTurn) -> bool:
    return not _impossible(turn) and wilson(turn.accepted, turn.drafted).high < LOW_RATE
