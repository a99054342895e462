"""Runs a transformers causal LM on the paged cache, one packed step at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from specchat.engine.cuda.graphs import StepGraphs
from specchat.engine.errors import ModelLoadError
from specchat.engine.kv.cache import KVCache
from specchat.engine.model.batch import Batch, Rows, lay_out, to_batch
from specchat.engine.model.compiled import CompiledSteps, CompileQueue, Graph
from specchat.engine.model.eager import EagerModel
from specchat.engine.model.shape import ModelShape
from specchat.engine.model.step_output import StepOutput
from specchat.engine.native.steps import NativeSteps

log = logging.getLogger(__name__)


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
        self.eager = EagerModel(model, pages=pages, page_size=page_size)
        self.native = NativeSteps(self.eager)
        self.graphs = StepGraphs(self.eager)
        self.meanwhile: Callable[[], None] = lambda: None  # called when a step begins to compute
        self.compiled = CompiledSteps({rows: self._graph(rows) for rows in buckets})
        if queue is not None:
            queue.add(self.native)
            queue.add(self.graphs)
            for rows in buckets:
                queue.add(self.compiled.graph(rows))

    @property
    def model(self) -> Any:
        """The transformers model."""
        return self.eager.model

    @property
    def shape(self) -> ModelShape:
        """Its sizes."""
        return self.eager.shape

    @property
    def device(self) -> torch.device:
        """Where its first layer is, and what it is given."""
        return self.eager.device

    @property
    def dtype(self) -> torch.dtype:
        """Of its weights."""
        return self.eager.dtype

    @property
    def cache(self) -> KVCache:
        """Its keys and values."""
        return self.eager.cache

    @property
    def pages(self) -> int:
        """Pages of the cache that requests may hold."""
        return self.eager.pages

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
        if self.eager.aux_layers:
            raise ModelLoadError("only one speculator can read the target's inner hidden states")
        self.eager.aux_layers = tuple(layers)
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

    def _run(self, batch: Batch) -> StepOutput:
        rows = batch.rows
        bucket = self.compiled.bucket(rows)
        if bucket is None:
            return self.eager.forward(batch)
        extra = bucket - rows
        ids, positions, slots = batch.input_ids, batch.positions, batch.slots
        if extra:
            ids = torch.nn.functional.pad(ids, (0, extra))
            positions = torch.nn.functional.pad(positions, (0, extra))
            slots = torch.nn.functional.pad(slots, (0, extra), value=self.cache.scratch_slot)
        self.eager.set_step(slots, batch.segments)
        logits, hidden, aux = self.compiled(ids, positions)
        aux = None if aux is None else aux[:rows]
        if len(batch.wanted) == rows:
            return StepOutput(logits[:rows], hidden[:rows], aux)
        return StepOutput(logits[batch.wanted], hidden[batch.wanted], aux)

    def _graph(self, rows: int) -> Graph:
        wanted = torch.arange(rows, device=self.device)

        def step(
            ids: torch.Tensor, positions: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
            return self.eager.forward_rows(ids, positions, wanted)

        return Graph(
            f"a step of {rows} rows",
            step,
            lambda: self.eager.idle_step(rows),
            wanted=lambda: not self.native.ready,
        )
