"""The dashboard's texts: headline, tiles, empty state and the engine's live panel. Escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Protocol

from specchat.evidence import Percentiles, percentiles
from specchat.evidence.grounding import GroundingRates
from specchat.ui.dashboard.data import (
    Evidence,
    interval_words,
    provenance,
    race_provenance,
    saved_words,
)
from specchat.ui.shared.alerts import hint, notes
from specchat.ui.shared.format import EVEN_BAND, count, duration, figure, known, percent
from storage import StoreHealth

MAP_CELLS = 256
"""Squares of the page map at the most, about."""

SERVERS_OWN = "Steps and KV cache are the server's own; it is not asked for them."


class Snapshot(Protocol):
    """What the live panel reads of the engine's snapshot."""

    @property
    def running(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def pages_total(self) -> int: ...
    @property
    def pages_free(self) -> int: ...
    @property
    def pages_cached(self) -> int: ...
    @property
    def pages_held(self) -> int: ...
    @property
    def pages_shared(self) -> int: ...
    @property
    def page_size(self) -> int: ...
    @property
    def prefix_hit_tokens(self) -> int: ...
    @property
    def prefix_query_tokens(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def backend(self) -> str: ...
    @property
    def ready(self) -> bool: ...
    @property
    def preemptions(self) -> int: ...


def empty_html(filtered: bool) -> str:
    """What to do when there is nothing to show."""
    if filtered:
        title, text = "No turn fits these filters", "Choose a longer time or set filters to Any."
    else:
        title = "No answers yet"
        text = (
            "Ask a question in Chat or run a race in Race. "
            "Every answer leaves its evidence here within seconds."
        )
    kind = "none" if filtered else "nothing"
    race = "" if filtered else '<button type="button" class="sc-button">Run a race</button>'
    return (
        f'<div class="sc-empty" data-shows="{kind}" role="status"><h3>{title}</h3>'
        f"<p>{text}</p>{race}</div>"
    )


def headline_html(evidence: Evidence) -> str:
    """The paired speedup in one sentence, with interval, n and provenance."""
    summary = evidence.speedup
    if not summary.pairs:
        said = "No race to compare yet" if evidence.races else "No races yet"
        counted = f'<p class="sc-sub">{_counted(evidence)}</p>' if evidence.races else ""
        return (
            f'<div class="sc-headline" role="status"><p class="sc-big">{said}</p>'
            '<p class="sc-sub">Run a race: only the same question asked both ways shows what '
            f"speculation saves.</p>{counted}</div>"
        )
    ratio = summary.median
    if ratio > 1 + EVEN_BAND:
        said, verdict = f"{ratio:.2f}x faster with speculation", "faster"
    elif ratio < 1 - EVEN_BAND:
        said, verdict = f"{ratio:.2f}x: slower with speculation here", "slower"
    else:
        said, verdict = f"{ratio:.2f}x: about the same speed", "same"
    lines = [
        f"{interval_words(summary)}; {summary.slower} slower; {saved_words(evidence.savings)}",
        f"{_counted(evidence)} · {race_provenance(evidence.races)}",
    ]
    subs = "".join(f'<p class="sc-sub">{escape(line)}</p>' for line in lines)
    return (
        f'<div class="sc-headline" data-verdict="{verdict}" role="status">'
        f'<p class="sc-big">{escape(said)}</p>{subs}</div>'
    )


def _counted(evidence: Evidence) -> str:
    """How many races gave the same answer, and what became of the others."""
    races = len(evidence.races)
    said = f"{evidence.identical} of {count(races, 'race')} gave the same answer both ways"
    left_out = races - evidence.identical
    return f"{said}; {left_out} left out of all times" if left_out else said


def tiles_html(evidence: Evidence) -> str:
    """Three numbers in plain words, and alarms about numbers that cannot be right."""
    turns, rates = len(evidence.rows), evidence.grounding
    tiles = [
        (f"{turns:,}", f"turn{'' if turns == 1 else 's'}, {count(len(evidence.races), 'race')}"),
        (duration(_ttft(evidence).p50), "until the first word, median"),
        (_share(rates.grounded / rates.answers), _of_answers(rates))
        if rates.answers
        else (_share(evidence.rate.rate), "of the drafts were right"),
    ]
    cut = notes([evidence.cut] if evidence.cut else [])
    return f"{_tiles(tiles)}{cut}{_alarms_html(evidence)}"


def speed_html(evidence: Evidence) -> str:
    """How long turns took, beside the charts of races."""
    tpot = percentiles(row.tpot_ms for row in evidence.rows if row.status == "completed")
    ttft = _ttft(evidence)
    return _tiles(
        [
            (duration(ttft.p50), f"TTFT p50, p95 {duration(ttft.p95)} (n = {ttft.n})"),
            (duration(tpot.p50), f"TPOT p50, p95 {duration(tpot.p95)} (n = {tpot.n})"),
        ]
    )


def drafts_html(evidence: Evidence) -> str:
    """How many drafts were right."""
    length = _number(evidence.length.token_weighted, 2)
    return _tiles(
        [
            (length, f"τ over all tokens; per turn {_per_turn(evidence)}"),
            (_share(evidence.rate.rate), _accepted(evidence)),
        ]
    )


def answers_html(rates: GroundingRates) -> str:
    """Whether answers stand on what was found."""
    if not rates.answers:
        return (
            '<div class="sc-empty" role="status"><h3>No answer to check yet</h3>'
            "<p>Ask a question in Chat: every answer is checked against what was found.</p></div>"
        )
    tiles = [
        (rates.grounded, _of_answers(rates)),
        (rates.replaced, "were the page itself, as the model's answer failed the check"),
        (rates.unknown, "said that it does not know"),
        (rates.unsupported, "had an unsupported specific before the check"),
    ]
    return _tiles([(_share(number / rates.answers), label) for number, label in tiles])


def source_html(evidence: Evidence) -> str:
    """Where the numbers of all charts come from, once. Escaped."""
    return f'<p class="sc-provenance">{escape(provenance(evidence.rows))}</p>'


def _tiles(tiles: Sequence[tuple[str, str]]) -> str:
    shown = "".join(
        f'<div class="sc-tile"><b>{figure(value)}</b><span>{escape(label)}</span></div>'
        for value, label in tiles
    )
    return f'<div class="sc-tiles">{shown}</div>'


def _ttft(evidence: Evidence) -> Percentiles:
    return percentiles(row.ttft_ms for row in evidence.rows if row.status == "completed")


def _of_answers(rates: GroundingRates) -> str:
    return f"of {count(rates.answers, 'answer')} from pages or orders"


def live_html(snapshot: Snapshot, health: StoreHealth, tokens_per_s: float = 0.0) -> str:
    """The engine now: requests, pages, prefix cache, backend; and the state of the record.
    `tokens_per_s` is of the answers that ended in the last minute."""
    ours = snapshot.pages_total > 0
    hits, asked = snapshot.prefix_hit_tokens, snapshot.prefix_query_tokens
    tiles = [
        (f"{tokens_per_s:.1f}", "tokens/s, answers of the last minute"),
        (str(snapshot.running), "answers running"),
        (str(snapshot.waiting), "waiting"),
        (_share(hits / asked) if asked else "–", "of prompt tokens from the prefix cache"),
        (snapshot.backend, "backend" if snapshot.ready else "backend, still warming up"),
        *([(f"{snapshot.steps:,}", f"steps, {snapshot.preemptions} preemptions")] if ours else []),
        (f"{health.written:,}", _health_words(health)),
    ]
    below = _pages_html(snapshot) if ours else hint(SERVERS_OWN)
    return f'<div class="sc-live">{_tiles(tiles)}{below}</div>'


def _pages_html(snapshot: Snapshot) -> str:
    total = max(snapshot.pages_total, 1)
    parts = [
        ("shared", snapshot.pages_shared),
        ("held", snapshot.pages_held - snapshot.pages_shared),
        ("cached", snapshot.pages_cached),
        ("free", snapshot.pages_free),
    ]
    each = max(1, -(-total // MAP_CELLS))
    cells = "".join(f'<i class="{name}"></i>' * _cells(pages, each) for name, pages in parts)
    legend = "".join(
        f'<span><i class="{name}"></i>{pages:,} {name}</span>' for name, pages in parts
    )
    of = "one page" if each == 1 else f"up to {each:,} pages"
    text = (
        f"Page map of the KV cache: {snapshot.pages_total:,} pages of {snapshot.page_size} tokens, "
        f"one square is {of}"
    )
    return (
        f'<p class="sc-provenance">{escape(text)}</p>'
        f'<div class="sc-pages" role="img" aria-label="{escape(text)}">{cells}</div>'
        f'<p class="sc-pages-legend">{legend}</p>'
    )


def _cells(pages: int, each: int) -> int:
    """Squares for so many pages; one at least where there is a page at all."""
    return -(-pages // each)


def _health_words(health: StoreHealth) -> str:
    if health.lost:
        return f"records written, {health.lost} LOST: {health.last_error or 'see the log'}"
    if health.journaled:
        return f"records written; {health.journaled} wait in a file: {health.last_error}"
    if health.last_error:
        return f"records written; the database refuses: {health.last_error}"
    return "records written, none lost"


def _alarms_html(evidence: Evidence) -> str:
    return "".join(
        f'<div class="sc-note" role="status">{len(alarm.turn_ids)} '
        f"turn{'' if len(alarm.turn_ids) == 1 else 's'}: {escape(alarm.message)}</div>"
        for alarm in evidence.alarms
    )


def _per_turn(evidence: Evidence) -> str:
    return f"{_number(evidence.length.turn_median, 2)} (median of {evidence.length.turns})"


def _accepted(evidence: Evidence) -> str:
    interval = evidence.rate.ci95
    said = f"of {evidence.rate.drafted:,} drafts accepted"
    if any(row.verification == "server-wide" for row in evidence.rows):
        said += ", counted server-wide"
    if not interval.known:
        return said
    return f"{said}, 95 % interval {percent(interval.low, 1)} to {percent(interval.high, 1)}"


def _share(value: float) -> str:
    return percent(value, 1) if known(value) else "–"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if known(value) else "–"
