"""The dashboard's section on a GPU that others may not have: a recorded `specchat bench gpu`.

Without a recorded run there is no such section.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from specchat.bench.load.recorded_runs import RECORDED
from specchat.bench.report import Report
from specchat.ui.shared.format import figure

log = logging.getLogger(__name__)


def build_gpu_section(directory: Path = RECORDED) -> gr.Accordion | None:
    """Lay out the newest recorded run; None where there is none."""
    report = recorded_run(directory)
    if report is None:
        return None
    with gr.Accordion("On a GPU, recorded", open=False, elem_id="sc-gpu") as fold:
        gr.HTML(gpu_html(report))
    return fold


def recorded_run(directory: Path) -> Report | None:
    """The newest real run in `directory`; files that are none are left out with a warning."""
    runs = []
    for file in sorted(directory.glob("gpu-*.json")):
        try:
            report = json.loads(file.read_text(encoding="utf-8"))
            gpu_html(report)
            if report["kind"] == "gpu" and report["environment"]["device"].startswith("cuda"):
                runs.append(report)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s is no report of a GPU run: %s", file, error)
    return max(runs, key=lambda run: run["environment"]["started_at"], default=None)


def gpu_html(report: Report) -> str:
    """What was measured, on which GPU, when and with which code. Escaped."""
    rows = "".join(
        f"<tr>{''.join(f'<td>{figure(cell)}</td>' for cell in cells)}</tr>"
        for cells in _rows(report)
    )
    titles = (
        "Model", "Plain, ms per token", "Over reading the weights", "8 rows over 1",
        "Median speedup by streams",
    )  # fmt: skip
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    where = report["environment"]
    provenance = (
        f"Recorded on {where['hardware']}, {where['started_at']}, commit {where['commit']}, "
        f"{where['dtype']}, torch {where['torch']}, triton {where['triton']}, transformers "
        f"{where['transformers']}. {report['note']}"
    )
    return (
        '<div class="sc-scroll" tabindex="0" role="region" aria-label="On a GPU, recorded">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<p class="sc-provenance">{escape(provenance)}</p>'
    )


def _rows(report: Report) -> Iterator[list[str]]:
    for section in report["sections"].values():
        result = section.get("result")
        if not isinstance(result, dict) or "summary" not in result:
            continue
        summary = result["summary"]
        speedups = summary["speedup_by_concurrency"].items()
        yield [
            str(result["label"]),
            _number(summary["plain_tpot_ms"]),
            _number(summary["plain_tpot_over_weights"]),
            _number(summary["eight_rows_over_one"]),
            ", ".join(f"{streams}: {_number(speedup)}" for streams, speedup in speedups),
        ]


def _number(value: Any) -> str:
    return "not measured" if value is None else f"{value:.2f}"
