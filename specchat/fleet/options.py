"""How many engines, and of what."""

from __future__ import annotations

from dataclasses import dataclass

from specchat.loader import LoadOptions


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """A fleet of replicas of one engine."""

    load: LoadOptions
    least: int = 2  # replicas
    most: int = 2
