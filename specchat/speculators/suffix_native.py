"""Suffix drafts by `cpp/suffix.h`: tens of microseconds instead of milliseconds."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from ctypes import byref, c_double, c_int64, c_void_p
from typing import Any

import torch

from specchat.engine import native
from specchat.engine.native import NativeUnavailableError
from specchat.speculators.suffix_array import SORTED_TOKENS, Nodes, SuffixArray, SuffixOptions


class _Part(ctypes.Structure):
    _fields_ = [
        ("tokens", c_void_p),
        ("order", c_void_p),
        ("starts", c_void_p),
        ("count", c_int64),
        ("sorted", c_int64),
        ("vocab", c_int64),
        ("weight", c_double),
    ]


class _Options(ctypes.Structure):
    _fields_ = [
        *((n, c_int64) for n in ("longest", "shortest", "most_nodes", "most_depth", "branches")),
        ("least_chance", c_double),
        ("doubt", c_double),
    ]


def load() -> ctypes.CDLL | None:
    """The library; None where it cannot be built."""
    try:
        library = native.load_library()
    except NativeUnavailableError:
        return None
    library.sort_suffixes.restype = None
    library.sort_suffixes.argtypes = [c_void_p, c_int64, c_int64, c_void_p]
    library.draft_suffixes.restype = c_int64
    library.draft_suffixes.argtypes = [
        c_void_p, c_int64, c_void_p, c_int64, c_void_p, c_void_p, c_int64, c_int64, c_double,
        c_void_p, c_void_p, c_void_p,
    ]  # fmt: skip
    return library


class NativeParts:
    """Sorted parts as the library reads them; safe to draft from on any thread."""

    def __init__(
        self,
        library: ctypes.CDLL,
        parts: Sequence[SuffixArray],
        weights: Sequence[float],
        options: SuffixOptions,
    ) -> None:
        self._library = library
        self._kept = list(parts)
        pairs = [(p, w) for p, w in zip(parts, weights, strict=True) if len(p)]
        self._count = len(pairs)
        self._parts = (_Part * max(1, len(pairs)))(*(self._describe(*pair) for pair in pairs))
        # Written by each call, so only one may be running.
        self._calls = threading.Lock()
        most = options.most_nodes
        self._tokens = (c_int64 * most)()
        self._parents = (c_int64 * most)()
        self._chances = (ctypes.c_float * most)()
        self._recent = (c_int64 * options.longest)()
        self._asked = _Options(
            options.longest,
            options.shortest,
            most,
            0,
            options.branches,
            options.least_chance,
            options.doubt,
        )

    @staticmethod
    def _describe(part: SuffixArray, weight: float) -> _Part:
        addresses = (column.ctypes.data for column in (part.tokens, part.order, part.starts))
        return _Part(*addresses, len(part), SORTED_TOKENS, part.vocab, weight)

    def draft(
        self,
        context: Sequence[int],
        most_depth: int,
        noise: torch.Tensor | None,
        temperature: float,
    ) -> Nodes:
        """As `suffix_array.draft`."""
        recent: list[Any] = list(context[-len(self._recent) :])
        rows, vocab = (0, 0) if noise is None else noise.shape
        if noise is not None:
            noise = noise.float().cpu().contiguous()
        with self._calls:
            self._recent[: len(recent)] = recent
            self._asked.most_depth = most_depth
            count = self._library.draft_suffixes(
                self._parts,
                self._count,
                self._recent,
                len(recent),
                byref(self._asked),
                None if noise is None else noise.data_ptr(),
                rows,
                vocab,
                1.0 / temperature if temperature else 1.0,
                self._tokens,
                self._parents,
                self._chances,
            )
            return Nodes(self._tokens[:count], self._parents[:count], self._chances[:count])
