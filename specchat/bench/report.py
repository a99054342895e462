"""Reports as JSON. The names in the race report are a contract: other tools read them."""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from specchat.bench.arms import ArmResult
from specchat.bench.audit import AuditResult
from specchat.bench.environment import Environment
from specchat.bench.race_series import MeasuredPair, RacePlan
from specchat.engine.request import SamplingParams, TurnStats
from specchat.evidence import Pair, draft_acceptance_rate, mean_acceptance_length, paired_speedup

Report = dict[str, Any]

_ONE_LINE = 160
"""Characters up to which an object is not spread over several lines of JSON."""


class ReportError(Exception):
    """A report cannot be written where it was asked for."""


def race_report(
    environment: Environment, plan: RacePlan, pairs: Sequence[MeasuredPair], prompts_file: str
) -> Report:
    """The report of `specchat race`: medians over the repeats inside each pair, in milliseconds."""
    settings = _sampling(plan.params) | {
        "prompts": prompts_file,
        "repeats": plan.repeats,
        "concurrency": plan.concurrency,
        "null": plan.null,
    }
    return {
        "environment": asdict(environment),
        "settings": settings,
        "pairs": [_pair(pair) for pair in pairs],
        "summary": _race_summary(pairs),
    }


def audit_report(
    environment: Environment, params: SamplingParams, result: AuditResult, prompts_file: str
) -> Report:
    """The report of `specchat audit`: every divergence, and whether all are rounding ties."""
    return {
        "environment": asdict(environment),
        "settings": _sampling(params) | {"prompts": prompts_file},
        "divergences": [asdict(divergence) for divergence in result.divergences],
        "summary": {
            "prompts": result.prompts,
            "tokens": result.tokens,
            "identical": result.identical,
            "ties": sum(divergence.tie for divergence in result.divergences),
            "lossless": result.lossless,
        },
    }


def to_json(report: Report) -> str:
    """Standard JSON, small objects and lists on one line; a number that does not exist (nan) is
    null."""
    return _dumped(_without_nan(report), 0)


def _dumped(value: Any, depth: int) -> str:
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if len(flat) <= _ONE_LINE or not isinstance(value, dict | list):
        return flat
    indent, brackets = " " * (depth + 1), "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_dumped(item, depth + 1)}" for key, item in value.items()]
    else:
        items = [_dumped(item, depth + 1) for item in value]
    inside = f",\n{indent}".join(items)
    return f"{brackets[0]}\n{indent}{inside}\n{' ' * depth}{brackets[1]}"


def race_text(report: Report) -> str:
    """A race report for a person."""
    summary, environment = report["summary"], report["environment"]
    pairs = summary["pairs"]
    tpot = f"{summary['plain_tpot_ms']:.2f} -> {summary['speculative_tpot_ms']:.2f} ms"
    lines = [
        f"{pairs} prompts, {summary['identical']} with identical tokens in both arms",
        f"TPOT {_times_faster(summary['speedup_tpot'])}, median {tpot}",
        f"E2E  {_times_faster(summary['speedup_e2e'])}",
    ]
    if not report["settings"]["null"]:
        lines.append(
            f"mean acceptance length {summary['mean_acceptance_length']:.2f}, "
            f"draft acceptance rate {summary['draft_acceptance_rate']:.1%}"
        )
    return "\n".join([*lines, where(environment)])


def audit_text(report: Report) -> str:
    """An audit report for a person."""
    summary, environment = report["summary"], report["environment"]
    lines = [
        f"{summary['prompts']} prompts, {summary['tokens']} tokens compared, "
        f"{summary['identical']} answers identical, {summary['ties']} rounding ties",
        *map(_divergence_text, report["divergences"]),
        "lossless" if summary["lossless"] else "NOT lossless: a divergence is no rounding tie",
    ]
    return "\n".join([*lines, where(environment)])


def check_writable(path: Path) -> None:
    """Finds out before a long run whether its report can be written.

    Raises:
        ReportError: `path` is a directory, or its directory is missing or read-only.
    """
    parent = path.parent
    if path.is_dir():
        raise ReportError(f"--out must name a file, {path} is a directory")
    if not parent.is_dir():
        raise ReportError(f"cannot write {path}: there is no directory {parent}")
    if not os.access(path if path.exists() else parent, os.W_OK):
        raise ReportError(f"cannot write {path}: permission denied")


def write_report(path: Path, report: Report) -> None:
    """Writes the report whole or not at all.

    Raises:
        ReportError: the file cannot be written.
    """
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_text(to_json(report) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise ReportError(f"cannot write {path}: {error.strerror or error}") from None


def _times_faster(speedup: Report) -> str:
    low, high = speedup["ci95"]
    interval = f"[{low:.2f}, {high:.2f}]" if math.isfinite(low) else "too few prompts for one"
    return f"speedup {speedup['median']:.2f}x, 95 % interval {interval}"


def _divergence_text(divergence: Report) -> str:
    verdict = "tie" if divergence["tie"] else "LOSS"
    plain, speculative = divergence["plain_token"], divergence["speculative_token"]
    return (
        f"{verdict}: {divergence['prompt_id']} at token {divergence['position']}: "
        f"plain {_token_text(plain)}, speculative {_token_text(speculative)}; "
        f"gap {divergence['gap']:.2g}, rounding {divergence['tolerance']:.2g}"
    )


def _token_text(token: int | None) -> str:
    return "had ended" if token is None else str(token)


def where(environment: Report) -> str:
    """Model, dtype, backend and machine of a measurement."""
    return (
        f"{environment['model']}, {environment['dtype']}, {environment['backend']}, "
        f"{environment['hardware']}"
    )


def _race_summary(pairs: Sequence[MeasuredPair]) -> Report:
    typical = [_typical(pair.speculative) for pair in pairs]
    return {
        "pairs": len(pairs),
        "identical": sum(pair.identical for pair in pairs),
        "speedup_tpot": _speedup(pairs, "tpot_ms"),
        "speedup_e2e": _speedup(pairs, "e2e_ms"),
        "mean_acceptance_length": round(mean_acceptance_length(typical).token_weighted, 4),
        "draft_acceptance_rate": round(draft_acceptance_rate(typical).rate, 4),
        "plain_tpot_ms": _median(_times(pair.plain)["tpot_ms"] for pair in pairs),
        "speculative_tpot_ms": _median(_times(pair.speculative)["tpot_ms"] for pair in pairs),
    }


def _speedup(pairs: Sequence[MeasuredPair], measure: Literal["tpot_ms", "e2e_ms"]) -> Report:
    """Median over prompts, with its interval; prompts without such a time are left out."""
    times = [
        (pair.prompt_id, _times(pair.plain)[measure], _times(pair.speculative)[measure])
        for pair in pairs
    ]
    found = paired_speedup(Pair(*each) for each in times if all(map(_is_time, each[1:])))
    interval = [round(found.ci95.low, 4), round(found.ci95.high, 4)]
    return {"median": round(found.median, 4), "ci95": interval}


def _is_time(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _pair(pair: MeasuredPair) -> Report:
    typical = _typical(pair.speculative)
    return {
        "id": pair.prompt_id,
        "tokens": len(pair.plain[0].tokens),
        "identical": pair.identical,
        "plain": _times(pair.plain),
        "speculative": _times(pair.speculative)
        | {
            "steps": typical.steps,
            "drafted": typical.drafted,
            "accepted": typical.accepted,
            "accepted_by_depth": list(typical.accepted_by_depth),
        },
    }


def _times(runs: Sequence[ArmResult]) -> Report:
    return {
        "ttft_ms": _median(run.stats.ttft_ms for run in runs),
        "tpot_ms": _median(run.stats.tpot_ms for run in runs),
        "e2e_ms": _median(run.stats.e2e_ms for run in runs),
    }


def _typical(runs: Sequence[ArmResult]) -> TurnStats:
    """Counters of the run whose time is the (lower) median."""
    return sorted(runs, key=lambda run: run.stats.e2e_ms)[(len(runs) - 1) // 2].stats


def _median(values: Iterable[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return round(statistics.median(finite), 4) if finite else math.nan


def _sampling(params: SamplingParams) -> Report:
    return {
        "max_tokens": params.max_tokens,
        "temperature": params.temperature,
        "seed": params.seed,
    }


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
