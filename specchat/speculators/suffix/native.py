"""Suffix drafts by `cpp/suffix.h`: tens of microseconds instead of milliseconds."""

from __future__ import annotations

import ctypes
import struct
from array import array
from collections.abc import Sequence
from ctypes import c_double, c_int64, c_void_p

import torch

from specchat.engine.drafting.draft_tree import DraftContext
from specchat.engine.drafting.packed_trees import Column, PackedTrees
from specchat.engine.native import library as native
from specchat.engine.native.library import NativeUnavailableError
from specchat.speculators.suffix.suffix_array import (
    MOST_BLENDED,
    SORTED_TOKENS,
    SuffixArray,
    SuffixOptions,
)


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
        *((n, c_int64) for n in ("longest", "shortest", "most_nodes", "branches")),
        *((n, c_double) for n in ("least_chance", "doubt", "sampled_doubt")),
        ("blended", c_int64),
        ("often", c_int64 * MOST_BLENDED),
    ]


_pack = struct.Struct("8qd").pack
"""`Lookup` of `cpp/suffix.h`; far cheaper to fill than a ctypes structure."""


def load() -> ctypes.CDLL | None:
    """The library; None where it cannot be built."""
    try:
        library = native.load_library()
    except NativeUnavailableError:
        return None
    library.sort_suffixes.restype = None
    library.sort_suffixes.argtypes = [c_void_p, c_int64, c_int64, c_void_p]
    return library


class NativeParts:
    """Sorted parts as the library reads them."""

    def __init__(self, parts: Sequence[SuffixArray], weights: Sequence[float]) -> None:
        self._kept = list(parts)
        pairs = [(p, w) for p, w in zip(parts, weights, strict=True) if len(p)]
        self._parts = (_Part * max(1, len(pairs)))(*(self._describe(*pair) for pair in pairs))
        self.count = len(pairs)
        self.address = ctypes.addressof(self._parts)

    @staticmethod
    def _describe(part: SuffixArray, weight: float) -> _Part:
        addresses = (column.ctypes.data for column in (part.tokens, part.order, part.starts))
        return _Part(*addresses, len(part), SORTED_TOKENS, part.vocab, weight)


class NativeLookups:
    """Drafts for all requests of a step in one call, on several threads; safe on any thread."""

    def __init__(self, library: ctypes.CDLL, options: SuffixOptions) -> None:
        # A call is so short that to let others have the interpreter meanwhile, and to get it back
        # from them, would take longer.
        self._call = ctypes.PyDLL(library._name).draft_suffixes
        self._call.restype = None
        self._call.argtypes = [c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_int64]
        self._longest, self._most = options.longest, options.most_nodes
        self._options = _Options(
            options.longest,
            options.shortest,
            options.most_nodes,
            options.branches,
            options.least_chance,
            options.doubt,
            options.sampled_doubt,
            len(options.often),
            (c_int64 * MOST_BLENDED)(*options.often),
        )
        self._options_at = ctypes.addressof(self._options)

    def draft(
        self, source: str, parts: Sequence[NativeParts], contexts: Sequence[DraftContext]
    ) -> PackedTrees:
        """As `suffix_array.draft`: what follows on each context in the parts given for it."""
        count, stride, most = len(contexts), 1 + 3 * self._most, self._most
        recent = [context.tokens[-self._longest :] for context in contexts]
        read = array("q", [token for tokens in recent for token in tokens])
        at = read.buffer_info()[0]
        lookups = b""
        kept: list[torch.Tensor] = []  # until the call is over
        for own, tokens, context in zip(parts, recent, contexts, strict=True):
            noise, rows, vocab = 0, 0, 0
            if context.gumbel is not None:
                kept.append(context.gumbel.float().cpu().contiguous())
                noise, (rows, vocab) = kept[-1].data_ptr(), kept[-1].shape
            size, depth = len(tokens), context.max_depth
            scale = 1.0 / context.temperature if context.temperature else 1.0
            lookups += _pack(own.address, own.count, at, size, depth, noise, rows, vocab, scale)
            at += 8 * size
        numbers = array("q", bytes(8 * stride * count))
        chances = array("f", bytes(4 * most * count))
        out, chances_out = numbers.buffer_info()[0], chances.buffer_info()[0]
        threads = torch.get_num_threads()
        self._call(lookups, count, self._options_at, out, chances_out, threads)
        return PackedTrees(
            source,
            count,
            Column(numbers, 0, stride),
            Column(numbers, 1, stride),
            Column(numbers, 1 + most, stride),
            Column(chances, 0, most),
        )
