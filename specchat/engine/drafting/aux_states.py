"""Hidden states of some of the target's layers, for drafters that build on them.

EAGLE-3 (Li et al. 2025, arXiv 2503.01840) reads three of them, side by side, for every token that
the target has computed. The engine collects them per request until the drafter takes them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class AuxStates:
    """States of the positions start .. start + len(states) - 1."""

    start: int
    states: torch.Tensor  # [positions, layers x hidden_size]


class AuxTape:
    """One request's states that nobody has taken yet, in the order computed.

    Positions may be missing (found in the prefix cache) or come twice (computed anew after a
    preemption). At most one drafter takes them.
    """

    def __init__(self) -> None:
        self._parts: list[AuxStates] = []

    def add(self, start: int, states: torch.Tensor) -> None:
        """Keep the states of positions that are final."""
        self._parts.append(AuxStates(start, states))

    def take(self) -> list[AuxStates]:
        """Hand over what has come since the last call."""
        taken, self._parts = self._parts, []
        return taken
