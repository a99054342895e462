"""All sections, one after the other; a section that fails is recorded and the next one runs."""

from __future__ import annotations

import platform
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch

from specchat.bench.gpu import kernel_sections as kernels
from specchat.bench.gpu.bench import GpuBench, OutOfTimeError, Report
from specchat.bench.gpu.model_sections import model_report
from specchat.bench.gpu.models import bundled, shapes, standin
from specchat.bench.gpu.standin import SHAPES, TINY, Shape
from specchat.bench.report import write_report
from specchat.engine.hardware import describe_hardware
from specchat.version import VERSION, commit, library_version

Section = Callable[[GpuBench], object]


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
    """Check and measure everything on `device`; `out` is rewritten after each section.

    `code` names the commit where the files have no history; `only` picks sections by the start of
    their names.
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
    for name, section in _sections(bench):
        if only and not name.startswith(only):
            continue
        say(name)
        with torch.no_grad():
            report["sections"][name] = _run(bench, section)
        if out is not None:
            write_report(out, report)
    report["ok"] = all(section["ok"] for section in report["sections"].values())
    if out is not None:
        write_report(out, report)
    return report


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
        result = section.get("result")
        if isinstance(result, dict) and "summary" in result:
            summary = result["summary"]
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


def _bundled(bench: GpuBench) -> Report:
    with bundled(bench) as measured:
        return model_report(bench, measured, is_8b=False)


def _standin(shape: Shape, bench: GpuBench) -> Report:
    bench.need(1 if bench.tiny else 45)
    with standin(bench, shape) as measured:
        report = model_report(bench, measured, is_8b="8B" in shape.name)
    return report | {"stand_in": True, "note": shape.note}


def _run(bench: GpuBench, section: Section) -> Report:
    started = time.monotonic()
    try:
        result: object = section(bench)
        outcome: Report = {"ok": True, "result": result}
    except OutOfTimeError as error:
        outcome = {"ok": False, "error": f"out of time: {error}"}
    except Exception as error:  # the rest is worth knowing all the same
        bench.say(traceback.format_exc())
        outcome = {"ok": False, "error": f"{type(error).__name__}: {error}"}
    return outcome | {"seconds": time.monotonic() - started}


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
