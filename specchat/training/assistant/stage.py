"""From companies to an adapter, and how good it is: what `specchat train assistant` runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from specchat.engine.hardware import multiplies_bf16
from specchat.engine.model.pretrained import load_causal_lm, load_tokenizer
from specchat.loader import LoadOptions, load
from specchat.pretrained.adapter import WEIGHTS_FILE, merge
from specchat.pretrained.base import HUB_NAME, base_directory
from specchat.training.assistant.adapter import AdapterModel, AdapterShape
from specchat.training.assistant.evaluation import (
    SPLITS,
    as_dict,
    evaluate,
    quick_look,
    quick_rows,
    table,
)
from specchat.training.assistant.examples.business import Split, kinds_of
from specchat.training.assistant.examples.desk import World
from specchat.training.assistant.rows import Row, RowEncoder
from specchat.training.assistant.trainer import AssistantSettings, AssistantTrainer

LOOK_MINUTES = 10.0  # of training from one look to the next


@dataclass(frozen=True)
class AssistantPlace:
    """Where the assistant's training reads and writes."""

    texts: Path  # companies/*.toml and talk.toml
    work: Path  # checkpoint, answers of the evaluation
    out: Path  # the adapter
    base: Path | None = None  # a model directory; None: the installed base
    start: Path | None = None  # an adapter to go on from
    threads: int | None = None
    quick_rows: int = 10  # of each split, looked at during training
    say: Callable[[str], None] = print
    settings: AssistantSettings = field(default_factory=AssistantSettings)
    shape: AdapterShape = field(default_factory=AdapterShape)


def train_assistant(place: AssistantPlace, max_steps: int | None = None) -> None:
    """Trains the adapter, resuming if it was interrupted; saves it at every checkpoint together
    with a quick look at held-out examples.

    Raises:
        FileNotFoundError, ValueError: the texts, the options or the checkpoint are not right.
        ModelLoadError: the base is missing or damaged.
    """
    world = World.read(place.texts)
    if place.threads:
        torch.set_num_threads(place.threads)
    base = place.base or base_directory()
    tokenizer = load_tokenizer(base)
    torch.manual_seed(place.settings.seed)
    products = torch.bfloat16 if multiplies_bf16() else torch.float32
    causal_lm = load_causal_lm(base, torch.float32, torch.device("cpu"))
    model = AdapterModel(causal_lm, place.shape, products)
    encoder = RowEncoder(tokenizer)
    trainer = AssistantTrainer(model, encoder, world, place.work, place.settings)
    if trainer.resume():
        place.say(f"resumed at step {trainer.loop.step}")
    elif place.start:
        model.start_from(place.start)
    looks = {
        split: quick_rows(world, encoder, split, place.quick_rows, place.settings.longest)
        for split in SPLITS
        if kinds_of(world.companies, split)
    }

    looked = trainer.loop.seconds

    def checkpoint() -> None:
        nonlocal looked
        model.save(place.out, HUB_NAME if place.base is None else place.base.name)
        over = trainer.loop.progress >= 1
        if over or trainer.loop.seconds - looked >= 60 * LOOK_MINUTES:
            looked = trainer.loop.seconds
            _look(place, trainer, looks)

    trainer.train(max_steps, checkpoint, place.say)


def evaluate_assistant(place: AssistantPlace, count: int) -> dict:
    """Answers `count` held-out questions of each split with the adapter in `place.out` merged into
    the base, as the chat would; prints a table and returns the scores by split and kind.

    Every answer stands in `answers.jsonl` of the work folder afterwards. Raises as
    `train_assistant` does; `FileNotFoundError` when there is no adapter.
    """
    if not (place.out / WEIGHTS_FILE).exists():
        raise FileNotFoundError(f"no adapter in {place.out}; train it first")
    world = World.read(place.texts)
    merged = place.work / "merged"
    merge(place.base or base_directory(), place.out, merged, torch.bfloat16)
    loaded = load(
        LoadOptions(model=str(merged), speculators=("ngram",), threads=place.threads, dtype="auto")
    )
    try:
        scores = evaluate(
            loaded.engine, loaded.tokenizer, world, count, place.work / "answers.jsonl", place.say
        )
    finally:
        loaded.engine.close()
    place.say(table(scores))
    return as_dict(scores)


def _look(
    place: AssistantPlace, trainer: AssistantTrainer, rows: Mapping[Split, Sequence[Row]]
) -> None:
    """Says how well the adapter does on held-out rows, and adds it to the learning curve."""
    for split, of_split in rows.items():
        look = quick_look(trainer.model, of_split)
        place.say(
            f"held out, {split} kinds: loss {look.loss:.3f}  tokens {look.tokens_right:.1%}  "
            f"whole answers {look.answers_right:.0%}"
        )
        _log(place.work / "curve.jsonl", trainer, split, asdict(look))


def _log(file: Path, trainer: AssistantTrainer, split: str, look: dict) -> None:
    """One line of the learning curve."""
    where = {"minutes": trainer.loop.seconds / 60, "step": trainer.loop.step, **trainer.loop.counts}
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({**where, "split": split, **look}) + os.linesep)
