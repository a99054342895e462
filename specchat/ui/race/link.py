"""A race as a link: what the address of the page says about the question and the settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LONGEST_QUESTION = 2_000
"""Characters of a question that a link may carry."""


@dataclass(frozen=True)
class Limits:
    """The most that the controls of the page take."""

    temperature: float
    max_tokens: int
    nodes: int


@dataclass(frozen=True)
class Wish:
    """What a link asks for. None leaves a control as it is."""

    question: str
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    speculators: tuple[str, ...] | None = None
    nodes: int | None = None


def wish_of(query: Mapping[str, str], known: Sequence[str], most: Limits) -> Wish | None:
    """The wish of an address such as `?race=Where+is+it&seed=7`; None where it names no race.

    Values out of range and speculators that are not among `known` are left out: a link comes from
    anywhere.
    """
    question = query.get("race", "").strip()[:LONGEST_QUESTION]
    if not question:
        return None
    named = query.get("speculators")
    chosen = None if named is None else tuple(n for n in named.split(",") if n in known)
    return Wish(
        question,
        _number(query.get("temperature"), 0, most.temperature),
        _whole(query.get("max_tokens"), 1, most.max_tokens),
        _whole(query.get("seed"), 0, 2**31 - 1),
        chosen,
        _whole(query.get("nodes"), 0, most.nodes),
    )


def _number(text: str | None, low: float, high: float) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and low <= value <= high else None


def _whole(text: str | None, low: int, high: int) -> int | None:
    value = _number(text, low, high)
    return None if value is None or value != int(value) else int(value)
