"""All sections, one after the other; a section that fails is recorded and the next one runs."""

from __future__ import annotations

import gc
import platform
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch

from specchat.bench.gpu import kernel_sections as kernels
from specchat.bench.gpu.context import GpuBench, OutOfTimeError, Report
from specchat.bench.gpu.model_sections import measure_model
from specchat.bench.gpu.models import bundled, shapes, standin
from specchat.bench.gpu.standin import SHAPES, TINY, Shape
from specchat.bench.report import write_report
from specchat.engine.hardware import describe_hardware
from specchat.version import VERSION, commit, library_version

Section = Callable[[GpuBench, Report], None]
"""Adds its figures to the report it is given, as they come; `failed` says what is wrong."""


def run_gpu_bench(
    *,
    device: str,
    minutes: float,
    tiny: bool,
    out: Path | None,
    code: str | None = None,
    only: tuple[str, ...] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Report:
    """Check and measure everything on `device`; `out` is rewritten whenever there is something new.

    `code` names the commit where the files have no history; `only` picks sections by the start of
    their names. The copy speed is always measured: others are held against it.
    """
    where = torch.device(device)
    bench = GpuBench(
        where,
        torch.float32 if where.type == "cpu" else torch.bfloat16,
        tiny,
        time.monotonic() + 60 * minutes,
        say,
    )
    report: Report = {
        "kind": "gpu",
        "environment": _environment(bench, code),
        "note": NOTE + (" A tiny run: its figures mean nothing." if tiny else ""),
        "sections": {},
        "targets": bench.targets,
    }
    if out is not None:
        bench.save = partial(write_report, out, report)
    for name, section in _sections(bench):
        if only and not name.startswith(("copy speed", *only)):
            continue
        say(name)
        with torch.no_grad():
            _run(bench, section, report["sections"].setdefault(name, {}))
        _free(where)
    report["ok"] = all(section["ok"] for section in report["sections"].values())
    bench.save()
    return report


def _free(device: torch.device) -> None:
    """Give back what a section held: engines stand in reference cycles."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


NOTE = (
    "Stand-ins have the shape and cost of the models they are named after, and the text and "
    "acceptance of the bundled model, whose weights are embedded in them. They are not those "
    "models."
)


def gpu_text(report: Report) -> str:
    """The report for a person."""
    environment = report["environment"]
    lines = [f"{environment['hardware']}, torch {environment['torch']}, {environment['commit']}"]
    for name, section in report["sections"].items():
        state = "ok" if section["ok"] else f"FAILED: {section['error']}"
        lines.append(f"{name}: {state} ({section['seconds']:.0f} s)")
        summary = section["result"].get("summary", {})
        lines += [f"  {key}: {_short(value)}" for key, value in summary.items()]
    for target in report["targets"]:
        mark = "met" if target["met"] else "NOT met"
        lines.append(f"{mark}: {target['name']} {_short(target['value'])}, {target['wanted']}")
    return "\n".join([*lines, report["note"]])


def _sections(bench: GpuBench) -> Iterator[tuple[str, Section]]:
    yield "copy speed", kernels.copy_speed
    yield "kernels against float64", kernels.kernels_against_float64
    yield "kernel speed", kernels.kernel_speed
    yield "bundled family", _bundled
    for shape in shapes(bench, SHAPES, TINY):
        yield shape.label, partial(_standin, shape)


def _bundled(bench: GpuBench, report: Report) -> None:
    with bundled(bench) as measured:
        measure_model(bench, measured, report, is_8b=False)


def _standin(shape: Shape, bench: GpuBench, report: Report) -> None:
    bench.need(1 if bench.tiny else 90)  # to build it and to record its steps
    report |= {"stand_in": True, "note": shape.note}
    with standin(bench, shape) as measured:
        measure_model(bench, measured, report, is_8b="8B" in shape.name)


def _run(bench: GpuBench, section: Section, outcome: Report) -> None:
    result: Report = {}
    outcome |= {"ok": False, "error": "ended in the middle", "result": result, "seconds": 0.0}
    started = time.monotonic()
    try:
        section(bench, result)
        outcome["error"] = result.get("failed")
    except OutOfTimeError as error:
        outcome["error"] = f"out of time: {error}"
    except Exception as error:  # the rest is worth knowing all the same
        bench.say(traceback.format_exc())
        outcome["error"] = f"{type(error).__name__}: {error}"
    outcome["seconds"] = time.monotonic() - started
    if outcome["error"] is None:
        del outcome["error"]
        outcome["ok"] = True
    bench.save()


def _environment(bench: GpuBench, code: str | None) -> Report:
    found: Report = {
        "hardware": describe_hardware(bench.device),
        "device": str(bench.device),
        "dtype": str(bench.dtype).removeprefix("torch."),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "transformers": library_version("transformers"),
        "triton": library_version("triton"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "version": VERSION,
        "commit": code or commit(),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if bench.device.type == "cuda":
        card = torch.cuda.get_device_properties(bench.device)
        found["memory_bytes"] = card.total_memory
        found["processors"] = card.multi_processor_count
    return found


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_short(each)}" for key, each in value.items())
    return "not measured" if value is None else str(value)
