"""`specchat bench peers`: ours beside other engines, on the same prompts and weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from specchat.commands import shared
from specchat.commands.shared import AsJson, Limit, MaxTokens, Out, PromptsFile, Raw, Seed

if TYPE_CHECKING:
    from specchat.bench.peers.preparation import Machine
    from specchat.bench.prompts import BenchPrompt

ROOT = Path(__file__).resolve().parents[3]
PEERS_FILE = ROOT / "assets" / "benchmarks" / "peers.toml"
ROOM = 256
"""Tokens by which a peer's context is rounded up, beyond the longest prompt and answer."""


def peers(
    prompts_file: PromptsFile,
    names: Annotated[
        str | None,
        typer.Option("--peers", help="Such as transformers,llama.cpp,openvino,vllm; default: all."),
    ] = None,
    limit: Limit = None,
    raw: Raw = False,
    repeats: Annotated[int, typer.Option(min=1, help="Measured answers of each arm.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of every arm.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="A .gguf file; default: the base of the assistant.")
    ] = None,
    max_tokens: MaxTokens = 128,
    seed: Seed = 0,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Measure other engines beside ours: the same prompts, weights and stop rules, greedy.

    Each peer is installed in an environment of its own, its versions pinned in
    assets/benchmarks/peers.toml, and runs in processes of its own. Every arm answers every prompt
    once for its tokens, then for its times, the arms in random order, one at a time. A peer that
    cannot be installed or started is reported, and the others go on.
    """
    with shared.explained():
        from specchat.bench.peers.contest import ContestPlan, run_contest
        from specchat.bench.peers.peer_report import peers_report
        from specchat.bench.peers.pinned import chosen_peers, read_peers
        from specchat.bench.peers.preparation import prepare, weights_of
        from specchat.bench.peers.table import peers_text
        from specchat.bench.report import check_writable, to_json, write_report

        chosen = chosen_peers(read_peers(PEERS_FILE), names)
        if out is not None:
            check_writable(out)
        weights, plan = weights_of(model), ContestPlan(max_tokens, repeats, seed)
        encoded, machine = _encoded(prompts_file, limit, model, threads, max_tokens, raw=raw)
        prepared = prepare(chosen, weights, machine, _say)
        answers = len(prepared.launches) * len(encoded) * (1 + repeats)
        with shared.progress("peers", answers) as advance:
            result = run_contest(prepared.launches, encoded, plan, advance, _say_failure)
        result.failures = prepared.failures | result.failures
        environment = _environment(weights.gguf.name, machine.threads)
        environment["installed"] = prepared.installed
        settings = {"prompts": prompts_file.name, "raw": raw}
        report = peers_report(environment, settings, plan, encoded, prepared.arms, result)
        typer.echo(to_json(report) if as_json else peers_text(report))
        if out is not None:
            write_report(out, report)
            typer.echo(f"written to {out}", err=True)


def _encoded(
    prompts_file: Path,
    limit: int | None,
    model: Path | None,
    threads: int | None,
    max_tokens: int,
    *,
    raw: bool,
) -> tuple[list[BenchPrompt], Machine]:
    """The prompts as the chat asks them, and what workers need to know to answer them."""
    from specchat.bench.peers.preparation import Machine
    from specchat.bench.prompts import read_prompts
    from specchat.engine.hardware import multiplies_bf16, usable_cpus
    from specchat.loader import ASSISTANT
    from specchat.settings import load_settings

    prompts = read_prompts(prompts_file, limit)
    # The assistant's own model finds the pages; its base has the same tokenizer.
    settings = load_settings(
        model=str(model) if model else ASSISTANT, speculators="none", device="cpu", threads=threads
    )
    with shared.loaded_engine(settings) as loaded:
        room = loaded.engine.info.context_length - max_tokens
        with shared.prompt_encoding(loaded, settings, raw=raw) as encode:
            encoded = shared.encode_prompts(encode, prompts, room)
        eos_ids = tuple(sorted(loaded.engine.eos_ids))
    longest = max(len(prompt.ids) for prompt in encoded) + max_tokens
    context = -(-(longest + ROOM) // ROOM) * ROOM
    used = settings.threads or usable_cpus()
    return encoded, Machine(used, multiplies_bf16(), eos_ids, context)


def _environment(model: str, threads: int) -> dict[str, Any]:
    import platform
    from datetime import UTC, datetime

    import torch

    from specchat.engine.hardware import describe_hardware
    from specchat.version import VERSION, commit

    return {
        "model": model,
        "hardware": describe_hardware(torch.device("cpu")),
        "threads": threads,
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "version": VERSION,
        "commit": commit(),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _say(what: str) -> None:
    typer.echo(what, err=True)


def _say_failure(arm: str, why: str) -> None:
    typer.echo(f"{arm} failed: {why}", err=True)
