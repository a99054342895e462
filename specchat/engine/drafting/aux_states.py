"""Hidden states of some of the target's layers, for drafters that build on them.

EAGLE-3 (Li et al. 2025, arXiv 2503.01840) reads three of them, side by side, for every token that
the target has computed. The engine collects them per request until the drafter takes them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class AuxStates:
    """States of the positions start .. start + len(states) - 1."""

    start: int
    states: torch.Tensor  # [positions, layers x hidden_size]


MOST_AUX_BYTES = 256 * 2**20
"""Of the states that all requests of an engine keep for a drafter that does not ask for them."""


class AuxRoom:
    """How much the tapes of an engine may hold together. The engine thread owns it."""

    def __init__(self, most_bytes: int = MOST_AUX_BYTES) -> None:
        self.most_bytes = most_bytes
        self.used_bytes = 0


class AuxTape:
    """One request's states that nobody has taken yet, in the order computed.

    Positions may be missing (found in the prefix cache, or dropped as the oldest where there is no
    room) or come twice (computed anew after a preemption). At most one drafter takes them.
    """

    def __init__(self, room: AuxRoom | None = None) -> None:
        self._room = room or AuxRoom()
        self._parts: deque[AuxStates] = deque()

    def add(self, start: int, states: torch.Tensor) -> None:
        """Keep the states of positions that are final, as a copy. Where the room is full, the
        request's oldest go; where that is not enough, these are not kept."""
        room, size = self._room, states.nbytes
        while self._parts and room.used_bytes + size > room.most_bytes:
            room.used_bytes -= self._parts.popleft().states.nbytes
        if room.used_bytes + size <= room.most_bytes:
            room.used_bytes += size
            self._parts.append(AuxStates(start, states.clone()))

    def take(self) -> list[AuxStates]:
        """Hand over what has come since the last call."""
        taken, self._parts = list(self._parts), deque()
        self._room.used_bytes -= sum(part.states.nbytes for part in taken)
        return taken
