"""A small draft model to train on the target's distribution: knowledge distillation.

Hinton, Vinyals, Dean 2015; for drafting: Zhou et al. 2023, "DistillSpec".
"""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from specchat.training.distillation.drafter import FrozenTarget, Places, View, at

DEPTH = 5  # places that the report looks ahead
LAYERS = 2


class DraftDrafter:
    """See `drafters.Drafter`. One step of the model trains every depth: they are the same."""

    name = "draft"
    depth = DEPTH
    trained_depths = 1
    aux_layers: tuple[int, ...] = ()
    token_ids: torch.Tensor | None = None

    def __init__(self, target: FrozenTarget, tokenizer: Any, start: Any = None) -> None:
        """`start` is a model of the target's vocabulary to go on from; None: a new small one."""
        vocab = target.head.shape[0]
        model = LlamaForCausalLM(draft_config(target)) if start is None else start
        size = model.get_input_embeddings().weight.shape[0]
        if size != vocab:
            raise ValueError(f"the draft has a vocabulary of {size}, but the target's has {vocab}")
        self.network: nn.Module = model.float().to(target.device).train()
        self._tokenizer = tokenizer

    def logits(self, view: View, places: Places) -> Iterator[torch.Tensor]:
        """The model's logits in front of each depth's token."""
        out = self.network(
            input_ids=view.batch.ids,
            position_ids=view.batch.positions,
            attention_mask=view.batch.mask,
            use_cache=False,
        )
        for j in range(self.depth):
            yield at(out.logits, places, 1 + j)

    def export(self, folder: Path) -> None:
        """A transformers model in bf16 with the target's tokenizer."""
        model = copy.deepcopy(self.network).to("cpu", torch.bfloat16)
        model.config.dtype = torch.bfloat16
        model.save_pretrained(folder)
        self._tokenizer.save_pretrained(folder)


def draft_config(target: FrozenTarget) -> LlamaConfig:
    """A quarter of the target's width, two layers, tied embeddings."""
    vocab, hidden = target.head.shape
    width = max(64, hidden // 4 // 32 * 32)
    heads = max(2, width // 64)
    config = target.config
    return LlamaConfig(
        vocab_size=vocab,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=LAYERS,
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 2),
        head_dim=width // heads,
        max_position_embeddings=config.max_position_embeddings,
        tie_word_embeddings=True,
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
    )
