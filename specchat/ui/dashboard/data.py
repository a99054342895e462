"""What the dashboard shows, computed from stored rows by `specchat.evidence` only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from specchat.evidence import (
    AcceptanceLength,
    AcceptanceRate,
    Alarm,
    PairedSummary,
    Savings,
    acceptance_by_depth,
    acceptance_histogram,
    alarms,
    draft_acceptance_rate,
    ecdf,
    mean_acceptance_length,
    paired_speedup,
    pairs_of,
    percentiles,
    saved_ms,
)
from specchat.evidence.alarms import loss_alarms
from specchat.evidence.grounding import GroundingRates, grounding_rates
from specchat.evidence.paired import Measure
from specchat.evidence.scenario import OTHER, SCENARIOS, scenario_of
from specchat.ui.shared.charts import Curve, Estimate, PairPoint
from specchat.ui.shared.format import acceptance_length, duration, model_name, tokens_per_second
from storage import MetricRow, RaceRow, Store, TurnFilter
from storage.records import utc_now

EVER = "All time"
PERIODS: dict[str, timedelta | None] = {
    EVER: None,
    "Last hour": timedelta(hours=1),
    "Last 24 hours": timedelta(days=1),
    "Last 7 days": timedelta(days=7),
}
ANY = "Any"
LOADS = ("Started at once", "Had to wait")
AT_ONCE_MS = 5.0
"""A request that is scheduled within this time found the engine free for it."""
MOST_ROWS = 10_000
"""Turns, and races, that are read at the most: the newest."""
TABLE_ROWS = 200
TABLE_HEADERS = (
    "Time (UTC)", "Scenario", "Mode", "Total ms", "Saved ms", "First word ms", "Tokens", "tok/s",
    "τ", "Accepted %", "Model", "Status",
)  # fmt: skip
"""Plain words first; what a turn was asked with is in the exports."""
TABLE_WIDTHS_PX = (180, 110, 110, 95, 95, 120, 80, 75, 65, 105, 100, 105)
_LABELS = {**{scenario.key: scenario.label for scenario in SCENARIOS}, OTHER: "Other"}
_MEASURES: tuple[tuple[str, Measure], ...] = (
    ("End to end", "e2e_ms"),
    ("TPOT", "tpot_ms"),
    ("TTFT", "ttft_ms"),
)


@dataclass(frozen=True)
class Choice:
    """The filters as chosen on the page."""

    period: str = EVER
    mode: str = ANY
    model: str = ANY
    kind: str = ANY
    scenario: str = ANY
    speculator: str = ANY
    load: str = ANY

    def filter(self, now: datetime | None = None, limit: int = MOST_ROWS) -> TurnFilter:
        """The filter of the store."""
        span = PERIODS.get(self.period)
        return TurnFilter(
            since=None if span is None else (now or utc_now()) - span,
            mode=_chosen(self.mode),  # type: ignore[arg-type]
            model=_chosen(self.model),
            kind=_chosen(self.kind),  # type: ignore[arg-type]
            limit=limit,
        )

    def keeps(self, row: MetricRow) -> bool:
        """True for a turn that fits the filters which the store does not know."""
        waited = row.queue_ms > AT_ONCE_MS
        return (self.load in ("", ANY) or waited == (self.load == "Had to wait")) and (
            self.speculator in ("", ANY) or self.speculator in row.speculators
        )

    def keeps_race(self, race: RaceRow) -> bool:
        """True for a race whose question and speculative side fit them."""
        named = self.scenario in ("", ANY) or scenario_of(race.prompt) == self.scenario
        return named and self.keeps(race.speculative)


@dataclass(frozen=True)
class Evidence:
    """Everything the dashboard draws. Rows are newest first."""

    rows: tuple[MetricRow, ...]
    races: tuple[RaceRow, ...]
    speedup: PairedSummary  # end to end
    savings: Savings
    identical: int  # races with the same answer both ways; only their times are compared
    length: AcceptanceLength
    rate: AcceptanceRate
    alarms: tuple[Alarm, ...]
    grounding: GroundingRates
    cut: str = ""  # what was read up to its limit, as a sentence

    @property
    def empty(self) -> bool:
        """True when no stored turn fits the filters."""
        return not self.rows and not self.races


def gather(store: Store, choice: Choice, limit: int = MOST_ROWS) -> Evidence:
    """Read the rows that fit, the newest `limit` turns and races, and summarise them."""
    which = choice.filter(limit=limit)
    read_races = store.races(which) if choice.kind in (ANY, "race") else []
    read_turns = store.metrics(which)
    races = tuple(race for race in read_races if choice.keeps_race(race))
    rows = tuple(row for row in read_turns if choice.keeps(row))
    if choice.scenario != ANY:  # only races keep an excerpt of their question
        raced = {arm.turn_id for race in races for arm in (race.plain, race.speculative)}
        rows = tuple(row for row in rows if row.turn_id in raced)
    pairs = pairs_of(races, "e2e_ms")
    speculative = speculative_rows(rows)
    return Evidence(
        rows=rows,
        races=races,
        speedup=paired_speedup(pairs),
        savings=saved_ms(pairs),
        identical=sum(race.identical for race in races),
        length=mean_acceptance_length(speculative),
        rate=draft_acceptance_rate(speculative),
        alarms=(*alarms(speculative), *loss_alarms(races, _race_group, _race_turn)),
        grounding=grounding_rates(store.grounds(which)),
        cut=_cut(len(read_turns) >= limit, len(read_races) >= limit, limit),
    )


def _cut(turns: bool, races: bool, limit: int) -> str:
    if not turns and not races:
        return ""
    what = "turns and races" if turns and races else "turns" if turns else "races"
    return f"Only the newest {limit:,} {what} are counted."


def fingerprint(store: Store, choice: Choice) -> str:
    """Changes whenever what `gather` would read may have changed; cheap."""
    newest = store.metrics(TurnFilter(limit=1))
    health = store.health()
    return f"{choice}/{newest[0].turn_id if newest else ''}/{health.written}/{health.lost}"


def speculative_rows(rows: Iterable[MetricRow]) -> list[MetricRow]:
    """Rows of turns that were answered with speculation on."""
    return [row for row in rows if row.mode == "speculative"]


def race_points(races: Iterable[RaceRow]) -> list[PairPoint]:
    """Races that can be compared, as points; without the question's text."""
    return [
        PairPoint(
            race.plain.e2e_ms,
            race.speculative.e2e_ms,
            f"{race.speculative.completion_tokens} tokens, {_time(race.created_at)}",
        )
        for race in races
        if pairs_of([race], "e2e_ms")
    ]


def speedup_rows(races: Sequence[RaceRow]) -> list[Estimate]:
    """Paired speedup of every measure."""
    rows = []
    for name, measure in _MEASURES:
        pairs = pairs_of(races, measure)
        if not pairs:
            continue
        summary = paired_speedup(pairs)
        ratios = tuple(pair.plain_ms / pair.speculative_ms for pair in pairs)
        rows.append(
            Estimate(
                name, summary.median, summary.ci95.low, summary.ci95.high, summary.prompts, ratios
            )
        )
    return rows


def scenario_rows(races: Sequence[RaceRow]) -> list[Estimate]:
    """End-to-end speedup of every scenario with a race to compare, slowdowns included."""
    rows = []
    for key, label in _LABELS.items():
        pairs = pairs_of([race for race in races if scenario_of(race.prompt) == key], "e2e_ms")
        if not pairs:
            continue
        found = paired_speedup(pairs)
        ratios = tuple(pair.plain_ms / pair.speculative_ms for pair in pairs)
        name = f"{label} (n = {len(pairs)})"
        rows.append(
            Estimate(name, found.median, found.ci95.low, found.ci95.high, found.prompts, ratios)
        )
    return rows


def page_points(rows: Sequence[MetricRow]) -> list[tuple[datetime, int]]:
    """When each turn was stored and the most KV pages it held, oldest first."""
    return [(row.created_at, row.peak_pages) for row in reversed(rows)]


def curves(rows: Sequence[MetricRow], of: Callable[[MetricRow], float | None]) -> list[Curve]:
    """The distribution of one time for each mode that occurs."""
    found = []
    for mode in ("plain", "speculative"):
        values = [of(row) for row in rows if row.mode == mode and row.status == "completed"]
        steps = ecdf(values)
        if steps.n:
            marks = percentiles(values)
            found.append(Curve(mode, steps.values, steps.shares, steps.n, marks.p50, marks.p95))
    return found


def depth_rows(rows: Iterable[MetricRow]) -> list[Estimate]:
    """Acceptance of every draft depth."""
    return [
        Estimate(f"{depth.depth}.", depth.rate, depth.ci95.low, depth.ci95.high, depth.drafted)
        for depth in acceptance_by_depth(speculative_rows(rows))
    ]


def length_counts(rows: Iterable[MetricRow]) -> tuple[int, ...]:
    """Target passes by how many draft tokens they accepted."""
    return acceptance_histogram(speculative_rows(rows))


def provenance(rows: Iterable[MetricRow]) -> str:
    """Models, machines and settings behind rows, for printing on a chart."""
    known = list(rows)
    parts = [
        _distinct("model", (model_name(row.model) for row in known)),
        _distinct("dtype", (row.dtype for row in known)),
        _distinct("hardware", (row.hardware for row in known)),
        _distinct("speculators", (", ".join(row.speculators) for row in known)),
        _distinct("temperature", (f"{row.temperature:g}" for row in known)),
        _distinct("at most", (str(row.max_tokens) for row in known)) + " tokens",
        _distinct("code", (row.code_version for row in known)),
    ]
    return " · ".join(parts)


def race_provenance(races: Iterable[RaceRow]) -> str:
    """`provenance` of the speculative arms."""
    return provenance(race.speculative for race in races)


def table(evidence: Evidence) -> list[list[Any]]:
    """The newest turns as table rows, in the order of `TABLE_HEADERS`; no text of anybody."""
    races = {arm.turn_id: race for race in evidence.races for arm in (race.plain, race.speculative)}
    return [_table_row(row, races.get(row.turn_id)) for row in evidence.rows[:TABLE_ROWS]]


def _table_row(row: MetricRow, race: RaceRow | None) -> list[Any]:
    return [
        _time(row.created_at),
        row.kind.capitalize() if race is None else _situation(race),
        row.mode,
        _rounded(row.e2e_ms),
        _rounded(_saved(row, race)),
        _rounded(row.ttft_ms),
        row.completion_tokens,
        _rounded(tokens_per_second(row), 0),
        _rounded(acceptance_length(row) if row.mode == "speculative" else None, 2),
        _rounded(100 * row.accepted / row.drafted if row.drafted else None, 0),
        model_name(row.model),
        row.status,
    ]


def _situation(race: RaceRow) -> str:
    return _LABELS[scenario_of(race.prompt)]


def _saved(row: MetricRow, race: RaceRow | None) -> float | None:
    """What the speculative side of a race with one answer took less than the plain one."""
    if race is None or not race.identical or row.mode != "speculative":
        return None
    return race.plain.e2e_ms - race.speculative.e2e_ms


def interval_words(summary: PairedSummary) -> str:
    """`median of 12 prompts, 95 % interval 1.9x to 2.3x`."""
    prompts = f"median of {summary.prompts} prompt{'' if summary.prompts == 1 else 's'}"
    if not summary.ci95.known:
        return f"{prompts}; a 95 % interval needs at least 6 different prompts"
    return f"{prompts}, 95 % interval {summary.ci95.low:.2f}x to {summary.ci95.high:.2f}x"


def saved_words(savings: Savings) -> str:
    """`4.1 s saved over 12 races`, or lost."""
    races = f"{savings.pairs} race{'' if savings.pairs == 1 else 's'}"
    verb = "saved" if savings.total_ms >= 0 else "lost"
    return f"{duration(abs(savings.total_ms))} {verb} over {races}"


def _race_group(race: Any) -> str:
    row = race.speculative
    return f"{model_name(row.model)}, {', '.join(row.speculators) or 'no speculator'}"


def _race_turn(race: Any) -> str:
    return str(race.speculative.turn_id)


def _chosen(value: str) -> str | None:
    return None if value in ("", ANY) else value


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _rounded(value: float | None, digits: int = 1) -> float | None:
    if value is None or value != value:
        return None
    return round(value, digits) if digits else float(round(value))


def _distinct(name: str, values: Iterable[str], shown: int = 3) -> str:
    different = sorted({value for value in values if value})
    if not different:
        return f"{name} –"
    more = f" and {len(different) - shown} more" if len(different) > shown else ""
    return f"{name} {', '.join(different[:shown])}{more}"
