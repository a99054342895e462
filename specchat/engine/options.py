"""Limits of one engine."""

from __future__ import annotations

from dataclasses import dataclass

MAX_NODES = 63
"""Nodes of one tree: with the root a tree has 64 rows, one bit each of an int64 mask."""

USUAL_NODES = 32
"""Of a request and step, or of what one drafter offers, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Limits of one engine.

    Raises:
        ValueError: a limit is below 1, or `max_nodes` is not from 0 to `MAX_NODES`, or
            `step_limit_s` is below 0.
    """

    token_budget: int = 512  # rows per step at the most, drafts left out
    prefill_rows: int = 64  # of these for prompts while other requests stream
    max_running: int = 64
    max_waiting: int = 256
    max_nodes: int = USUAL_NODES  # drafted per request and step
    exact: bool = False  # plain steps get the rows of speculative ones, for the same kernels
    check_pages: bool = False  # assert the pool's invariant after every step
    step_limit_s: float = 300.0  # a step that takes longer ends the engine; 0: none does

    def __post_init__(self) -> None:
        for name in ("token_budget", "prefill_rows", "max_running", "max_waiting"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.step_limit_s >= 0:
            raise ValueError(f"step_limit_s must be at least 0, got {self.step_limit_s}")
        if not 0 <= self.max_nodes <= MAX_NODES:
            raise ValueError(f"max_nodes must be from 0 to {MAX_NODES}, got {self.max_nodes}")
