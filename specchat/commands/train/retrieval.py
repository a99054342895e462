"""`specchat train retriever`: what finds help pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specchat.commands.train.assistant import TEXTS, clear_errors

OFF_TOPIC = "off-topic"
"""The topic of the talk file that no company answers."""

Minutes = Annotated[float, typer.Option(help="Wall-clock time, resumed runs included.")]
Texts = Annotated[Path, typer.Option(help="Folder with companies/ and talk.toml.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Default: as many as processors.")]


def retriever(
    minutes: Minutes = 20,
    out: Annotated[Path, typer.Option(help="Folder of adapter and checkpoint.")] = Path(
        ".train/retriever"
    ),
    texts: Texts = TEXTS,
    runs: Annotated[
        int, typer.Option(min=1, help="Trainings with a seed of their own, averaged.")
    ] = 2,
    threads: Threads = None,
) -> None:
    """Train the sentence vectors' adapter for questions on made-up companies, without those that
    are held out.

    It saves as it goes and resumes when started again, with more --minutes as well.
    """
    from specchat.training.assistant.examples.business import HELD_OUT_KINDS
    from specchat.training.assistant.examples.talk import read_talk
    from specchat.training.retrieval.finetune import train_retriever

    with clear_errors():
        _use(threads)
        found = sorted((texts / "companies").glob("*.toml"))
        files = [file for file in found if file.stem not in HELD_OUT_KINDS]
        if not files:
            raise FileNotFoundError(f"no company files (*.toml) in {texts / 'companies'}")
        topics = read_talk(texts / "talk.toml").topics
        off_topic = [
            question for topic in topics if topic.id == OFF_TOPIC for question in topic.questions
        ]
        train_retriever(files, off_topic, out, minutes, runs, say=typer.echo)


def _use(threads: int | None) -> None:
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
