"""`specchat train speculator` for any target: gathers the text, shows a bar, prints the report."""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import typer
from tqdm import tqdm

from specchat.engine.model.pretrained import load_tokenizer
from specchat.loader import resolve
from specchat.training.corpus.care_corpus import Message, in_split, load_corpus
from specchat.training.corpus.training_tasks import (
    Task,
    history_conversations,
    make_tasks,
    read_conversations,
)
from specchat.training.distillation.any_target import KINDS, Assignment, report, train_speculator
from specchat.training.distillation.trainer import DistilSettings
from specchat.training.loop import Progress
from storage import open_store

MOST_NEW_TOKENS = 256


@dataclass(frozen=True)
class TrainingOptions:
    """What the command's options say."""

    kind: str
    stage: int
    target: str
    conversations: Path | None
    from_history: bool
    data: Path | None
    from_hub: bool
    work: Path
    out: Path
    limit: int
    start: str | None
    device: str
    max_steps: int | None
    database: str | None = None
    settings: DistilSettings = field(default_factory=DistilSettings)


def train_for_any_target(options: TrainingOptions) -> None:
    """Run the command.

    Raises `ValueError`, `FileNotFoundError`, `ModelLoadError` or `StoreError` for what is wrong
    with the options, the text, the target or the database.
    """
    if options.kind not in KINDS:
        raise ValueError(f"--kind must be one of {', '.join(KINDS)}, got {options.kind!r}")
    if options.conversations is not None and options.from_history:
        raise ValueError("choose one of --conversations and --from-history")
    directory = resolve(options.target)
    tasks = _tasks(options, directory)
    place = re.sub(r"[^\w.-]+", "-", options.target).strip("-.") or "target"
    names = {"mlp": "mlp_speculator", "draft": "draft"}
    assignment = Assignment(
        kind=options.kind,
        target=options.target,
        out=options.out / names.get(options.kind, options.kind),
        work=options.work / "speculators" / place,
        stage=options.stage,
        device=options.device,
        start=options.start,
        max_new_tokens=MOST_NEW_TOKENS,
        settings=options.settings,
    )
    with tqdm(total=100.0, unit="%", file=sys.stderr, desc=options.kind, leave=False) as bar:

        def watch(progress: Progress) -> None:
            bar.set_postfix(step=progress.step, loss=f"{progress.loss:.3f}", refresh=False)
            bar.update(100 * progress.share - bar.n)

        def say(line: str) -> None:
            tqdm.write(line, file=sys.stderr)

        acceptance = train_speculator(assignment, tasks, options.max_steps, say, watch)
    typer.echo(report(assignment, acceptance))
    typer.echo(f"load it with --speculators {options.kind}:{assignment.out}", err=True)


def _tasks(options: TrainingOptions, directory: Path) -> list[Task]:
    tokenizer = load_tokenizer(directory)
    longest = options.settings.length - 16
    return make_tasks(tokenizer, _conversations(options), longest)[: options.limit]


def _conversations(options: TrainingOptions) -> list[tuple[Message, ...]]:
    if options.conversations is not None:
        return read_conversations(options.conversations)
    if not options.from_history:
        return [c.messages for c in in_split(load_corpus(options.data, options.from_hub), "train")]
    with open_store(options.database) as store:
        found = history_conversations(store.dialogues(options.limit))
    if not found:
        raise ValueError("the database holds no conversation yet; chat first")
    return found
