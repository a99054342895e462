"""The seed store of suffix drafting: the target's own answers to training questions."""

from __future__ import annotations

from pathlib import Path

from specchat.speculators.registry import SUFFIX_STORE
from specchat.speculators.suffix.store_file import save_store, vocabulary_of
from specchat.training.corpus.own_answers import read_answers
from specchat.training.stages import Workplace
from specchat.training.tokenizer import load_tokenizer

MOST_TOKENS = 6_000_000
"""Of a bundled store: about half a megabyte on disk, two seconds to sort."""

OPENING_TOKENS = 4
"""Of a prompt's end, before its answer: half of them open any answer."""


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
