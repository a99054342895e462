"""The file of a seed store: earlier answers as token ids, compressed.

safetensors with `tokens` and `lengths`, each a little-endian integer array as an xz stream; the
metadata names the format's version and the vocabulary. Answers that repeat each other shrink to an
eighth of a byte a token.
"""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from specchat.engine.errors import ModelLoadError

FORMAT = "specchat suffix store 2"
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 2, "lp": 1, "pb": 1}]


def vocabulary_of(tokenizer: Any) -> str:
    """A name of the tokenizer's vocabulary: another one gives ids another meaning."""
    entries = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    text = "\n".join(f"{token}\t{number}" for token, number in entries)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save_store(path: Path, answers: Sequence[Sequence[int]], vocabulary: str) -> None:
    """Write answers as a store for a vocabulary (`vocabulary_of`)."""
    tokens = np.asarray([token for answer in answers for token in answer], dtype="<i4")
    small = tokens.astype("<u2") if len(tokens) and tokens.max() < 2**16 else tokens
    lengths = np.asarray([len(answer) for answer in answers], dtype="<i4")
    metadata = {"format": FORMAT, "vocabulary": vocabulary, "type": small.dtype.str}
    save_file({"tokens": _packed(small), "lengths": _packed(lengths)}, path, metadata)


def load_store(path: Path, vocabulary: str, vocab_size: int) -> list[list[int]]:
    """Read the answers of a store made for this vocabulary.

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
            tokens = _unpacked(file.get_tensor("tokens"), metadata["type"])
            lengths = _unpacked(file.get_tensor("lengths"), "<i4")
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, lzma.LZMAError) as error:
        raise ModelLoadError(f"{path} is missing or no suffix store: {error}") from None
    within = not len(tokens) or (tokens.min() >= 0 and tokens.max() < vocab_size)
    if lengths.sum() != len(tokens) or (len(lengths) and lengths.min() < 0) or not within:
        raise ModelLoadError(f"{path} is damaged: its lengths or tokens do not fit together")
    ends = np.cumsum(lengths)
    pairs = zip(ends.tolist(), lengths.tolist(), strict=True)
    return [tokens[end - size : end].tolist() for end, size in pairs]


def _packed(values: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    data = lzma.compress(values.tobytes(), format=lzma.FORMAT_XZ, filters=_FILTERS)
    return np.frombuffer(data, dtype=np.uint8)


def _unpacked(data: npt.NDArray[np.uint8], kind: str) -> npt.NDArray[np.int64]:
    return np.frombuffer(lzma.decompress(data.tobytes()), dtype=np.dtype(kind)).astype(np.int64)
