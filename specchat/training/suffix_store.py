"""The seed stores of suffix drafting: the targets' own answers to training questions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from specchat.loader import LoadOptions, load
from specchat.speculators.registry import SUFFIX_STORE
from specchat.speculators.suffix.store_file import save_store, vocabulary_of
from specchat.training.assistant.evaluation import answer_ids
from specchat.training.assistant.examples.desk import World
from specchat.training.assistant.examples.sheets import draw_sheets
from specchat.training.corpus.own_answers import read_answers
from specchat.training.stages import Workplace
from specchat.training.tokenizer import load_tokenizer

MOST_TOKENS = 6_000_000
"""Of a bundled store: about half a megabyte on disk, two seconds to sort."""

STORE_SEED = 23  # no evaluation draws its examples by it

OPENING_TOKENS = 4
"""Of a prompt's end, before its answer: half of them open any answer."""


def write_assistant_store(
    model: str,
    texts: Path,
    count: int,
    path: Path,
    threads: int | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Write the greedy answers of the assistant `model` to `count` made-up customers as a store:
    how it opens, declines and speaks of orders, which it does alike for every company.

    Raises:
        FileNotFoundError, ValueError: `texts` holds no companies, or damaged ones.
        ModelLoadError: the model cannot be used.
    """
    world = World.read(texts)
    examples = [
        example
        for sheet in itertools.islice(draw_sheets(world, "train", STORE_SEED), count)
        for example in sheet[:1]
    ]
    loaded = load(LoadOptions(model=model, speculators=("suffix", "ngram"), threads=threads))
    kept: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
    try:
        answered = answer_ids(loaded.engine, loaded.tokenizer, examples)
        for place, (prompt, answer) in enumerate(answered, start=1):
            kept.add((tuple(prompt[-OPENING_TOKENS:]), tuple(answer)))
            if place % 100 == 0 or place == len(examples):
                say(f"{place} of {len(examples)} answers, {len(kept)} different")
    finally:
        loaded.engine.close()
    save_store(path, kept, vocabulary_of(loaded.tokenizer))
    return path


def run_store(place: Workplace, most_tokens: int = MOST_TOKENS) -> Path:
    """Write the greedy own answers as a store beside the target, each behind the end of its prompt;
    those that are the same in both count once.

    Raises:
        FileNotFoundError: there are no answers; `specchat train generate` makes them.
    """
    tokenizer = load_tokenizer(place.out / "target")
    kept: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
    tokens = 0
    for own in read_answers(place.work / "own_answers.jsonl"):
        if own.temperature != 0:
            continue
        entry = tuple(own.prompt[-OPENING_TOKENS:]), tuple(own.answer)
        size = sum(map(len, entry))
        if entry not in kept and tokens + size < most_tokens:
            kept.add(entry)
            tokens += size
    if not kept:
        raise FileNotFoundError(
            f"no answers in {place.work / 'own_answers.jsonl'}; run `specchat train generate`"
        )
    path = place.out / SUFFIX_STORE
    save_store(path, kept, vocabulary_of(tokenizer))
    place.say(f"{len(kept)} answers, {tokens} tokens in {path}")
    return path
