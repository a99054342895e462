"""The audit: speculative decoding must give plain decoding's tokens, or a rounding tie decided."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from specchat.bench.arms import ARMS, arm_request, run_together
from specchat.bench.prompts import BenchPrompt
from specchat.engine.request import SamplingParams

if TYPE_CHECKING:
    from specchat.engine.engine import Engine

_SALT = "audit"
_FLOAT32_RELATIVE = 1e-4  # what reordered sums of a forward pass differ by
_MANTISSA_BITS = {"bfloat16": 7, "float16": 10}
_ULPS = 2


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first position at which the two answers to one prompt differ."""

    prompt_id: str
    position: int  # index in the answer
    plain_token: int | None  # None where this answer had already ended
    speculative_token: int | None
    gap: float  # of the target's two best scores there, or down to a worse token that was taken
    tolerance: float  # what rounding can make of equal scores in this dtype
    tie: bool  # the gap is within the tolerance


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What the audit of all prompts found."""

    prompts: int
    tokens: int  # compared, up to and including the first divergence of each prompt
    divergences: tuple[Divergence, ...]  # at most one a prompt

    @property
    def identical(self) -> int:
        """Prompts answered with the same tokens in both arms."""
        return self.prompts - len(self.divergences)

    @property
    def lossless(self) -> bool:
        """True when every divergence is a rounding tie."""
        return all(divergence.tie for divergence in self.divergences)


def run_audit(
    engine: Engine,
    prompts: Sequence[BenchPrompt],
    params: SamplingParams,
    *,
    concurrency: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> AuditResult:
    """Answers every prompt in both arms and compares the answers token for token.

    Prompt i is sampled with seed + i. `on_progress` is told how many prompts are done.

    Raises:
        EngineError: a request was refused or ended early.
    """
    tokens, divergences = 0, []
    for start in range(0, len(prompts), concurrency):
        group = prompts[start : start + concurrency]
        seeded = [replace(params, seed=params.seed + start + i) for i in range(len(group))]
        answers = [_answers(engine, group, seeded, speculate=arm == "speculative") for arm in ARMS]
        for prompt, own, plain, speculative in zip(group, seeded, *answers, strict=True):
            position = first_difference(plain, speculative)
            if position is None:
                tokens += len(plain)
                continue
            tokens += position + 1
            divergences.append(_judge(engine, prompt, own, plain, speculative, position))
        on_progress(start + len(group), len(prompts))
    return AuditResult(len(prompts), tokens, tuple(divergences))


def first_difference(left: Sequence[int], right: Sequence[int]) -> int | None:
    """Index of the first differing token, the shorter length if one is a prefix, None if equal."""
    for position, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return position
    return None if len(left) == len(right) else min(len(left), len(right))


def rounding_tolerance(score: float, dtype: str) -> float:
    """How far apart rounding can put two equal logits of about `score` computed in `dtype`.

    Two units in the last place for the 16-bit formats. float32 sums differ by the order of their
    terms, far more than their last place: a relative 1e-4.

    Raises:
        ValueError: `dtype` is not float32, bfloat16 or float16.
    """
    if dtype == "float32":
        return _FLOAT32_RELATIVE * max(1.0, abs(score))
    if dtype not in _MANTISSA_BITS:
        known = ", ".join(("float32", *_MANTISSA_BITS))
        raise ValueError(f"dtype must be one of {known}, got {dtype!r}")
    exponent = math.frexp(score)[1] - 1 if score else 0
    return _ULPS * 2.0 ** (exponent - _MANTISSA_BITS[dtype])


def _answers(
    engine: Engine,
    prompts: Sequence[BenchPrompt],
    params: Sequence[SamplingParams],
    *,
    speculate: bool,
) -> list[tuple[int, ...]]:
    requests = [
        arm_request(prompt.ids, own, speculate=speculate, salt=_SALT)
        for prompt, own in zip(prompts, params, strict=True)
    ]
    return [result.token_ids for result in run_together(engine, requests)]


def _judge(
    engine: Engine,
    prompt: BenchPrompt,
    params: SamplingParams,
    plain: Sequence[int],
    speculative: Sequence[int],
    position: int,
) -> Divergence:
    first, second = _at(plain, position), _at(speculative, position)
    context = (*prompt.ids, *plain[:position])
    scores = engine.choice_scores(context, params, position)
    best, runner_up = scores.topk(2).values.tolist()
    own = [float(scores[token]) for token in (first, second) if token is not None]
    # A token that is not among the two best makes the gap wider, never narrower.
    gap = best - min(runner_up, *own)
    tolerance = rounding_tolerance(float(engine.logits(context).max()), engine.info.dtype)
    if not params.greedy:
        tolerance /= params.temperature  # scores there are logits / temperature
    return Divergence(
        prompt.prompt_id, position, first, second, gap, tolerance, tie=gap <= tolerance
    )


def _at(tokens: Sequence[int], position: int) -> int | None:
    return tokens[position] if position < len(tokens) else None
