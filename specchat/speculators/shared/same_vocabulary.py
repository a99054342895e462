"""Whether a draft model speaks the target's vocabulary, token by token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from specchat.engine.errors import ModelLoadError
from specchat.engine.model.pretrained import load_tokenizer

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")


def check_same_vocabulary(
    draft: Path, draft_size: int, target_name: str, target_size: int, target_tokenizer: Any
) -> None:
    """Draft tokens are token ids, so both models must mean the same by each.

    A draft without a tokenizer of its own must have the target's vocabulary size. With one, the
    tokens must be the same; the sizes may then differ by ids that no token has.

    Raises:
        ModelLoadError: they differ; the message names both.
    """
    if not any((draft / name).is_file() for name in TOKENIZER_FILES):
        if draft_size != target_size:
            raise ModelLoadError(
                f"draft model {draft} has a vocabulary of {draft_size}, "
                f"but the target {target_name} has one of {target_size}"
            )
        return
    theirs, ours = load_tokenizer(draft).get_vocab(), target_tokenizer.get_vocab()
    strange = next((token for token in ours if theirs.get(token) != ours[token]), None)
    if strange is None:
        strange = next((token for token in theirs if token not in ours), None)
    if strange is not None:
        raise ModelLoadError(
            f"draft model {draft} has another vocabulary ({len(theirs)} tokens) than the target "
            f"{target_name} ({len(ours)} tokens): {strange!r} is token {theirs.get(strange)} of "
            f"the draft and token {ours.get(strange)} of the target"
        )
    if draft_size <= max(ours.values()):
        raise ModelLoadError(
            f"draft model {draft} has a vocabulary of {draft_size}, but its tokenizer and that of "
            f"the target {target_name} have ids up to {max(ours.values())}"
        )
