"""What comes of an answer while it is given, whoever gives it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Literal

from specchat.engine.request import Token, TurnStats

Reason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Piece:
    """New text of one choice."""

    choice: int
    text: str
    tokens: tuple[Token, ...] = ()  # it was made of; of the model itself only


@dataclass(frozen=True, slots=True)
class End:
    """One choice is complete."""

    choice: int
    reason: Reason
    stats: TurnStats | None  # None where no model was asked
    care: dict[str, Any] | None = None  # of the assistant: what the answer stands on


Event = Piece | End
Events = AsyncGenerator[list[Event], None]
"""Ends when every choice has ended. An empty list says that there is nothing new yet."""

PING_S = 10.0
"""Longest time between two lists, so that nobody in between takes the connection for dead."""
