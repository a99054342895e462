"""What an engine has done since it started. Outlives a failed step, which costs its pool."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class EngineCounters:
    """Sums over the engine's life. The engine thread writes, anybody reads."""

    steps: int = 0
    failed_steps: int = 0
    preemptions: int = 0
    refused: int = 0  # requests that a full queue turned away
    prefix_query_tokens: int = 0  # prompt tokens looked up in the prefix cache
    prefix_hit_tokens: int = 0  # of these, found there
    evicted_pages: int = 0  # cached pages given up for new ones
