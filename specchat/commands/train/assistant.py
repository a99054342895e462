"""`specchat train assistant`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

TEXTS = Path("assets/training")


def assistant(
    minutes: Annotated[float, typer.Option(help="Wall-clock time, resumed runs included.")] = 60,
    out: Annotated[Path, typer.Option(help="Folder the adapter is written to.")] = Path(
        ".train/assistant/adapter"
    ),
    work: Annotated[Path, typer.Option(help="Folder of the checkpoint.")] = Path(
        ".train/assistant"
    ),
    texts: Annotated[Path, typer.Option(help="Folder of companies/ and talk.toml.")] = TEXTS,
    base: Annotated[
        Path | None, typer.Option(help="A model directory. Default: the installed base.")
    ] = None,
    start: Annotated[Path | None, typer.Option(help="Folder of an adapter to go on from.")] = None,
    seed: Annotated[int, typer.Option(help="Of the examples and the adapter's start.")] = 7,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Default: as many as processors.")
    ] = None,
    rank: Annotated[int, typer.Option(min=1, help="Of the adapter.")] = 16,
    frozen: Annotated[int, typer.Option(min=0, help="Layers at the bottom without adapter.")] = 8,
    lr: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-3,
    examples: Annotated[int, typer.Option(min=1, help="In a batch, at least.")] = 8,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Stop after this many steps.")
    ] = None,
    evaluate: Annotated[
        int, typer.Option(min=0, help="Held-out questions of each split answered at the end.")
    ] = 0,
    only_evaluate: Annotated[
        bool, typer.Option("--only-evaluate", help="Do not train: answer with the adapter there.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write the evaluation's scores here, as JSON.")
    ] = None,
) -> None:
    """Train the assistant's adapter on made-up companies; measure it on companies it has not seen.

    It saves as it goes and resumes when started again, with more --minutes as well.
    """
    from specchat.training.assistant.adapter import AdapterShape
    from specchat.training.assistant.stage import (
        AssistantPlace,
        evaluate_assistant,
        train_assistant,
    )
    from specchat.training.assistant.trainer import AssistantSettings

    with clear_errors():
        place = AssistantPlace(
            texts=texts, work=work, out=out, base=base, start=start, threads=threads,
            say=typer.echo,
            settings=AssistantSettings(minutes=minutes, lr=lr, examples=examples, seed=seed),
            shape=AdapterShape(rank=rank, alpha=2 * rank, frozen_layers=frozen),
        )  # fmt: skip
        if not only_evaluate:
            train_assistant(place, max_steps)
        if evaluate or only_evaluate:
            scores = evaluate_assistant(place, evaluate or 150)
            if report:
                report.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")


def assistant_store(
    count: Annotated[int, typer.Option(min=1, help="Made-up customers to answer.")] = 800,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path(
        ".train/assistant/suffix_store.safetensors"
    ),
    texts: Annotated[Path, typer.Option(help="Folder of companies/ and talk.toml.")] = TEXTS,
    model: Annotated[str, typer.Option(help="'care' or a directory.")] = "care",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Default: as many as processors.")
    ] = None,
) -> None:
    """Let the assistant answer made-up customers; suffix drafting starts from its answers."""
    from specchat.training.suffix_store import write_assistant_store

    with clear_errors():
        typer.echo(write_assistant_store(model, texts, count, out, threads, typer.echo))


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turns a user's mistake into one line and exit status 2."""
    try:
        yield
    except Exception as error:
        if not _is_users_mistake(error):
            raise
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None


def _is_users_mistake(error: Exception) -> bool:
    from specchat.engine.errors import EngineError
    from storage import StoreError

    kinds = (FileNotFoundError, ValueError, KeyError, EngineError, StoreError)
    return isinstance(error, kinds)
