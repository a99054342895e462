"""The file of a seed store: earlier answers as token ids, compressed.

safetensors of little-endian integer arrays, each as an xz stream; the metadata names the format's
version and the vocabulary. Every different answer is there once, sorted, so that those which begin
alike are neighbours, with the ends of all prompts it was given to. Sequences stand end to end, one
added to each token and a zero behind each sequence. Answers that repeat each other shrink to a
tenth of a byte a token.
"""

from __future__ import annotations

import hashlib
import lzma
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from specchat.engine.errors import ModelLoadError

FORMAT = "specchat suffix store 3"
_COLUMNS = ("answers", "prompts", "openings")
_KINDS = ("<u1", "<u2", "<i4")
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 2, "lp": 1, "pb": 1}]


def vocabulary_of(tokenizer: Any) -> str:
    """A name of the tokenizer's vocabulary: another one gives ids another meaning."""
    entries = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    text = "\n".join(f"{token}\t{number}" for token, number in entries)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save_store(
    path: Path, answers: Iterable[tuple[Sequence[int], Sequence[int]]], vocabulary: str
) -> None:
    """Write the ends of prompts and the answers they got as a store for a vocabulary
    (`vocabulary_of`)."""
    openings: defaultdict[tuple[int, ...], set[tuple[int, ...]]] = defaultdict(set)
    for opening, answer in answers:
        openings[tuple(answer)].add(tuple(opening))
    different = sorted(openings)
    columns = {
        "answers": _joined(different),
        "prompts": [len(openings[answer]) for answer in different],  # of each answer
        "openings": _joined(own for answer in different for own in sorted(openings[answer])),
    }
    kinds = {name: _kind(column) for name, column in columns.items()}
    packed = {name: _packed(np.asarray(c, dtype=kinds[name])) for name, c in columns.items()}
    save_file(packed, path, {"format": FORMAT, "vocabulary": vocabulary, **kinds})


def load_store(path: Path, vocabulary: str, vocab_size: int) -> list[npt.NDArray[np.int32]]:
    """Read the sequences of a store made for this vocabulary: each the end of a prompt and its
    answer.

    Raises:
        ModelLoadError: missing, damaged, of another version, or made for another tokenizer.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ModelLoadError(
                    f"{path} is of the format {metadata.get('format')!r}, but {FORMAT!r} is read; "
                    "make it anew with `specchat train store`"
                )
            made_for = metadata.get("vocabulary")
            if made_for != vocabulary:
                raise ModelLoadError(
                    f"{path} was made for the vocabulary {made_for}, but the target's is "
                    f"{vocabulary}; make it anew with `specchat train store`"
                )
            columns = {name: _unpacked(file.get_tensor(name), metadata[name]) for name in _COLUMNS}
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, lzma.LZMAError) as error:
        raise ModelLoadError(f"{path} is missing or no suffix store: {error}") from None
    answers, openings = _cut(columns["answers"]), _cut(columns["openings"])
    prompts = columns["prompts"]
    fits = len(prompts) == len(answers) and prompts.sum() == len(openings)
    known = all((columns[name] <= vocab_size).all() for name in ("answers", "openings"))
    if not (fits and known and all((column >= 0).all() for column in columns.values())):
        raise ModelLoadError(f"{path} is damaged: its lengths or tokens do not fit together")
    behind = iter(openings)
    return [
        np.concatenate([next(behind), answer])
        for answer, count in zip(answers, prompts.tolist(), strict=True)
        for _ in range(count)
    ]


def _joined(sequences: Iterable[Sequence[int]]) -> list[int]:
    return [number for tokens in sequences for number in (*(t + 1 for t in tokens), 0)]


def _cut(numbers: npt.NDArray[np.int32]) -> list[npt.NDArray[np.int32]]:
    """The sequences that were joined; what has no end is one too many."""
    pieces = np.split(numbers - 1, np.flatnonzero(numbers == 0) + 1)
    last = [pieces[-1]] if len(pieces[-1]) else []
    return [piece[:-1] for piece in pieces[:-1]] + last


def _kind(column: Sequence[int]) -> str:
    """The smallest type that holds these numbers."""
    most = max(column, default=0)
    return next(kind for kind in _KINDS if most <= np.iinfo(kind).max)


def _packed(values: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    data = lzma.compress(values.tobytes(), format=lzma.FORMAT_XZ, filters=_FILTERS)
    return np.frombuffer(data, dtype=np.uint8)


def _unpacked(data: npt.NDArray[np.uint8], kind: str) -> npt.NDArray[np.int32]:
    if kind not in _KINDS:
        raise ValueError(f"its numbers must be {', '.join(_KINDS)}, got {kind!r}")
    return np.frombuffer(lzma.decompress(data.tobytes()), dtype=np.dtype(kind)).astype(np.int32)
