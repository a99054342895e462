"""The seed store of suffix drafting: the target's own answers to training questions."""

from __future__ import annotations

from pathlib import Path

from specchat.chat.prompt import PROMPT_TOKENS
from specchat.speculators.registry import SUFFIX_STORE
from specchat.speculators.suffix_file import save_store, vocabulary_of
from specchat.training.generate import read_answers
from specchat.training.stages import Workplace
from specchat.training.tokenizer import load_tokenizer

MOST_TOKENS = 3_000_000
"""Of a bundled store: a third of a megabyte on disk, a second to sort."""


def run_store(place: Workplace, most_tokens: int = MOST_TOKENS) -> Path:
    """Write the greedy own answers as a store beside the target.

    Each sequence is the end of the prompt, the answer and its end. The same answer twice counts
    twice: frequency is what drafts go by.

    Raises:
        FileNotFoundError: there are no answers; `specchat train generate` makes them.
    """
    tokenizer = load_tokenizer(place.out / "target")
    kept: list[list[int]] = []
    tokens = 0
    for answer in read_answers(place.work / "own_answers.jsonl"):
        if answer.temperature == 0 and tokens + len(answer.answer) < most_tokens:
            kept.append([*answer.prompt[-PROMPT_TOKENS:], *answer.answer])
            tokens += len(kept[-1])
    if not kept:
        raise FileNotFoundError(
            f"no answers in {place.work / 'own_answers.jsonl'}; run `specchat train generate`"
        )
    path = place.out / SUFFIX_STORE
    save_store(path, kept, vocabulary_of(tokenizer))
    place.say(f"{len(kept)} answers, {tokens} tokens in {path}")
    return path
