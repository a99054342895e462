"""A report of peers for a person."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Report = dict[str, Any]

HEAD = ("arm", "same tokens", "ms/token", "first ms", "prompt tok/s", "total ms")


def peers_text(report: Report) -> str:
    """One line for each arm that answered, what failed, and how to read it."""
    kinds = list(report["references"])
    head = [*HEAD, *(f"/ our {kind}" for kind in kinds)]
    rows = [_row(arm, kinds) for arm in report["arms"] if arm["total_ms"] == arm["total_ms"]]
    failures = [f"{each['arm']} failed: {each['error']}" for each in report["failures"]]
    return "\n".join([*_aligned([head, *rows]), *failures, *_notes(report)])


def _row(arm: Report, kinds: Sequence[str]) -> list[str]:
    same = f"{arm['identical']} of {arm['compared']}" if arm["compared"] else "?"
    return [
        arm["arm"],
        same + (" *" if arm["quantised"] else ""),
        _number(arm["tpot_ms"], 2),
        _number(arm["ttft_ms"], 0),
        _number(arm["prompt_tokens_per_s"], 0),
        _number(arm["total_ms"], 0),
        *(_ratio(arm["ratios"][kind]["tpot_ms"]) for kind in kinds),
    ]


def _ratio(ratio: Report) -> str:
    if not math.isfinite(ratio["median"]):
        return "?"
    low, high = ratio["ci95"]
    interval = f" [{low:.2f}, {high:.2f}]" if math.isfinite(low) else ""
    return f"{ratio['median']:.2f}{interval}"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "?"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _notes(report: Report) -> list[str]:
    settings, environment = report["settings"], report["environment"]
    return [
        "Same tokens: prompts answered as our plain arm does, token for token. "
        "* other weights by quantisation: other tokens are to be expected.",
        "Ratios: time per token after the first over ours on the same prompt, median and 95 % "
        "interval over prompts (from 6 on); above 1 ours is faster.",
        f"{len(report['prompts'])} prompts of {settings['prompts']}, each measured "
        f"{settings['repeats']} times, greedy, at most {settings['max_tokens']} tokens, one stream",
        f"{environment['model']}, {environment['hardware']}, {environment['threads']} threads",
    ]
