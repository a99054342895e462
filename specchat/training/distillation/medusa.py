"""Medusa heads to train: each starts as the target's own vocabulary matrix.

Cai et al. 2024, "Medusa", stage 1: the target stays as it is.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from specchat.speculators.medusa.heads import MedusaHeads, original_tensors
from specchat.training.distillation.drafter import FrozenTarget, Places, View, at

HEADS = 4
LAYERS = 1


class MedusaDrafter:
    """See `drafters.Drafter`."""

    name = "medusa"
    aux_layers: tuple[int, ...] = ()
    token_ids: torch.Tensor | None = None

    def __init__(self, target: FrozenTarget, heads: int = HEADS) -> None:
        vocab, hidden = target.head.shape
        self.network: nn.Module = MedusaHeads(hidden, vocab, heads, LAYERS)
        self.depth = self.trained_depths = heads
        with torch.no_grad():
            for block in self._heads.heads:
                for layer in block.layers:  # the block begins by passing its input on
                    layer.weight.zero_()
                    layer.bias.zero_()
            for matrix in self._heads.lm_heads:
                matrix.weight.copy_(target.head)
        self.network.to(target.device)

    @property
    def _heads(self) -> MedusaHeads:
        assert isinstance(self.network, MedusaHeads)
        return self.network

    def logits(self, view: View, places: Places) -> Iterator[torch.Tensor]:
        """All heads read the same state."""
        hidden = at(view.hidden, places)
        for i in range(self.depth):
            yield self._heads.logits(self._heads.state(hidden, i), i)

    def export(self, folder: Path) -> None:
        """The original repository's layout, bf16, as safetensors."""
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "medusa_num_heads": self.depth,
            "medusa_num_layers": LAYERS,
            "hidden_size": self._heads.hidden_size,
            "vocab_size": self._heads.vocab_size,
        }
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        tensors = {
            name: tensor.to(torch.bfloat16).cpu().contiguous()
            for name, tensor in original_tensors(self._heads).items()
        }
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
