"""Step times by rows and requests, recorded against eager, and plain against speculative."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from specchat.bench.environment import describe_environment
from specchat.bench.gpu.clock import wall_ms
from specchat.bench.gpu.context import GpuBench, OutOfTimeError, Report
from specchat.bench.gpu.models import Measured
from specchat.bench.race_series import RacePlan, run_race
from specchat.bench.report import race_report
from specchat.engine.kv.page_pool import PagePool, PageTable
from specchat.engine.model.batch import Rows, pack
from specchat.engine.model.runner import ModelRunner
from specchat.engine.request import SamplingParams

ROWS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
RACES = (1, 8, 32, 64, 128, 4, 16)
"""Requests at the same time, in the order in which they are measured while there is time."""

TPOT_OVER_WEIGHTS = 1.25
EIGHT_OVER_ONE = 1.1
STEP_ERROR = 0.05
SPEEDUP_ALONE, SPEEDUP_AT_32, NEVER_UNDER = 2.5, 1.3, 0.98


def measure_model(bench: GpuBench, measured: Measured, report: Report, *, is_8b: bool) -> None:
    """Everything about one engine; what there was no time for is left out and said."""
    snapshot = measured.engine.snapshot()
    report |= {
        "label": measured.label,
        "backend": snapshot.backend,
        "parameters": measured.engine.info.parameters,
        "context_length": measured.engine.info.context_length,
        "speculators": list(measured.engine.info.speculators),
        "memory_bytes": {
            "weights": measured.memory.weights,
            "kv_cache": measured.memory.pages,
            "kept_for_steps": measured.memory.work,
            "graphs": measured.runner.graphs.bytes,
        },
        "graphs_missing_because": measured.runner.graphs.reason,
        "fused_modules": len(measured.runner.eager.fused),
    }
    parts: dict[str, Callable[[], Iterator[Report]]] = {
        "steps": partial(step_times, bench, measured.runner),
        "recorded_against_eager": partial(recorded_against_eager, bench, measured.runner),
        "races": partial(races, bench, measured),
    }
    try:
        for name, part in parts.items():
            bench.keep(report.setdefault(name, []), part())
    except OutOfTimeError as error:
        report["stopped"] = str(error)
    finally:
        report["summary"] = _summary(bench, measured, report)
        if is_8b:
            _targets(bench, measured.label, report)


def step_times(bench: GpuBench, runner: ModelRunner) -> Iterator[Report]:
    """Milliseconds of a step, host included, over random keys and values: `requests` requests of
    `rows` rows each behind `context` tokens."""
    for cache in (*runner.cache.keys, *runner.cache.values):
        cache.normal_()
    context = 32 if bench.tiny else 512
    sizes = [(1, rows) for rows in ((1, 2) if bench.tiny else ROWS)]
    batches = (2,) if bench.tiny else BATCHES[1:]
    sizes += [(batch, rows) for batch in batches for rows in (1, 4, 8)]
    for requests, rows in sizes:
        bench.need(10)
        parts = _parts(runner, requests, rows, context)
        if parts is None:
            continue
        step = partial(runner.forward, parts)
        step()
        ms = wall_ms(step, bench.device, 3 if bench.tiny else 9)
        yield {"requests": requests, "rows": rows, "context": context, "ms": ms}


def recorded_against_eager(bench: GpuBench, runner: ModelRunner) -> Iterator[Report]:
    """The same steps replayed and launched one by one, and how far the logits of the replayed ones
    are from those of steps that gather their pages, as a share of the largest logit."""
    for requests, rows in ((1, 1), (1, 8), (8, 1)):
        bench.need(10)
        parts = _parts(runner, requests, rows, 32)
        if parts is None:
            continue
        ms = {}
        steps: dict[str, Any] = {
            "recorded": partial(runner.forward, parts),
            "eager": partial(_eager, runner, parts),
        }
        if runner.graphs.bucket(requests * rows) is None:
            del steps["recorded"]
        for name, work in steps.items():
            work()
            ms[name] = wall_ms(work, bench.device, 3 if bench.tiny else 9)
        found = runner.forward(parts).logits.float().clone()
        with _gathering(runner):
            expected = _eager(runner, parts).float()
        error = float((found - expected).abs().max() / expected.abs().max())
        agree = float((found.argmax(-1) == expected.argmax(-1)).double().mean())
        if not error <= STEP_ERROR:  # nor where it is no number
            name = f"{requests} x {rows} rows: logits are {error:.3g} from gathered pages"
            raise ArithmeticError(f"{name}, at most {STEP_ERROR} is right")
        yield {"requests": requests, "rows": rows, "ms": ms, "error": error, "same_tokens": agree}


def _eager(runner: ModelRunner, parts: list[Rows]) -> torch.Tensor:
    with torch.inference_mode():
        return runner.eager.forward(pack(parts, runner.device)).logits


@contextmanager
def _gathering(runner: ModelRunner) -> Iterator[None]:
    """Steps in eager mode without our kernels."""
    geometry, runner.eager.geometry = runner.eager.geometry, None
    try:
        with runner.eager.fused.left_out():
            yield
    finally:
        runner.eager.geometry = geometry


def races(bench: GpuBench, measured: Measured) -> Iterator[Report]:
    """`specchat race` with so many requests at a time: greedy, plain and speculative interleaved
    on one engine whose plain steps are recorded just the same."""
    tokens = 6 if bench.tiny else 96
    for concurrency in (1, 2) if bench.tiny else RACES:
        bench.need(25 if not bench.tiny else 1)
        count = 2 if bench.tiny else max(8, concurrency)
        plan = RacePlan(
            SamplingParams(max_tokens=tokens, temperature=0.0, ignore_eos=bench.tiny),
            repeats=1 if bench.tiny or concurrency > 16 else 2,
            concurrency=concurrency,
        )
        bench.say(f"{measured.label}: {concurrency} at a time")
        pairs = run_race(measured.engine, measured.prompts(count), plan)
        environment = describe_environment(measured.engine)
        race = race_report(environment, plan, pairs, "the bundled FAQ's questions")
        yield {"concurrency": concurrency, "max_tokens": tokens, **race["summary"]}


def _parts(runner: ModelRunner, requests: int, rows: int, context: int) -> list[Rows] | None:
    """Rows to verify on scattered pages; None when the cache is too small for them."""
    size = runner.cache.page_size
    each = -(-(context + rows) // size)
    if requests * each > runner.pages:
        return None
    pages = random.Random(0).sample(range(runner.pages), requests * each)
    pool = PagePool(runner.pages, size)
    parts = []
    for i in range(requests):
        table = PageTable(pool, pages=pages[i * each : (i + 1) * each], length=context)
        tokens = [(7 * i + 3 * row + 11) % runner.shape.vocab_size for row in range(rows)]
        positions = range(context, context + rows)
        parts.append(Rows(table, tokens, positions, None, range(rows)))
    return parts


def _summary(bench: GpuBench, measured: Measured, report: Report) -> Report:
    """The figures that matter."""
    single = {step["rows"]: step["ms"] for step in report.get("steps", ()) if step["requests"] == 1}
    raced = {race["concurrency"]: race for race in report.get("races", ())}
    raced = dict(sorted(raced.items()))
    alone = raced.get(1, {}).get("plain_tpot_ms")
    weights_ms = measured.read_bytes / bench.copy_gb_s / 1e6 if bench.copy_gb_s else None
    return {
        "read_bytes": measured.read_bytes,
        "weights_over_copy_speed_ms": weights_ms,
        "plain_tpot_ms": alone,
        "plain_tpot_over_weights": alone / weights_ms if alone and weights_ms else None,
        "eight_rows_over_one": single[8] / single[1] if {1, 8} <= single.keys() else None,
        "speedup_by_concurrency": {
            str(concurrency): race["speedup_tpot"]["median"] for concurrency, race in raced.items()
        },
    }


def _targets(bench: GpuBench, label: str, report: Report) -> None:
    summary = report["summary"]
    speedups = {int(k): v for k, v in summary["speedup_by_concurrency"].items()}

    def at_most(name: str, value: float | None, limit: float) -> None:
        met = value is not None and value <= limit
        bench.target(f"{label}: {name}", value, f"at most {limit}", met)

    def at_least(name: str, value: float | None, limit: float) -> None:
        met = value is not None and value >= limit
        bench.target(f"{label}: {name}", value, f"at least {limit}", met)

    at_most("plain TPOT over reading the weights", summary["plain_tpot_over_weights"],
            TPOT_OVER_WEIGHTS)  # fmt: skip
    at_most("step of 8 rows over a step of 1", summary["eight_rows_over_one"], EIGHT_OVER_ONE)
    at_least("median speedup of one stream", speedups.get(1), SPEEDUP_ALONE)
    at_least("median speedup of 32 streams", speedups.get(32), SPEEDUP_AT_32)
    worst = min(speedups.values()) if speedups else None
    at_least(f"smallest speedup of {sorted(speedups)} streams", worst, NEVER_UNDER)
