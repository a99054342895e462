"""A finished race as sentences for the page, and as the file and link that are shared."""

from __future__ import annotations

import hmac
import secrets
from collections import Counter
from html import escape
from typing import Any

from specchat.bench.arms import ArmResult
from specchat.bench.race import PairResult
from specchat.chat.types import AnswerOptions
from specchat.evidence.scenario import SCENARIOS, scenario_of
from specchat.ui.shared.format import (
    UNTOLD,
    AnswerNumbers,
    Headline,
    acceptance_length,
    count,
    drafts_accepted,
    duration,
    known,
    percent,
    race_headline,
)
from specchat.ui.shared.token_highlights import TARGET, style_of

_KEY = secrets.token_bytes(16)  # kept nowhere: what is made with it leads back to no question


PRESS = (
    '<div class="sc-headline"><p class="sc-big">Which answer is there first?</p>'
    '<p class="sc-sub">Pick a situation, or type a question and press Race.</p></div>'
)
MEASURING = (
    '<div class="sc-headline" role="status"><p class="sc-big">Measuring both…</p>'
    '<p class="sc-sub">One after the other in random order, then the replay.</p></div>'
)


def situation(question: str) -> str:
    """What is stored in the place of a question whose author did not agree: its scenario, and a
    mark that tells it from other questions, since statistics count how many were asked.

    The mark is the same for the same question until the app ends; the page's own have none.
    """
    key = scenario_of(question)
    if any(question == scenario.question for scenario in SCENARIOS):
        return key
    return f"{key} {hmac.digest(_KEY, question.encode('utf-8', 'replace'), 'sha256').hex()[:12]}"


def headline(pair: PairResult) -> Headline:
    """The sentence of a finished race."""
    return race_headline(pair.plain.stats, pair.speculative.stats, pair.identical)


def headline_html(pair: PairResult, settings: str) -> str:
    """The sentence with its numbers below. Escaped."""
    said = headline(pair)
    plain, speculative = pair.plain.stats, pair.speculative.stats
    numbers = pair_numbers(plain, speculative)
    order = f"{pair.first} ran first · {settings}"
    pairs = [
        f"{duration(plain.e2e_ms)} → {duration(speculative.e2e_ms)}",
    ]
    if plain.steps:  # a server does not tell
        pairs.append(f"{plain.steps} → {count(speculative.steps, 'pass', 'passes')}")
    if speculative.drafted:
        right = f"{percent(speculative.accepted, speculative.drafted)} of guesses right"
        wide = speculative.verification == "server-wide"
        pairs.append(f"{right}, of the whole server" if wide else right)
    if speculative.verification == "untold":
        pairs.append(UNTOLD)
    shown = "".join(f"<span>{escape(each)}</span>" for each in pairs)
    return (
        f'<div class="sc-headline" data-verdict="{said.verdict}" role="status">'
        f'<p class="sc-big">{escape(said.text)}</p>'
        f'<p class="sc-pairs">{shown}</p>'
        f'<details class="sc-sub"><summary>How it was measured</summary><p>{escape(numbers)}</p>'
        f"<p>{escape(order)}</p></details></div>"
    )


def about(
    pair: PairResult, question: str, settings: AnswerOptions, provenance: str
) -> dict[str, Any]:
    """What a shared race says besides its tokens: question (redacted), verdict, when each token
    came, settings."""
    said = headline(pair)
    return {
        "question": question,
        "headline": said.text,
        "verdict": said.verdict,
        "speedup": said.ratio,
        "identical": pair.identical,
        "first": pair.first,
        "numbers": pair_numbers(pair.plain.stats, pair.speculative.stats),
        "provenance": provenance,
        "sources": _sources(pair.speculative),
        "arms": {"plain": _over_time(pair.plain), "speculative": _over_time(pair.speculative)},
        "settings": {
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
            "seed": settings.seed,
            "speculators": None if settings.speculators is None else list(settings.speculators),
            "nodes": settings.max_nodes,
        },
    }


def _over_time(arm: ArmResult) -> dict[str, Any]:
    """When each token came since the question was sent, and how long the first took."""
    times = [round(ms, 2) for ms in arm.times_ms]
    return {"times_ms": times, "ttft": duration(arm.stats.ttft_ms)}


def _sources(arm: ArmResult) -> list[list[Any]]:
    """Who gave the arm's tokens, the target first, then who gave most: CSS key, label, letter and
    number. Nothing where another server's tokens came, which says nobody's name."""
    if arm.stats.verification != "coupled":
        return []
    given = Counter(style_of(token.source) for token in arm.tokens)
    order = sorted(given.items(), key=lambda each: (each[0].key != TARGET, -each[1]))
    return [[style.key, style.label, style.letter, tokens] for style, tokens in order]


def pair_numbers(plain: AnswerNumbers, speculative: AnswerNumbers) -> str:
    """Both arms in numbers: end to end, TPOT, TTFT, acceptance."""
    parts = [
        count(speculative.completion_tokens, "token"),
        f"end to end {duration(plain.e2e_ms)} → {duration(speculative.e2e_ms)}",
    ]
    if known(plain.tpot_ms) and known(speculative.tpot_ms):
        parts.append(f"TPOT {duration(plain.tpot_ms)} → {duration(speculative.tpot_ms)}")
    parts.append(f"TTFT {duration(plain.ttft_ms)} → {duration(speculative.ttft_ms)}")
    length = acceptance_length(speculative)
    if length is not None:
        parts.append(f"τ {length:.1f}")
    if speculative.drafted:
        parts.append(drafts_accepted(speculative))
    return " · ".join(parts)


def divergence(pair: PairResult) -> int | None:
    """Index of the first token in which the arms differ; None when they are the same."""
    ours, theirs = pair.plain.token_ids, pair.speculative.token_ids
    for position, (left, right) in enumerate(zip(ours, theirs, strict=False)):
        if left != right:
            return position
    return None if len(ours) == len(theirs) else min(len(ours), len(theirs))
