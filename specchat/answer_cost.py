"""What the engine measures of one answer: named once, for the engine, the chat and the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Verification = Literal["coupled", "server", "server-wide", "untold"]
"""How drafts were verified, and whose the numbers are: by our own engine; by another server, which
told of this request, or only of everything it did meanwhile, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCost:
    """What an answer took and what speculation earned. Times in milliseconds."""

    prompt_tokens: int
    cached_tokens: int  # prompt tokens taken from the prefix cache
    completion_tokens: int
    queue_ms: float  # submit to first scheduled
    e2e_ms: float  # submit to last token
    steps: int  # target passes that produced tokens, the first one (TTFT) left out
    drafted: int  # draft nodes actually verified
    accepted: int  # draft tokens of the answer, besides each step's last, the target's own
    drafted_by_depth: tuple[int, ...]  # index 0 = first draft token: steps that offered this depth
    accepted_by_depth: tuple[int, ...]  # steps whose accepted path reached this depth
    drafted_by_source: Mapping[str, int]
    accepted_by_source: Mapping[str, int]
    accepted_lengths: tuple[int, ...]  # accepted draft tokens of each step, in order
    draft_ms: float  # spent proposing
    verify_ms: float  # spent in the target's forward passes of decode steps
    peak_pages: int
    preemptions: int
    plain_steps: int = 0  # without drafts although they were wanted: none was expected to pay
    asked_by_speculator: Mapping[str, int] = field(default_factory=dict)  # steps it drafted in
    draft_ms_by_speculator: Mapping[str, float] = field(default_factory=dict)  # this request's part
