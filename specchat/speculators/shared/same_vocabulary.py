"""Whether a draft model speaks the target's vocabulary, token by token."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specchat.engine.errors import ModelLoadError
from specchat.engine.model.pretrained import load_tokenizer

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")

MOST_UNLIKE = 0.01
"""Of a vocabulary, behind all words: ids that are padding, reserved, or special in one model only.
Qwen 2.5 and 3, or Llama 3 and 3.1, differ by less."""


def check_same_vocabulary(
    draft: Path, draft_size: int, target_name: str, target_size: int, target_tokenizer: Any
) -> None:
    """Draft tokens are token ids, so both models must mean the same by each that is a word.

    They may differ in the last ids, which one of them pads, reserves or gives to special tokens of
    its own: a draft of such an id is rejected like any other wrong one. A draft without a tokenizer
    of its own is believed to have the target's where its size fits.

    Raises:
        ModelLoadError: they differ; the message names both.
    """
    ours = target_tokenizer.get_vocab()
    if not any((draft / name).is_file() for name in TOKENIZER_FILES):
        words = max(ours.values(), default=0) + 1
        if draft_size != target_size and not words <= draft_size < words * (1 + MOST_UNLIKE):
            raise ModelLoadError(
                f"draft model {draft} has a vocabulary of {draft_size}, "
                f"but the target {target_name} has one of {target_size}"
            )
        return
    theirs = load_tokenizer(draft).get_vocab()
    strange = _word_that_differs(theirs, ours)
    if strange is not None:
        raise ModelLoadError(
            f"draft model {draft} has another vocabulary ({len(theirs)} tokens) than the target "
            f"{target_name} ({len(ours)} tokens): {strange!r} is token {theirs.get(strange)} of "
            f"the draft and token {ours.get(strange)} of the target"
        )
    if draft_size <= max(theirs.values()):
        raise ModelLoadError(
            f"draft model {draft} has a vocabulary of {draft_size}, but its tokenizer has ids up "
            f"to {max(theirs.values())}"
        )


def _word_that_differs(theirs: Mapping[str, int], ours: Mapping[str, int]) -> str | None:
    """A token whose id is not the same in both, in front of where the last ids may differ."""
    by_id = {index: token for token, index in ours.items()}
    their_ids = {index: token for token, index in theirs.items()}
    unlike = [
        index
        for index in by_id.keys() | their_ids.keys()
        if by_id.get(index) != their_ids.get(index)
    ]
    if not unlike:
        return None
    first, end = min(unlike), max(len(by_id), len(their_ids))
    if first >= end * (1 - MOST_UNLIKE):
        return None
    return by_id.get(first) or their_ids.get(first)
