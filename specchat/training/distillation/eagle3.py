"""An EAGLE-3 head to train, by the paper's training-time test.

Li et al. 2025, arXiv 2503.01840: the layer is unrolled over its own outputs as it will be while
drafting. At depth j every row stands j places further on; it attends to the rows that the target's
states gave, up to its own, and to its own rows of the depths before.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from transformers import LlamaConfig

from specchat.speculators.eagle3.network import Attend, Eagle3Config, Eagle3Network
from specchat.training.distillation.drafter import FrozenTarget, Places, View, at, later

DEPTH = 5
VARIANTS = {"norm_before_residual": True, "norm_before_fc": True}
"""What the speculators library has found to train well."""


class Eagle3Drafter:
    """See `drafters.Drafter`."""

    name = "eagle3"

    def __init__(
        self, target: FrozenTarget, token_ids: torch.Tensor | None = None, depth: int = DEPTH
    ) -> None:
        """`token_ids`: the only tokens to draft, ascending; None: all."""
        vocab, hidden = target.head.shape
        self.depth = self.trained_depths = depth
        self.aux_layers = target.aux_layers
        self.token_ids = None if token_ids is None else token_ids.to(target.device)
        self._embedding = target.embedding
        config = Eagle3Config(
            layer=_layer_config(target.config, vocab, hidden),
            draft_vocab_size=vocab if token_ids is None else len(token_ids),
            target_hidden_size=hidden,
            aux_layers=target.aux_layers,
            **VARIANTS,
        )
        self.network: nn.Module = Eagle3Network(config).to(target.device)
        rows = target.head if self.token_ids is None else target.head[self.token_ids]
        with torch.no_grad():
            self._eagle.lm_head.weight.copy_(rows)

    @property
    def _eagle(self) -> Eagle3Network:
        assert isinstance(self.network, Eagle3Network)
        return self.network

    def logits(self, view: View, places: Places) -> Iterator[torch.Tensor]:
        """Each depth reads the one before it."""
        assert view.aux is not None
        hidden = self._eagle.project(view.aux)
        attend = dense_attention(view.batch.mask, self._eagle.config.layer.head_dim**-0.5)
        for j in range(self.depth):
            embeds = F.embedding(later(view.batch.targets, j), self._embedding).float()
            out = self._eagle(embeds, hidden, view.batch.positions + j, attend)
            yield self._eagle.logits(at(out.state, places))
            hidden = out.following

    def export(self, folder: Path) -> None:
        """The native layout, bf16, as safetensors."""
        folder.mkdir(parents=True, exist_ok=True)
        config = self._eagle.config
        raw = config.layer.to_dict() | {
            "architectures": ["LlamaForCausalLMEagle3"],
            "draft_vocab_size": config.draft_vocab_size,
            "target_hidden_size": config.target_hidden_size,
            "eagle_aux_hidden_state_layer_ids": list(config.aux_layers),
            **VARIANTS,
        }
        (folder / "config.json").write_text(json.dumps(raw, indent=2) + "\n")
        tensors = {
            name.replace("layers.0.", "midlayer."): tensor.detach().to(torch.bfloat16).cpu()
            for name, tensor in self._eagle.named_parameters()
        }
        if self.token_ids is not None:
            ids = self.token_ids.cpu()
            tensors["d2t"] = ids - torch.arange(len(ids))
            tensors["t2d"] = torch.zeros(config.layer.vocab_size, dtype=torch.bool)
            tensors["t2d"][ids] = True
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()},
            folder / "model.safetensors",
            metadata={"format": "pt"},
        )


def default_layers(count: int) -> tuple[int, ...]:
    """Low, middle and high: the paper's layers, spread out where the target has few."""
    if count >= 7:
        return 2, count // 2, count - 3
    return min(1, count - 1), count // 2, count - 1


def dense_attention(mask: torch.Tensor, scale: float) -> Attend:
    """Attention of successive depths over `mask [rows, 1, length, length]`, True where allowed."""
    keys: list[torch.Tensor] = []
    values: list[torch.Tensor] = []

    def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        groups = query.shape[1] // key.shape[1]
        keys.append(key.repeat_interleave(groups, 1))
        values.append(value.repeat_interleave(groups, 1))
        scores = (query @ keys[0].transpose(2, 3)).float() * scale
        scores = scores.masked_fill(~mask, -torch.inf)
        own = [(query * k).sum(-1, keepdim=True).float() * scale for k in keys[1:]]
        weights = torch.cat([scores, *own], dim=-1).softmax(-1).to(query.dtype)
        length = scores.shape[-1]
        out = weights[..., :length] @ values[0]
        for i, v in enumerate(values[1:]):
            out = out + weights[..., length + i, None] * v
        return out.transpose(1, 2)

    return attend


def _layer_config(target: Any, vocab: int, hidden: int) -> Any:
    """One Llama layer as wide as the target's."""
    heads = target.num_attention_heads
    rope = getattr(target, "rope_parameters", None) or {}
    return LlamaConfig(
        vocab_size=vocab,
        hidden_size=hidden,
        intermediate_size=getattr(target, "intermediate_size", None) or 4 * hidden,
        num_hidden_layers=1,
        num_attention_heads=heads,
        num_key_value_heads=getattr(target, "num_key_value_heads", None) or heads,
        head_dim=getattr(target, "head_dim", None) or hidden // heads,
        max_position_embeddings=target.max_position_embeddings,
        rope_parameters={"rope_type": "default", "rope_theta": rope.get("rope_theta", 10_000.0)},
        tie_word_embeddings=False,
    )
