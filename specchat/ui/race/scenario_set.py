"""A race of every scenario: one row each, and what they say together."""

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

    @property
    def plain_ms(self) -> float:
        return self.pair.plain.stats.e2e_ms

    @property
    def speculative_ms(self) -> float:
        return self.pair.speculative.stats.e2e_ms


def set_html(rows: Sequence[SetRow], of: int) -> str:
    """A table of the races so far, and their median once there is one. Escaped."""
    if not rows:
        said = "The first of the set runs…"
        return f'<div class="sc-set" role="status"><p class="sc-sub">{said}</p></div>'
    body = "".join(map(_row, rows))
    return (
        f'<div class="sc-set" role="status"><p class="sc-big">{escape(_together(rows, of))}</p>'
        '<div class="sc-scroll" tabindex="0" role="region" aria-label="Races of the set"><table>'
        "<thead><tr><th>Scenario</th><th>Plain</th><th>Speculative</th><th>Speedup</th>"
        f"<th>Same answer</th></tr></thead><tbody>{body}</tbody></table></div></div>"
    )


def _row(row: SetRow) -> str:
    ratio = headline(row.pair).ratio
    shown = "–" if ratio is None else f"{ratio:.2f}x"
    same = "✓ yes" if row.pair.identical else "✗ no"
    cells = [duration(row.plain_ms), duration(row.speculative_ms), shown, same]
    return f'<tr><th scope="row">{escape(row.scenario.label)}</th>' + "".join(
        f"<td>{figure(cell)}</td>" for cell in cells
    ) + "</tr>"  # fmt: skip


def _together(rows: Sequence[SetRow], of: int) -> str:
    alike = [row for row in rows if headline(row.pair).ratio is not None]
    same = sum(row.pair.identical for row in rows)
    counted = f"same answer in {same} of {len(rows)}"
    if len(rows) < of:
        return f"{len(rows)} of {of} races run, {counted}"
    if not alike:
        return f"{len(rows)} races, none can be compared, {counted}"
    pairs = [Pair(row.scenario.key, row.plain_ms, row.speculative_ms) for row in alike]
    summary = paired_speedup(pairs)
    saved = sum(pair.plain_ms - pair.speculative_ms for pair in pairs)
    verb = "saved" if saved >= 0 else "lost"
    return f"Median {summary.median:.2f}x, {duration(abs(saved))} {verb} in all, {counted}"
