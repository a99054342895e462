"""`specchat bench gpu`, also as `python -m specchat.bench.gpu` where only what the engine needs is
installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

gpu_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@gpu_app.command()
def gpu(
    device: Annotated[str, typer.Option(help="cuda, cuda:N, or cpu with --tiny.")] = "cuda",
    minutes: Annotated[
        float, typer.Option(min=0.1, help="What is not done by then is left out.")
    ] = 7.5,
    tiny: Annotated[
        bool, typer.Option("--tiny", help="Smallest sizes: try every part, on CPU too.")
    ] = False,
    only: Annotated[
        str | None, typer.Option(help="Comma-separated starts of section names.")
    ] = None,
    commit: Annotated[
        str | None, typer.Option(help="Name of the code where it has no history.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the report to this JSON file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Check the kernels and measure kernels, steps and models on a GPU, large stand-ins included.

    Exit code 1 when a section failed. Without a GPU: --tiny --device cpu, with TRITON_INTERPRET=1.
    """
    import torch

    if not device.startswith(("cuda", "cpu")) or (
        device.startswith("cuda") and not torch.cuda.is_available()
    ):
        _stop(f"--device must be a usable CUDA GPU, or cpu with --tiny, got {device!r}")
    if device == "cpu" and not tiny:
        _stop("on cpu only --tiny is of use; figures of a CPU come from specchat race")
    from specchat.bench.gpu.run import gpu_text, run_gpu_bench
    from specchat.bench.report import ReportError, check_writable, to_json

    try:
        if out is not None:
            check_writable(out)
    except ReportError as error:
        _stop(str(error))
    report = run_gpu_bench(
        device=device,
        minutes=minutes,
        tiny=tiny,
        out=out,
        code=commit,
        only=tuple(part.strip() for part in (only or "").split(",") if part.strip()),
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    typer.echo(to_json(report) if as_json else gpu_text(report))
    if not report["ok"]:
        raise typer.Exit(1)


def _stop(message: str) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(2)
