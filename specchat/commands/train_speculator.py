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
class Order:
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


def train_for_any_target(order: Order) -> None:
    """Run the command.

    Raises `ValueError`, `FileNotFoundError`, `ModelLoadError` or `StoreError` for what is wrong
    with the options, the text, the target or the database.
    """
    if order.kind not in KINDS:
        raise ValueError(f"--kind must be one of {', '.join(KINDS)}, got {order.kind!r}")
    if order.conversations is not None and order.from_history:
        raise ValueError("choose one of --conversations and --from-history")
    directory = resolve(order.target)
    tasks = _tasks(order, directory)
    place = re.sub(r"[^\w.-]+", "-", order.target).strip("-.") or "target"
    names = {"mlp": "mlp_speculator", "draft": "draft"}
    assignment = Assignment(
        kind=order.kind,
        target=order.target,
        out=order.out / names.get(order.kind, order.kind),
        work=order.work / "speculators" / place,
        stage=order.stage,
        device=order.device,
        start=order.start,
        max_new_tokens=MOST_NEW_TOKENS,
        settings=order.settings,
    )
    with tqdm(total=100.0, unit="%", file=sys.stderr, desc=order.kind, leave=False) as bar:

        def watch(progress: Progress) -> None:
            bar.set_postfix(step=progress.step, loss=f"{progress.loss:.3f}", refresh=False)
            bar.update(100 * progress.share - bar.n)

        def say(line: str) -> None:
            tqdm.write(line, file=sys.stderr)

        acceptance = train_speculator(assignment, tasks, order.max_steps, say, watch)
    typer.echo(report(assignment, acceptance))
    typer.echo(f"load it with --speculators {order.kind}:{assignment.out}", err=True)


def _tasks(order: Order, directory: Path) -> list[Task]:
    tokenizer = load_tokenizer(directory)
    longest = order.settings.length - 16
    return make_tasks(tokenizer, _conversations(order), longest)[: order.limit]


def _conversations(order: Order) -> list[tuple[Message, ...]]:
    if order.conversations is not None:
        return read_conversations(order.conversations)
    if not order.from_history:
        return [c.messages for c in in_split(load_corpus(order.data, order.from_hub), "train")]
    with open_store(order.database) as store:
        found = history_conversations(store.dialogues(order.limit))
    if not found:
        raise ValueError("the database holds no conversation yet; chat first")
    return found
