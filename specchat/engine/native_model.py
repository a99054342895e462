"""A Llama-shaped target's step as one call of `cpp/native.cpp`.

Covers llama, mistral, qwen2, qwen3, granite and smollm3 without sliding windows: RMS norms, rotary
positions, grouped attention, gated SiLU. Other models keep to the compiled or eager steps. Before
it is used, its logits are compared with the eager model's on a probe.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable
from ctypes import byref
from typing import Any

import torch
from torch import nn

from specchat.engine import native
from specchat.engine.batch import Layout
from specchat.engine.kv_cache import KVCache
from specchat.engine.native import NativeUnavailableError
from specchat.engine.step_output import StepOutput

MODEL_TYPES = ("llama", "mistral", "qwen2", "qwen3", "granite", "smollm3")
ROPE_TYPES = ("default", "linear", "llama3")


class NativeModel:
    """Weights and buffers of one model; not thread-safe."""

    def __init__(self, model: nn.Module, cache: KVCache) -> None:
        """Describe the model to the library.

        Raises:
            NativeUnavailableError: another architecture, or the library cannot be built.
        """
        _check(model)
        self._library = native.load_library()
        self._shelf = native.Shelf()
        self._model = self._describe(model)
        self._vocab, self._hidden = self._model.vocab, self._model.hidden
        self._cache = cache
        pointers = ctypes.c_void_p * len(cache.keys)
        self._keys = pointers(*(layer.data_ptr() for layer in cache.keys))
        self._values = pointers(*(layer.data_ptr() for layer in cache.values))
        self._bf16_cache = int(cache.shape.dtype == torch.bfloat16)
        self._scratch = torch.empty(0)
        self._logits = torch.empty(0, self._vocab)

    def run(self, layout: Layout, meanwhile: Callable[[], None] = lambda: None) -> StepOutput:
        """One step, in float32; `meanwhile` is called when everything is ready for it. The logits
        are good until the next step: memory of that size is dear to ask for again and again."""
        threads = torch.get_num_threads()
        lengths = [s.context + s.count for s in layout.segments]
        rows, wanted = len(layout.ids), len(layout.wanted)
        if wanted > self._logits.shape[0]:
            self._logits = torch.empty(2 * wanted, self._vocab)
        logits = self._logits[:wanted]
        hidden = torch.empty(wanted, self._hidden)
        segments, pages, ancestors = _tables(layout)
        numbers = array(
            "q",
            [
                *layout.ids, *layout.positions, *layout.slots, *ancestors, *layout.wanted, *pages,
                *segments, *layout.wanted,  # room for the best tokens
            ],
        )  # fmt: skip
        start, size = numbers.buffer_info()[0], numbers.itemsize
        first = 4 * rows + wanted + len(pages)  # of the segments
        best = first + len(segments)
        step = native.Step(
            rows,
            len(layout.segments),
            wanted,
            self._cache.page_size,
            self._bf16_cache,
            start,
            start + size * rows,
            start + size * 2 * rows,
            start + size * 4 * rows,
            start + size * 3 * rows,
            start + size * first,
            start + size * (4 * rows + wanted),
            self._keys,
            self._values,
            hidden.data_ptr(),
            logits.data_ptr(),
            start + size * best,
            None,
            max(lengths, default=1),
            sum(lengths),
        )
        needed = self._library.scratch_floats(byref(self._model), byref(step), threads)
        if needed > self._scratch.numel():
            self._scratch = torch.empty(needed)
        step.scratch = self._scratch.data_ptr()
        meanwhile()
        self._library.run_step(byref(self._model), byref(step), threads)
        return StepOutput(logits, hidden, best=numbers[best:].tolist())

    def _describe(self, model: Any) -> native.Model:
        config, body = model.config, model.model
        attention = body.layers[0].self_attn
        self._bf16 = next(model.parameters()).dtype == torch.bfloat16
        head = native.matrix(model.lm_head.weight, model.lm_head.bias, self._shelf, self._bf16)
        self._layers = (native.Layer * len(body.layers))(*map(self._layer, body.layers))
        return native.Model(
            len(body.layers),
            config.hidden_size,
            config.num_attention_heads,
            config.num_key_value_heads,
            attention.head_dim,
            config.intermediate_size,
            head.rows,
            config.rms_norm_eps,
            attention.scaling,
            getattr(config, "embedding_multiplier", 1.0),
            getattr(config, "residual_multiplier", 1.0),
            1.0 / getattr(config, "logits_scaling", 1.0),
            body.rotary_emb.attention_scaling,
            native.vector(body.rotary_emb.inv_freq, self._shelf),
            native.vector(body.norm.weight, self._shelf),
            native.table(body.embed_tokens.weight, self._shelf),
            head,
            self._layers,
        )

    def _layer(self, layer: Any) -> native.Layer:
        attention, mlp, shelf = layer.self_attn, layer.mlp, self._shelf
        linears = (
            attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj,
            mlp.gate_proj, mlp.up_proj, mlp.down_proj,
        )  # fmt: skip
        pair = (mlp.gate_proj, mlp.up_proj)  # multiplied together, so held alike
        alike = len({native.compact(linear.weight).dtype for linear in pair}) == 1
        norms = (getattr(attention, name, None) for name in ("q_norm", "k_norm"))
        return native.Layer(
            native.vector(layer.input_layernorm.weight, shelf),
            native.vector(layer.post_attention_layernorm.weight, shelf),
            *(None if norm is None else native.vector(norm.weight, shelf) for norm in norms),
            *(
                native.matrix(
                    linear.weight,
                    linear.bias,
                    shelf,
                    self._bf16,
                    compacted=alike or linear not in pair,
                )
                for linear in linears
            ),
        )


def _check(model: Any) -> None:
    config = model.config
    rotary = getattr(getattr(model, "model", None), "rotary_emb", None)
    reasons = {
        "architecture": getattr(config, "model_type", None) not in MODEL_TYPES,
        "activation": getattr(config, "hidden_act", None) != "silu",
        "sliding window": bool(getattr(config, "sliding_window", None))
        and getattr(config, "use_sliding_window", True),
        "rope type": getattr(rotary, "rope_type", None) not in ROPE_TYPES,
        "layers without rope": getattr(config, "no_rope_layers", None) is not None
        and not all(config.no_rope_layers),
        "device": any(p.device.type != "cpu" for p in model.parameters()),
        "data type": next(model.parameters()).dtype not in (torch.float32, torch.bfloat16),
    }
    unfit = [name for name, bad in reasons.items() if bad]
    if unfit:
        raise NativeUnavailableError(f"not made for this model's {', '.join(unfit)}")


def _tables(layout: Layout) -> tuple[list[int], list[int], list[int]]:
    """Segments as in `cpp/types.h`, their page tables end to end, and one ancestor mask per row."""
    segments: list[int] = []
    pages: list[int] = []
    ancestors = [0] * len(layout.ids)
    for segment in layout.segments:
        start, count, masks = segment.start, segment.count, segment.ancestors
        segments += (start, count, segment.context, len(pages), masks is None)
        pages += segment.pages
        if masks is not None:
            ancestors[start : start + count] = masks
    return segments, pages, ancestors
