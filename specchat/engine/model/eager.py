"""A transformers causal LM on the paged cache, one operation after the other."""

from __future__ import annotations

import torch
from torch import nn
from transformers.utils import output_capturing

from specchat.engine.cuda.fused import FusedModules, fuse
from specchat.engine.cuda.step_tables import build
from specchat.engine.cuda.triton_check import usable
from specchat.engine.errors import ModelLoadError
from specchat.engine.kv.cache import KVCache
from specchat.engine.model import attention
from specchat.engine.model.batch import Batch
from specchat.engine.model.segment import Segment
from specchat.engine.model.shape import layer_devices, read_shape
from specchat.engine.model.step_output import StepOutput

_CHOOSES = hasattr(output_capturing, "resolve_hidden_states_indices")
"""Whether transformers keeps the hidden states of some layers alone, counted as among all of them;
older versions keep all, or count otherwise."""


class EagerModel:
    """The model with its paged cache: what all backends are made from and checked against."""

    def __init__(self, model: nn.Module, *, pages: int, page_size: int = 16) -> None:
        """Raises ModelLoadError when the model cannot run on a paged cache."""
        use_paged_attention(model)
        self.model = model.eval()
        parameter = next(model.parameters())
        self.device, self.dtype = parameter.device, parameter.dtype
        self.shape = read_shape(model.config, self.dtype)
        kv = self.shape.kv
        self.geometry = usable(
            self.shape.heads, kv.kv_heads, kv.head_dim, kv.dtype,
            page_size=page_size, device=self.device,
        )  # fmt: skip
        self.fused = FusedModules() if self.geometry is None else fuse(model)
        self.pages = pages
        self.cache = KVCache(self.shape.kv, pages, page_size, layer_devices(model, self.shape))
        self.aux_layers: tuple[int, ...] = ()  # whose inputs a step returns, side by side
        self._warm_up()

    def forward(self, batch: Batch) -> StepOutput:
        """One step, operation by operation: slowest."""
        self.set_step(batch.slots, batch.segments)
        return StepOutput(*self.forward_rows(batch.input_ids, batch.positions, batch.wanted))

    def set_step(self, slots: torch.Tensor, segments: list[Segment]) -> None:
        """What this thread's next forward pass works on."""
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
            output_hidden_states=[*self.aux_layers, -1] if _CHOOSES else True,
        )
        aux = None
        if self.aux_layers:
            states = [out.hidden_states[layer][0].to(self.device) for layer in self.aux_layers]
            aux = torch.cat(states, dim=-1)
        hidden = out.hidden_states[-1][0]
        return out.logits[0], hidden if wanted is None else hidden[wanted], aux

    def idle_step(self, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs of a step that touches no request, for compiling; sets this thread's step."""
        zeros = torch.zeros(rows, dtype=torch.int64, device=self.device)
        slots = zeros + self.cache.scratch_slot
        self.set_step(slots, [])
        return zeros, zeros.clone()

    def _warm_up(self) -> None:
        """One eager pass: transformers installs its output hooks in it, which cannot be traced.

        Raises:
            ModelLoadError: the model's keys and values do not fit the cache.
        """
        try:
            with torch.inference_mode():
                ids, positions = self.idle_step(1)
                self.forward_rows(ids, positions, ids)
        except (RuntimeError, TypeError, ValueError) as error:
            name = type(self.model).__name__
            raise ModelLoadError(f"{name} cannot run on the paged cache: {error}") from error


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
