"""Runs a transformers causal LM on the paged cache, one packed step at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from specchat.engine.cuda.fused import FusedModules, fuse
from specchat.engine.cuda.graphs import StepGraphs
from specchat.engine.cuda.step_tables import Geometry, build
from specchat.engine.cuda.triton_check import unusable
from specchat.engine.errors import ModelLoadError
from specchat.engine.kv.cache import KVCache, KVShape
from specchat.engine.model import attention
from specchat.engine.model.batch import Batch, Rows, lay_out, to_batch
from specchat.engine.model.compiled import CompiledSteps, CompileQueue, Graph
from specchat.engine.model.step_output import StepOutput
from specchat.engine.native.steps import NativeSteps

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes read from a transformers configuration."""

    vocab_size: int
    hidden_size: int
    context_length: int
    kv: KVShape
    heads: int  # query heads


def read_shape(config: Any, dtype: torch.dtype) -> ModelShape:
    """Sizes of a decoder-only text model.

    Raises:
        ModelLoadError: the configuration lacks a size the paged cache needs.
    """
    config = config.get_text_config()
    try:
        heads = config.num_attention_heads
        layers = config.num_hidden_layers
        hidden = config.hidden_size
        vocab = config.vocab_size
    except AttributeError as error:
        raise ModelLoadError(
            f"{type(config).__name__} is no decoder-only language model: {error}"
        ) from None
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    if getattr(config, "multi_query", False):
        kv_heads = 1
    head_dim = getattr(config, "head_dim", None) or hidden // heads
    context = _context_length(config)
    return ModelShape(vocab, hidden, context, KVShape(layers, kv_heads, head_dim, dtype), heads)


def _context_length(config: Any) -> int:
    """Positions that one rotation serves. "longrope" (Phi-3) turns to another one when the longest
    request of a batch passes its original length, so requests would change each other."""
    context = getattr(config, "max_position_embeddings", None) or 2048
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") != "longrope":
        return context
    original = rope.get("original_max_position_embeddings")
    original = original or getattr(config, "original_max_position_embeddings", None)
    return min(context, original or context)


def use_paged_attention(model: nn.Module) -> None:
    """Route the model's attention through the paged cache.

    Raises:
        ModelLoadError: this architecture ignores transformers' attention interface, or has layers
            that mix the tokens of a pack by other means than attention to a whole prefix.
    """
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ())
    strange = kinds - {"full_attention", "sliding_attention", "attention"}
    if strange or any(isinstance(module, nn.Conv1d) for module in model.modules()):
        layers = ", ".join(sorted(strange)) or "convolution"
        raise ModelLoadError(
            f"{type(model).__name__} has {layers} layers, whose state is not in the paged cache; "
            "use a model of attention layers only"
        )
    attention.register()
    try:
        model.set_attn_implementation(attention.NAME)
    except (ValueError, AttributeError) as error:
        raise ModelLoadError(
            f"{type(model).__name__} cannot use paged attention: {error}"
        ) from None
    if model.config.get_text_config()._attn_implementation != attention.NAME:
        raise ModelLoadError(
            f"{type(model).__name__} does not support transformers' attention interface; "
            "use a llama, granite, qwen, mistral, phi, gemma or gpt2 family model"
        )


class ModelRunner:
    """One model, its paged cache and its compiled steps. The engine thread alone calls it."""

    def __init__(
        self,
        model: nn.Module,
        *,
        pages: int,
        page_size: int = 16,
        queue: CompileQueue | None = None,
        buckets: Sequence[int] = (),
    ) -> None:
        use_paged_attention(model)
        self.model = model.eval()
        parameter = next(model.parameters())
        self.device, self.dtype = parameter.device, parameter.dtype
        self.shape = read_shape(model.config, self.dtype)
        self.geometry = _geometry(self.shape, page_size, self.device)
        self.fused = FusedModules() if self.geometry is None else fuse(model)
        self.pages = pages
        self.cache = KVCache(self.shape.kv, pages, page_size, layer_devices(model, self.shape))
        self.aux_layers: tuple[int, ...] = ()
        self._warm_up()
        self.native = NativeSteps(self)
        self.graphs = StepGraphs(self)
        self.meanwhile: Callable[[], None] = lambda: None  # called when a step begins to compute
        self.compiled = CompiledSteps({rows: self._graph(rows) for rows in buckets})
        if queue is not None:
            queue.add(self.native)
            queue.add(self.graphs)
            for rows in buckets:
                queue.add(self.compiled.graph(rows))

    def collect(self, layers: Sequence[int]) -> None:
        """From now on return what enters these decoder layers, side by side, for every row; before
        anything is compiled. The native step does not return it, so it is not used then.

        Raises:
            ModelLoadError: the model lacks such a layer, or somebody else collects already.
        """
        count = self.shape.kv.layers
        strange = [layer for layer in layers if not 0 <= layer < count]
        if strange or not layers:
            raise ModelLoadError(
                f"hidden states of layers {list(layers)} were asked for, but the target has "
                f"layers 0 to {count - 1}"
            )
        if self.aux_layers:
            raise ModelLoadError("only one speculator can read the target's inner hidden states")
        self.aux_layers = tuple(layers)
        log.info("steps run without the native step: a speculator reads inner hidden states")

    def forward(self, parts: Sequence[Rows]) -> StepOutput:
        """Compute the rows of all requests and write their keys and values to the cache."""
        layout = lay_out(parts)
        if self.native.ready:
            return self.native.run(layout, self.meanwhile)
        with torch.inference_mode():
            recorded = self.graphs.run(layout, self.meanwhile)
            if recorded is None:
                self.meanwhile()
                recorded = self._run(to_batch(layout, self.device))
            return recorded

    def place(self, rows: int) -> tuple[str, int]:
        """The backend that a step of `rows` rows would run on, and the rows it is padded to."""
        if self.native.ready:
            return "native", rows
        graph = self.graphs.bucket(rows)
        if graph is not None:
            return "graph", graph
        bucket = self.compiled.bucket(rows)
        return ("eager", rows) if bucket is None else ("compiled", bucket)

    def prior_ms(self, backend: str, rows: int) -> float | None:
        """What a step of that size took when the backend was made, if it was timed."""
        if backend == "native":
            return self.native.prior_ms(rows)
        if backend == "graph":
            return self.graphs.prior_ms(rows)
        return self.compiled.measured_ms(rows) if backend == "compiled" else None

    def eager(self, batch: Batch) -> StepOutput:
        """The step in eager mode: slowest, and what every other backend is checked against."""
        self._set_step(batch.slots, batch.segments)
        return StepOutput(*self.forward_rows(batch.input_ids, batch.positions, batch.wanted))

    def _run(self, batch: Batch) -> StepOutput:
        rows = batch.rows
        bucket = self.compiled.bucket(rows)
        if bucket is None:
            return self.eager(batch)
        extra = bucket - rows
        ids, positions, slots = batch.input_ids, batch.positions, batch.slots
        if extra:
            ids = torch.nn.functional.pad(ids, (0, extra))
            positions = torch.nn.functional.pad(positions, (0, extra))
            slots = torch.nn.functional.pad(slots, (0, extra), value=self.cache.scratch_slot)
        self._set_step(slots, batch.segments)
        logits, hidden, aux = self.compiled(ids, positions)
        aux = None if aux is None else aux[:rows]
        if len(batch.wanted) == rows:
            return StepOutput(logits[:rows], hidden[:rows], aux)
        return StepOutput(logits[batch.wanted], hidden[batch.wanted], aux)

    def _set_step(self, slots: torch.Tensor, segments: list[attention.Segment]) -> None:
        tables = None
        if self.geometry is not None:
            tables = build(segments, len(slots), self.geometry, self.device)
        attention.set_step(attention.StepContext(self.cache, slots, segments, tables))

    def forward_rows(
        self, ids: torch.Tensor, positions: torch.Tensor, wanted: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """What `StepOutput` holds, for the step that `attention.set_step` set and the `wanted` of
        its rows (None: all, which needs no index)."""
        out = self.model(
            input_ids=ids[None],
            position_ids=positions[None],
            use_cache=False,
            logits_to_keep=0 if wanted is None else wanted,
            output_hidden_states=True,
        )
        aux = None
        if self.aux_layers:
            states = [out.hidden_states[layer][0].to(self.device) for layer in self.aux_layers]
            aux = torch.cat(states, dim=-1)
        hidden = out.hidden_states[-1][0]
        return out.logits[0], hidden if wanted is None else hidden[wanted], aux

    def _warm_up(self) -> None:
        """One eager pass: transformers installs its output hooks in it, which cannot be traced.

        Raises:
            ModelLoadError: the model's keys and values do not fit the cache.
        """
        try:
            with torch.inference_mode():
                ids, positions = self._idle_step(1)
                self.forward_rows(ids, positions, ids)
        except (RuntimeError, TypeError, ValueError) as error:
            name = type(self.model).__name__
            raise ModelLoadError(f"{name} cannot run on the paged cache: {error}") from error

    def _graph(self, rows: int) -> Graph:
        wanted = torch.arange(rows, device=self.device)

        def step(
            ids: torch.Tensor, positions: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
            return self.forward_rows(ids, positions, wanted)

        return Graph(
            f"a step of {rows} rows",
            step,
            lambda: self._idle_step(rows),
            wanted=lambda: not self.native.ready,
        )

    def _idle_step(self, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs of a step that touches no request, for compiling; sets this thread's step."""
        zeros = torch.zeros(rows, dtype=torch.int64, device=self.device)
        slots = zeros + self.cache.scratch_slot
        self._set_step(slots, [])
        return zeros, zeros.clone()


def _geometry(shape: ModelShape, page_size: int, device: torch.device) -> Geometry | None:
    """What the Triton kernels are laid out by; None where they are not used."""
    if device.type != "cuda":
        return None
    processors = torch.cuda.get_device_properties(device).multi_processor_count
    geometry = Geometry(shape.heads, shape.kv.kv_heads, page_size, processors)
    reason = unusable(geometry, shape.kv.head_dim, shape.kv.dtype, device)
    if reason:
        log.warning("the Triton kernels are not used, attention is slow: %s", reason)
        return None
    return geometry


def layer_devices(model: nn.Module, shape: ModelShape) -> list[torch.device]:
    """Where each decoder layer lives (accelerate's `hf_device_map`, else one device)."""
    default = next(model.parameters()).device
    placed = getattr(model, "hf_device_map", None)
    if not placed or len(set(placed.values())) < 2:
        return [default] * shape.kv.layers
    devices = []
    for layer in range(shape.kv.layers):
        name = next(
            (
                key
                for key in placed
                if key.endswith(f"layers.{layer}") or key.endswith(f".h.{layer}")
            ),
            None,
        )
        device = placed[name] if name else default
        devices.append(
            torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
        )
    return devices
