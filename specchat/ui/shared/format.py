"""Numbers as people read them: the footer of an answer and the headline of a race."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Literal, Protocol

Verdict = Literal["faster", "same", "slower", "short", "differs"]

UNTOLD = "the server tells nothing of its drafts"
NOT_PAYING = "plain: drafts not paying here"

EVEN_BAND = 0.05
"""Speedups within 1 ± this are called "about the same": one race does not resolve less."""


class AnswerNumbers(Protocol):
    """What `TurnStats`, `TurnMetrics` and `MetricRow` have in common."""

    @property
    def completion_tokens(self) -> int: ...
    @property
    def ttft_ms(self) -> float | None: ...
    @property
    def tpot_ms(self) -> float | None: ...
    @property
    def e2e_ms(self) -> float: ...
    @property
    def steps(self) -> int: ...
    @property
    def drafted(self) -> int: ...
    @property
    def accepted(self) -> int: ...


@dataclass(frozen=True)
class Headline:
    """One sentence about a race, and what kind of sentence it is."""

    text: str
    verdict: Verdict
    ratio: float | None  # plain time / speculative time; None when it means nothing


def known(value: float | None) -> bool:
    """True for a number that was measured: neither None nor nan."""
    return value is not None and math.isfinite(value)


def duration(ms: float | None) -> str:
    """A time such as `38 ms`, `3.4 ms` or `1.4 s`; `–` when unknown."""
    if ms is None or not math.isfinite(ms):
        return "–"
    if abs(ms) >= 1000:
        return f"{ms / 1000:.1f} s"
    return f"{ms:.0f} ms" if abs(ms) >= 10 else f"{ms:.1f} ms"


def percent(part: float, whole: float) -> str:
    """A share such as `71 %`; `–` of nothing."""
    return f"{100 * part / whole:.0f} %" if whole else "–"


def count(number: int, noun: str, several: str = "") -> str:
    """`1 token`, `2,048 tokens`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {several or noun + 's'}"


_FIGURE = re.compile(r"(-?[\d,]*\d(?:\.\d+)?)(?: (?:ms|s|M)| ?%|x)?")


def figure(shown: str) -> str:
    """HTML of a figure such as `1,234`, `3.4 ms` or `71 %`, with its value for the page's script,
    which writes it as the reader's language does. What is no figure stays text. Escaped."""
    found = _FIGURE.fullmatch(shown)
    if found is None:
        return escape(shown)
    return f'<data value="{found[1].replace(",", "")}">{escape(shown)}</data>'


def dated(shown: str, value: date) -> str:
    """HTML of a day that is shown in English words, with its date for the page's script."""
    return f'<time datetime="{value.isoformat()}">{escape(shown)}</time>'


def tokens_per_second(numbers: AnswerNumbers) -> float | None:
    """Streaming speed after the first token; None under two tokens."""
    tpot = numbers.tpot_ms
    if tpot is None or not math.isfinite(tpot) or tpot <= 0:
        return None
    return 1000.0 / tpot


def acceptance_length(numbers: AnswerNumbers) -> float | None:
    """Tokens per target pass, tau = 1 + accepted / steps; None without a pass."""
    return 1 + numbers.accepted / numbers.steps if numbers.steps else None


def footer(numbers: AnswerNumbers | None, mode: str, status: str = "completed") -> str:
    """The line under an answer: `212 tok/s · 148 tokens · τ 3.4 · 71 % drafts accepted · ...`.

    An answer that was stopped or failed says so first. A plain answer shows `plain`.
    """
    parts = {"cancelled": ["stopped"], "failed": ["failed"]}.get(status, [])
    if numbers is None:
        return " · ".join([*parts, "not measured"])
    speed = tokens_per_second(numbers)
    if speed is not None:
        parts.append(f"{speed:.0f} tok/s")
    parts.append(count(numbers.completion_tokens, "token"))
    parts.extend(_speculation_parts(numbers, mode))
    if known(numbers.ttft_ms):
        parts.append(f"TTFT {duration(numbers.ttft_ms)}")
    return " · ".join(parts)


def _speculation_parts(numbers: AnswerNumbers, mode: str) -> list[str]:
    if mode == "plain":
        return ["plain"]
    if _told_by(numbers) == "untold":
        return [UNTOLD]
    if not numbers.drafted:
        return [NOT_PAYING if _plain_steps(numbers) else "no drafts verified"]
    length = acceptance_length(numbers)
    parts = [] if length is None else [f"τ {length:.1f}"]
    parts.append(drafts_accepted(numbers))
    if 2 * _plain_steps(numbers) > numbers.steps:
        parts.append(f"{percent(_plain_steps(numbers), numbers.steps)} of steps {NOT_PAYING}")
    return parts


def drafts_accepted(numbers: AnswerNumbers) -> str:
    """`71 % drafts accepted`; where a server counts all its answers together, it says so."""
    said = f"{percent(numbers.accepted, numbers.drafted)} drafts accepted"
    return f"{said} server-wide" if _told_by(numbers) == "server-wide" else said


def _told_by(numbers: AnswerNumbers) -> str:
    """See `answer_cost.Verification`; "" of our own engine's older turns."""
    return getattr(numbers, "verification", "")


def _plain_steps(numbers: AnswerNumbers) -> int:
    return getattr(numbers, "plain_steps", 0)


def race_headline(plain: AnswerNumbers, speculative: AnswerNumbers, identical: bool) -> Headline:
    """What one race showed, in one sentence; as honest about a loss as about a gain."""
    if not identical:
        return Headline("The answers differ ✗, so the times cannot be compared", "differs", None)
    tokens = plain.completion_tokens
    if tokens < 2 or plain.e2e_ms <= 0 or speculative.e2e_ms <= 0:
        return Headline(
            f"Too short to compare: the answer has {count(tokens, 'token')}", "short", None
        )
    ratio = plain.e2e_ms / speculative.e2e_ms
    saved = plain.e2e_ms - speculative.e2e_ms
    if ratio > 1 + EVEN_BAND:
        text, verdict = f"{ratio:.1f}x faster, {duration(saved)} saved", "faster"
    elif ratio < 1 - EVEN_BAND:
        text, verdict = f"{ratio:.1f}x: slower here, {duration(-saved)} lost", "slower"
    else:
        text, verdict = f"{ratio:.2f}x: about the same speed here", "same"
    return Headline(f"{text}, same answer ✓", verdict, ratio)  # type: ignore[arg-type]


def model_name(name: str) -> str:
    """A model as people call it: a Hub name as it is, a directory by its last part."""
    absolute = name.startswith(("/", "~", ".")) or "\\" in name
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2] if absolute else name
