"""Two configurations side by side, from stored turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from specchat.evidence import draft_acceptance_rate, mean_acceptance_length, percentiles
from specchat.ui.shared.format import duration, figure, known, model_name, percent
from storage import MetricRow, RaceRow

FEW = (
    '<p class="sc-provenance" role="status">There is only one configuration among these turns. '
    "Race once, or change speculators, nodes or temperature, and come back.</p>"
)


UNPAIRED = (
    "Medians of completed turns that are not paired: the questions may differ, so there is no "
    "ratio. For the effect of speculation alone see the races above."
)


@dataclass(frozen=True, order=True)
class Configuration:
    """What may differ between two turns besides the question."""

    model: str
    mode: str
    speculators: tuple[str, ...]
    temperature: float
    dtype: str
    hardware: str

    @property
    def label(self) -> str:
        drafts = "plain" if self.mode == "plain" else "+".join(self.speculators) or "no speculator"
        parts = (model_name(self.model), drafts, f"T {self.temperature:g}", self.dtype)
        return " · ".join((*parts, self.hardware))


def configuration(row: MetricRow) -> Configuration:
    """The configuration of a stored turn."""
    return Configuration(
        row.model, row.mode, tuple(row.speculators), row.temperature, row.dtype, row.hardware
    )


def configurations(rows: Sequence[MetricRow]) -> list[Configuration]:
    """Those that occur among completed turns, the one with most turns first."""
    counts: dict[Configuration, int] = {}
    for row in rows:
        if row.status == "completed":
            found = configuration(row)
            counts[found] = counts.get(found, 0) + 1
    return sorted(counts, key=lambda found: (-counts[found], found))


def compare_html(
    rows: Sequence[MetricRow], first: str, second: str, races: Sequence[RaceRow] = ()
) -> str:
    """Medians of both. Where the two ran in the same races, of these alone, with their ratio; a
    ratio of answers to different questions would say nothing. Escaped."""
    sides = _paired(races, first, second)
    paired = bool(sides[0])
    if not paired:
        sides = [
            [row for row in rows if row.status == "completed" and configuration(row).label == label]
            for label in (first, second)
        ]
    if not all(sides):
        return FEW
    lines = "".join(_time_line(name, sides, of, paired) for name, of in _TIMES)
    lines += _plain_line("τ", [_length(side) for side in sides])
    lines += _plain_line("Drafts accepted", [_rate(side) for side in sides])
    heads = "".join(
        f'<th scope="col">{name}: {escape(label)}<br>n = {len(side):,}</th>'
        for name, label, side in zip("AB", (first, second), sides, strict=True)
    )
    return (
        '<div class="sc-scroll sc-compare" tabindex="0" role="region" aria-label="Comparison">'
        f'<table><thead><tr><th scope="col">Median</th>{heads}<th scope="col">A / B</th></tr>'
        f"</thead><tbody>{lines}</tbody></table></div>"
        f'<p class="sc-provenance">{_paired_words(len(sides[0])) if paired else UNPAIRED}</p>'
    )


def _paired_words(pairs: int) -> str:
    many = "1 pair" if pairs == 1 else f"{pairs:,} pairs"
    return f"Medians of {many} of races: the same question with the same seed, both ways."


def _paired(races: Sequence[RaceRow], first: str, second: str) -> list[list[MetricRow]]:
    """The arms of the races in which both configurations ran, in the order of the two."""
    sides: list[list[MetricRow]] = [[], []]
    for race in races:
        arms = {configuration(row).label: row for row in (race.plain, race.speculative)}
        if first != second and first in arms and second in arms:
            sides[0].append(arms[first])
            sides[1].append(arms[second])
    return sides


_TIMES: tuple[tuple[str, Callable[[MetricRow], float | None]], ...] = (
    ("End to end", lambda row: row.e2e_ms),
    ("Time to first token", lambda row: row.ttft_ms),
    ("Time per output token", lambda row: row.tpot_ms),
    ("Tokens of the answer", lambda row: row.completion_tokens),
)


def _time_line(
    name: str,
    sides: Sequence[Sequence[MetricRow]],
    of: Callable[[MetricRow], float | None],
    paired: bool,
) -> str:
    a, b = (percentiles(of(row) for row in side).p50 for side in sides)
    shown = [_count(v) if name.startswith("Tokens") else duration(v) for v in (a, b)]
    ratio = f"{a / b:.2f}x" if paired and a is not None and b else "–"
    return _line(name, [*shown, ratio])


def _plain_line(name: str, shown: Sequence[str]) -> str:
    return _line(name, [*shown, ""])


def _line(name: str, cells: Sequence[str]) -> str:
    columns = "".join(f"<td>{figure(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{name}</th>{columns}</tr>'


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _length(rows: Sequence[MetricRow]) -> str:
    if rows[0].mode == "plain":
        return "1 (plain)"
    value = mean_acceptance_length(rows).token_weighted
    return f"{value:.2f}" if known(value) else "–"


def _rate(rows: Sequence[MetricRow]) -> str:
    found = draft_acceptance_rate(rows)
    return f"{percent(found.rate, 1)} of {found.drafted:,}" if known(found.rate) else "–"
