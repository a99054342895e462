"""Is a GGUF file as long as it says it is? Asked before a reader believes it.

The `gguf` package takes every length as it stands: a damaged one has it read on behind the end of
the file until the memory is full. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

MAGIC = b"GGUF"
VERSIONS = (2, 3)
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value of each type that is neither a text nor a list."""
TEXT, LIST = 8, 9
LEAST_ENTRY = 8 + 4 + 1  # bytes of a key without letters, its type, its value
LEAST_TENSOR = 8 + 4 + 4 + 8  # of a tensor without name and dimensions: type and place
MOST_LISTS = 4  # inside each other
MOST_DIMENSIONS = 8


def damage(file: Path) -> str | None:
    """What is wrong with the beginning of a file; None where its lengths fit.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        if file.stat().st_size < len(MAGIC) or stream.read(len(MAGIC)) != MAGIC:
            return "is no GGUF file"
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                _Walk(data).header()
            except (_DamagedError, struct.error) as error:
                return f"is damaged: {error}"
    return None


class _DamagedError(Exception):
    """Says what does not fit."""


class _Walk:
    """Steps over the entries of a header."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data, self._at = data, len(MAGIC)

    def header(self) -> None:
        """All of it, up to the tensors' data."""
        (version,) = self._take("<I")
        if version not in VERSIONS:
            raise _DamagedError(f"version {version} is none of {', '.join(map(str, VERSIONS))}")
        tensors, entries = self._take("<QQ")
        self._require(entries * LEAST_ENTRY, f"{entries} entries")
        self._require(tensors * LEAST_TENSOR, f"{tensors} tensors")
        for _ in range(entries):
            self._text()
            self._value(self._take("<I")[0], MOST_LISTS)
        for _ in range(tensors):
            self._text()
            (dimensions,) = self._take("<I")
            if dimensions > MOST_DIMENSIONS:
                raise _DamagedError(f"a tensor has {dimensions} dimensions")
            self._skip(8 * dimensions + 4 + 8, "a tensor")

    def _value(self, kind: int, lists: int) -> None:
        if kind == TEXT:
            self._text()
        elif kind == LIST and lists:
            inner, count = self._take("<IQ")
            if inner in SIZES:
                self._skip(count * SIZES[inner], f"a list of {count}")
                return
            self._require(8 * count, f"a list of {count}")
            for _ in range(count):
                self._value(inner, lists - 1)
        elif kind in SIZES:
            self._skip(SIZES[kind], "a value")
        else:
            raise _DamagedError(f"a value has the type {kind}")

    def _text(self) -> None:
        (length,) = self._take("<Q")
        self._skip(length, f"a text of {length} bytes")

    def _take(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return found

    def _skip(self, size: int, what: str) -> None:
        self._require(size, what)
        self._at += size

    def _require(self, size: int, what: str) -> None:
        if self._at + size > len(self._data):
            raise _DamagedError(f"{what} at byte {self._at} would end behind the file")
