"""What evidence reads from a turn. Stored rows and the engine's own statistics both fit."""

from __future__ import annotations

from typing import Protocol


class SpeculativeTurn(Protocol):
    """A turn answered with speculation on. Plain turns must be left out: they draft nothing."""

    @property
    def steps(self) -> int:
        """Target passes that produced tokens."""

    @property
    def drafted(self) -> int:
        """Draft nodes verified."""

    @property
    def accepted(self) -> int:
        """Draft tokens accepted."""

    @property
    def drafted_by_depth(self) -> tuple[int, ...]:
        """Steps that offered this depth; index 0 is the first draft token."""

    @property
    def accepted_by_depth(self) -> tuple[int, ...]:
        """Steps whose accepted path reached this depth."""

    @property
    def accepted_lengths(self) -> tuple[int, ...]:
        """Accepted draft tokens of each step."""


class StoredTurn(SpeculativeTurn, Protocol):
    """A speculative turn that can be looked up again."""

    @property
    def turn_id(self) -> str:
        """Its identifier."""


class Arm(Protocol):
    """The times of one side of a race, in milliseconds; None where a time does not exist."""

    @property
    def ttft_ms(self) -> float | None:
        """Submit to first token."""

    @property
    def tpot_ms(self) -> float | None:
        """Time per output token after the first."""

    @property
    def e2e_ms(self) -> float | None:
        """Submit to last token."""

    @property
    def status(self) -> str:
        """ "completed", "cancelled" or "failed"."""


class Race(Protocol):
    """One prompt answered both ways."""

    @property
    def prompt(self) -> str:
        """What was asked."""

    @property
    def identical(self) -> bool:
        """Both ways gave the same tokens."""

    @property
    def plain(self) -> Arm:
        """Without speculation."""

    @property
    def speculative(self) -> Arm:
        """With speculation."""
