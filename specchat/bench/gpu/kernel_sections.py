"""The card's copy speed; the attention kernels against float64 and against the bytes they move."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from specchat.bench.gpu.cases import CARD, KINDS, PAGE, Size, random_case
from specchat.bench.gpu.clock import device_ms, launched_ms
from specchat.bench.gpu.context import GpuBench, Report
from specchat.engine.cuda.step_tables import Geometry, build
from specchat.engine.model.segment import Segment
from specchat.engine.sampling.sampler import gumbel_noise, noise_key

TOLERANCE = {torch.float32: 2e-5, torch.float16: 6e-3, torch.bfloat16: 5e-2}
"""Largest error of an output whose values are about 1, against float64 on the same inputs."""

SAMPLED_ALIKE = 0.98

OVER_CARD_CACHE = 4
"""So many times what the card's own cache holds is read in turn, so that nothing is found there."""


def copy_speed(bench: GpuBench, report: Report) -> None:
    """Gigabytes a second of a large copy, read and written bytes counted: what others are held
    against, so the better of a recorded and a launched one, by a card that is awake."""
    size = 2**22 if bench.tiny else 2**31
    source = torch.ones(size, dtype=torch.uint8, device=bench.device)
    target = torch.empty_like(source)
    runs = 3 if bench.tiny else 100

    def copy() -> torch.Tensor:
        return target.copy_(source)

    ms = device_ms(copy, bench.device, runs)
    if bench.device.type == "cuda":
        ms = min(ms, launched_ms(copy, runs))
    bench.copy_gb_s = 2 * size / ms / 1e6
    report |= {"bytes": 2 * size, "ms": ms, "gb_s": bench.copy_gb_s}


def kernels_against_float64(bench: GpuBench, report: Report) -> None:
    """Random steps in every dtype; the largest errors. Sampling against PyTorch's operations."""
    from specchat.engine.cuda import kernels

    tiny = Size(requests=2, divisions=((1, 2),), dims=(16, 64))
    dtypes = [torch.float32] if bench.device.type == "cpu" else list(TOLERANCE)
    worst: dict[str, float] = {}
    cases = 0
    for dtype in dtypes:
        for kind in KINDS:
            # Each shape is compiled anew.
            sizes = [tiny] if bench.tiny else CARD if dtype == bench.dtype else CARD[:1]
            for seed, size in enumerate(sizes):
                bench.need(20)
                case = random_case(seed, kind, bench.processors, size).to(bench.device, dtype)
                with torch.inference_mode():
                    out = kernels.attend(
                        case.query, case.keys, case.values, case.tables, **case.options
                    )
                name = str(dtype).removeprefix("torch.")
                error = float((out.double() - case.expected()).abs().max())
                error = error if math.isfinite(error) else math.inf
                worst[name] = max(worst.get(name, 0.0), error)
                cases += 1
    limits = {str(dtype).removeprefix("torch."): limit for dtype, limit in TOLERANCE.items()}
    good = all(error <= limits[name] for name, error in worst.items())
    bench.target("kernels against float64", max(worst.values()), f"within {limits}", good)
    report |= {"cases": cases, "largest_error": worst, "tolerance": limits}
    report["sampled_alike"] = alike = _sampled_alike(bench)
    if not good:
        report["failed"] = f"attention is {worst} from float64, {limits} is right"
    elif alike < SAMPLED_ALIKE:
        report["failed"] = f"{alike} of the sampled tokens are right, wanted {SAMPLED_ALIKE}"


def _sampled_alike(bench: GpuBench) -> float:
    """Share of rows in which the sampling kernel takes the token that PyTorch's operations take;
    where two scores differ by rounding alone it may be the other."""
    from specchat.engine.cuda import kernels

    rows, vocab = (2, 128) if bench.tiny else (256, 4096)
    generator = torch.Generator().manual_seed(0)
    logits = (5 * torch.randn(rows, vocab, generator=generator)).to(bench.device, bench.dtype)
    keys = [noise_key(7, position) for position in range(rows)]
    noise = gumbel_noise(7, 0, rows, vocab, bench.device)
    temperatures = torch.linspace(0.2, 2.0, rows, device=bench.device)
    found = kernels.sample(
        logits, torch.arange(rows, device=bench.device), torch.tensor(keys, device=bench.device),
        temperatures,
    )  # fmt: skip
    expected = (logits.float() / temperatures[:, None] + noise).argmax(-1)
    return float((found == expected).double().mean())


@dataclass(frozen=True, slots=True)
class Load:
    """A step whose attention is timed."""

    batch: int
    rows: int  # of each request
    context: int


def kernel_speed(bench: GpuBench, report: Report) -> None:
    """Attention of one layer with the heads of an 8B model (32 over 8, of 128): time, and the keys
    and values it has to read against the card's copy speed."""
    bench.keep(report.setdefault("loads", []), _speeds(bench))


def _speeds(bench: GpuBench) -> Iterator[Report]:
    heads, kv_heads, dim = (4, 2, 64) if bench.tiny else (32, 8, 128)
    geometry = Geometry(heads, kv_heads, PAGE, bench.processors)
    for load in _loads(bench.tiny):
        bench.need(15)
        read = 2 * load.batch * load.context * kv_heads * dim * bench.dtype.itemsize
        caches = max(2, math.ceil(OVER_CARD_CACHE * bench.cache_bytes / read))
        work = _attention(bench, load, geometry, dim, caches)
        ms = device_ms(work, bench.device, 3) / caches
        speed = read / ms / 1e6
        share = speed / bench.copy_gb_s if bench.copy_gb_s else None
        yield {
            "batch": load.batch, "rows": load.rows, "context": load.context, "caches": caches,
            "us": 1000 * ms, "kv_bytes": read, "gb_s": speed, "share_of_copy": share,
        }  # fmt: skip


def _loads(tiny: bool) -> Iterator[Load]:
    if tiny:
        yield Load(2, 2, 40)
        return
    for context in (512, 4096, 16384):
        for batch in (1, 8, 32, 128):
            if batch * context <= 600_000:
                yield from (Load(batch, rows, context) for rows in (1, 8))


def _attention(
    bench: GpuBench, load: Load, geometry: Geometry, dim: int, several: int
) -> Callable[[], object]:
    """Work that attends once in each of several caches."""
    from specchat.engine.cuda import kernels

    each = -(-(load.context + load.rows) // PAGE)
    pages = torch.randperm(load.batch * each).tolist()
    segments = [
        Segment(
            i * load.rows, load.rows, load.context, pages[i * each : (i + 1) * each], None,
            list(range(load.context, load.context + load.rows)),
        )
        for i in range(load.batch)
    ]  # fmt: skip
    rows = load.batch * load.rows
    tables = build(segments, rows, geometry, bench.device)
    made = {"dtype": bench.dtype, "device": bench.device}
    caches = torch.randn(several, 2, len(pages) * PAGE, geometry.kv_heads, dim, **made)
    query = torch.randn(rows, geometry.heads, dim, **made).transpose(0, 1)

    def work() -> list[torch.Tensor]:
        return [
            kernels.attend(query, keys, values, tables, scale=dim**-0.5) for keys, values in caches
        ]

    return work
