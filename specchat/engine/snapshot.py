"""What an engine says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What runs, and on what."""

    name: str
    vocab_size: int
    context_length: int
    parameters: int
    dtype: str  # "float32"
    device: str  # "cpu"
    hardware: str
    speculators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """The engine's state at a moment; cheap, for live displays."""

    running: int
    waiting: int
    pages_total: int
    pages_free: int
    pages_cached: int
    pages_held: int
    pages_shared: int  # of those held: by more than one request
    page_size: int
    prefix_hit_tokens: int
    prefix_query_tokens: int
    pages_evicted: int  # of the prefix cache, since the start; so are the sums below
    pages_copied: int  # 0: candidates share their request's pages
    rows_moved: int  # accepted rows moved inside their request's last pages, once per layer
    steps: int
    failed_steps: int
    preemptions: int
    refused: int  # by the full queue
    backend: str  # "native", "eager" or "compiled 5/7"
    ready: bool  # nothing is left to compile
