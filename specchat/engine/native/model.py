"""A target's step as one call of `cpp/native.cpp`.

Covers decoders of RMS norms, rotary positions, grouped attention and a gated product, as
`families.py` describes them. Other models keep to the compiled or eager steps. Before it is used,
its logits are compared with the eager model's on a probe.
"""

from __future__ import annotations

import ctypes
import struct
from array import array
from collections.abc import Callable
from ctypes import byref
from typing import Any

import torch
from torch import nn

from specchat.engine.kv.cache import KVCache
from specchat.engine.model.batch import Layout
from specchat.engine.model.step_output import StepOutput
from specchat.engine.native import families
from specchat.engine.native import library as native

_pack = struct.Struct("18q").pack
"""`Step` of `cpp/types.h`; far cheaper to fill than a ctypes structure."""


class NativeModel:
    """Weights and buffers of one model; not thread-safe."""

    def __init__(self, model: nn.Module, cache: KVCache) -> None:
        """Describe the model to the library.

        Raises:
            NativeUnavailableError: another architecture, or the library cannot be built.
        """
        families.check(model)
        self._library = native.load_library()
        self._shelf = native.Shelf()
        self._model = self._describe(model)
        self._vocab, self._hidden = self._model.vocab, self._model.hidden
        self._cache = cache
        pointers = ctypes.c_void_p * len(cache.keys)
        self._keys = pointers(*(layer.data_ptr() for layer in cache.keys))
        self._values = pointers(*(layer.data_ptr() for layer in cache.values))
        self._cached = (
            cache.page_size,
            int(cache.shape.dtype == torch.bfloat16),
            ctypes.addressof(self._keys),
            ctypes.addressof(self._values),
        )
        self._scratch = torch.empty(0)
        self._scratch_at = 0, 0  # address and floats
        self._logits = torch.empty(0, self._vocab)
        self._logits_at = 0
        self._firsts: dict[int, torch.Tensor] = {}  # so many of their rows, as views

    def run(self, layout: Layout, meanwhile: Callable[[], None] = lambda: None) -> StepOutput:
        """One step, in float32; `meanwhile` is called when everything is ready for it. The logits
        are good until the next step: memory of that size is dear to ask for again and again."""
        rows, wanted = len(layout.ids), len(layout.wanted)
        logits = self._first_logits(wanted)
        hidden = torch.empty(wanted, self._hidden)
        segments, pages, ancestors, longest, cached = _tables(layout)
        numbers = array(
            "q",
            [
                *layout.ids, *layout.positions, *ancestors, *layout.wanted, *pages, *segments,
                *layout.wanted,  # room for the best tokens
            ],
        )  # fmt: skip
        ids = numbers.buffer_info()[0]
        positions, ancestors_at, wanted_at = ids + 8 * rows, ids + 16 * rows, ids + 24 * rows
        pages_at = wanted_at + 8 * wanted
        segments_at = pages_at + 8 * len(pages)
        best_at = segments_at + 8 * len(segments)
        page_size, bf16_cache, keys, values = self._cached
        step = _pack(
            rows, len(layout.segments), wanted, page_size, bf16_cache, ids, positions, wanted_at,
            ancestors_at, segments_at, pages_at, keys, values, hidden.data_ptr(), self._logits_at,
            best_at, longest, cached,
        )  # fmt: skip
        meanwhile()
        threads, model = torch.get_num_threads(), byref(self._model)
        while needed := self._library.run_step(model, step, threads, *self._scratch_at):
            self._scratch = torch.empty(needed)
            self._scratch_at = self._scratch.data_ptr(), needed
        return StepOutput(logits, hidden, best=numbers[(best_at - ids) // 8 :].tolist())

    def _first_logits(self, rows: int) -> torch.Tensor:
        """Room for the logits of so many rows."""
        known = self._firsts.get(rows)
        if known is None:
            if rows > len(self._logits):
                self._logits = torch.empty(2 * rows, self._vocab)
                self._logits_at = self._logits.data_ptr()
                self._firsts.clear()
            known = self._firsts[rows] = self._logits[:rows]
        return known

    def _describe(self, model: Any) -> native.Model:
        config, body, shelf = model.config, model.model, self._shelf
        attention = body.layers[0].self_attn
        self._bf16 = next(model.parameters()).dtype == torch.bfloat16
        head = native.matrix(model.lm_head.weight, model.lm_head.bias, shelf, self._bf16)
        kinds, kind_of = families.positions(body)
        ropes = [
            native.Rope(native.vector(kind.inverse_frequencies, shelf), kind.scale)
            for kind in kinds
        ]
        self._layers = (native.Layer * len(body.layers))(*map(self._layer, body.layers, kind_of))
        return native.Model(
            len(body.layers),
            config.hidden_size,
            config.num_attention_heads,
            config.num_key_value_heads,
            attention.head_dim,
            config.intermediate_size,
            head.rows,
            2 * len(kinds[0].inverse_frequencies),
            int(config.model_type in families.WHOLE_NORMS),
            families.activation(config),
            config.rms_norm_eps,
            attention.scaling,
            families.embedding_scale(model),
            getattr(config, "residual_multiplier", 1.0),
            1.0 / getattr(config, "logits_scaling", 1.0),
            *families.caps(config),
            (native.Rope * 2)(*ropes),
            native.vector(families.norm(body.norm), shelf),
            native.table(body.embed_tokens.weight, shelf),
            head,
            self._layers,
        )

    def _layer(self, layer: Any, rope: int) -> native.Layer:
        shelf, products, norms = self._shelf, families.products(layer), families.norms(layer)
        pair = products[4:6]  # multiplied together, so held alike
        alike = len({native.fits_bf16(each.weight) for each in pair}) == 1
        return native.Layer(
            *(None if norm is None else native.vector(norm, shelf) for norm in norms),
            families.window(layer),
            rope,
            *(
                native.matrix(
                    each.weight,
                    each.bias,
                    shelf,
                    self._bf16,
                    compacted=alike or not any(each is one for one in pair),
                )
                for each in products
            ),
        )


def _tables(layout: Layout) -> tuple[list[int], list[int], list[int], int, int]:
    """Segments as in `cpp/types.h`, their page tables end to end, one ancestor mask per row; the
    length of the longest request, and of all together."""
    segments: list[int] = []
    pages: list[int] = []
    ancestors = [0] * len(layout.ids)
    longest, cached = 1, 0
    for segment in layout.segments:
        start, count, masks = segment.start, segment.count, segment.ancestors
        segments += (start, count, segment.context, len(pages), masks is None)
        pages += segment.pages
        if masks is not None:
            ancestors[start : start + count] = masks
        length = segment.context + count
        longest, cached = max(longest, length), cached + length
    return segments, pages, ancestors, longest, cached
