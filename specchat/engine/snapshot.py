"""What an engine says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specchat.engine.counters import EngineCounters
    from specchat.engine.kv.cache import KVCache
    from specchat.engine.kv.page_pool import PagePool
    from specchat.engine.scheduling.scheduler import Scheduler


SERVER = "server"
"""The device of a model that another server runs."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What runs, and on what."""

    name: str
    vocab_size: int
    context_length: int
    parameters: int  # 0 where it is not known
    dtype: str  # "float32"
    device: str  # "cpu", or `SERVER`
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
    failure: str | None = None  # why the engine has stopped for good: it must be started anew


def taken_snapshot(
    pool: PagePool,
    scheduler: Scheduler,
    counters: EngineCounters,
    cache: KVCache,
    *,
    backend: str,
    ready: bool,
    failure: str | None,
) -> EngineSnapshot:
    """The state that these parts of an engine are in."""
    return EngineSnapshot(
        running=len(scheduler.running),
        waiting=len(scheduler.waiting),
        pages_total=pool.total,
        pages_free=pool.free,
        pages_cached=pool.cached,
        pages_held=pool.held,
        pages_shared=pool.shared_pages,
        page_size=pool.page_size,
        prefix_hit_tokens=counters.prefix_hit_tokens,
        prefix_query_tokens=counters.prefix_query_tokens,
        pages_evicted=counters.evicted_pages,
        pages_copied=cache.pages_copied,
        rows_moved=cache.rows_moved,
        steps=counters.steps,
        failed_steps=counters.failed_steps,
        preemptions=counters.preemptions,
        refused=counters.refused,
        backend=backend,
        ready=ready,
        failure=failure,
    )
