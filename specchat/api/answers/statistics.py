"""What one answer took, in the names of vLLM, so that its tools read it.

Timings: vLLM's `docs/features/per_request_metrics.md`; speculation: its pull request 48915.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from specchat.api.answers.events import End
from specchat.engine.request import TurnStats


def usage(ends: Sequence[End], prompts: int) -> dict[str, Any]:
    """Tokens of all choices; a prompt with several choices counts once. `prompts` is how many there
    were: the choices of the first come first."""
    each = max(1, len(ends) // prompts)
    stats = [end.stats for end in sorted(ends, key=lambda end: end.choice)]
    first = [one for one in stats[::each] if one is not None]
    read = sum(one.prompt_tokens for one in first)
    written = sum(one.completion_tokens for one in stats if one is not None)
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": sum(one.cached_tokens for one in first)},
    }


def metrics(ends: Sequence[End]) -> dict[str, Any] | None:
    """Of a request with one choice; None for several, of which each has its own, and where no model
    was asked."""
    stats = ends[0].stats
    if len(ends) != 1 or stats is None:
        return None
    taken_ms = stats.e2e_ms - stats.queue_ms
    return {
        "time_to_first_token_ms": _number(stats.ttft_ms - stats.queue_ms),
        "generation_time_ms": _number(stats.e2e_ms - stats.ttft_ms),
        "queue_time_ms": _number(stats.queue_ms),
        "mean_itl_ms": _number(stats.tpot_ms),
        "tokens_per_second": _number(
            1000 * stats.completion_tokens / taken_ms if taken_ms > 0 else math.nan
        ),
        "speculative_decoding": speculative_decoding(stats),
    }


def speculative_decoding(stats: TurnStats) -> dict[str, Any] | None:
    """Of the steps that verified drafts, as vLLM counts them: plain steps are left out. None where
    there was no such step."""
    steps = spec_steps(stats)
    if not steps:
        return None
    lengths = Counter(stats.accepted_lengths)
    histogram = [lengths[length] for length in range(len(stats.drafted_by_depth) + 1)]
    histogram[0] = steps - sum(histogram[1:])
    return {
        "mean_acceptance_length": 1 + stats.accepted / steps,
        "draft_acceptance_rate": stats.draft_acceptance_rate,
        "acceptance_histogram": histogram,
        "num_spec_steps": steps,
        "num_accepted_draft_tokens": stats.accepted,
        "num_draft_tokens": stats.drafted,
        "num_spec_tokens": len(stats.drafted_by_depth),
    }


def spec_steps(stats: TurnStats) -> int:
    """Steps that verified at least one draft token."""
    return stats.drafted_by_depth[0] if stats.drafted_by_depth else 0


def _number(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
