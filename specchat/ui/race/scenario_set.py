"""A race of every scenario: how far it is, one row each, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from specchat.bench.race import PairResult
from specchat.evidence import paired_speedup
from specchat.evidence.paired import Pair
from specchat.evidence.scenario import Scenario
from specchat.ui.race.result import headline
from specchat.ui.shared.format import duration, figure


@dataclass(frozen=True)
class SetRow:
    """One finished race of the set."""

    scenario: Scenario
    pair: PairResult
    run: str  # names the race on the page, which shows it again

    @property
    def plain_ms(self) -> float:
        return self.pair.plain.stats.e2e_ms

    @property
    def speculative_ms(self) -> float:
        return self.pair.speculative.stats.e2e_ms

    @property
    def ratio(self) -> float | None:
        """How many times faster speculation was; None where the answers cannot be compared."""
        return headline(self.pair).ratio


def set_headline(rows: Sequence[SetRow], scenarios: Sequence[Scenario]) -> str:
    """Which of the set runs, or what the whole set says. Escaped."""
    if len(rows) < len(scenarios):
        said = f"Race {len(rows) + 1} of {len(scenarios)}"
        return (
            f'<div class="sc-headline" role="status"><p class="sc-big">{said}</p>'
            f'<p class="sc-sub">{escape(scenarios[len(rows)].label)}</p></div>'
        )
    said, verdict = _together(rows)
    return (
        f'<div class="sc-headline sc-headline-set" data-verdict="{verdict}" role="status">'
        f'<p class="sc-big">{escape(said)}</p>'
        f'<p class="sc-sub">{escape(_counted(rows))}</p></div>'
    )


def set_html(rows: Sequence[SetRow], scenarios: Sequence[Scenario]) -> str:
    """A stepper while the set runs; with a bar for each arm of the races so far, the fastest gain
    first once all have run. Escaped."""
    shown = list(rows)
    if len(rows) == len(scenarios):
        shown.sort(key=lambda row: -(row.ratio or 0.0))
    longest = max((max(row.plain_ms, row.speculative_ms) for row in rows), default=1.0)
    body = "".join(_row(row, longest) for row in shown)
    table = (
        '<div class="sc-scroll" tabindex="0" role="region" aria-label="Races of the set"><table>'
        "<thead><tr><th>Scenario</th><th>Plain and speculative</th><th>Speedup</th>"
        f"<th>Same answer</th></tr></thead><tbody>{body}</tbody></table></div>"
    )
    return f'<div class="sc-set">{_stepper(len(rows), scenarios)}{table if rows else ""}</div>'


def _stepper(done: int, scenarios: Sequence[Scenario]) -> str:
    if done == len(scenarios):
        return ""
    states = ["done"] * done + ["now"] + ["next"] * (len(scenarios) - done - 1)
    steps = "".join(
        f'<li data-state="{state}"{" aria-current=step" if state == "now" else ""}>'
        f"<span>{escape(scenario.label)}</span></li>"
        for scenario, state in zip(scenarios, states, strict=True)
    )
    return f'<ol class="sc-stepper">{steps}</ol>'


def _row(row: SetRow, longest: float) -> str:
    bars = "".join(
        f'<div class="sc-bar" data-arm="{arm}"><i style="width:{100 * ms / longest:.1f}%"></i>'
        f"{figure(duration(ms))}</div>"
        for arm, ms in (("plain", row.plain_ms), ("speculative", row.speculative_ms))
    )
    shown = "–" if row.ratio is None else f"{row.ratio:.2f}x"
    same = "✓ yes" if row.pair.identical else "✗ no"
    return (
        f'<tr><th scope="row"><button type="button" data-run="{escape(row.run)}">'
        f'{escape(row.scenario.label)}</button></th><td class="sc-bars">{bars}</td>'
        f"<td>{figure(shown)}</td><td>{same}</td></tr>"
    )


def _counted(rows: Sequence[SetRow]) -> str:
    same = sum(row.pair.identical for row in rows)
    return f"same answer in {same} of {len(rows)}"


def _together(rows: Sequence[SetRow]) -> tuple[str, str]:
    """The sentence of the whole set, and its verdict."""
    alike = [row for row in rows if row.ratio is not None]
    if not alike:
        return f"{len(rows)} races, none can be compared", "differs"
    pairs = [Pair(row.scenario.key, row.plain_ms, row.speculative_ms) for row in alike]
    summary = paired_speedup(pairs)
    saved = sum(pair.plain_ms - pair.speculative_ms for pair in pairs)
    verb = "saved" if saved >= 0 else "lost"
    verdict = "faster" if summary.median > 1 else "slower"
    return f"Median {summary.median:.2f}x, {duration(abs(saved))} {verb} in all", verdict
