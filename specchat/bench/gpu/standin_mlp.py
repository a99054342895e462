"""The bundled MLP speculator at the size of one published for a large model; see `standin`.

Its channels are repeated as the target's are. One channel is made constant, so that tokens which
the small vocabulary lacks can be given a score that never wins.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from specchat.bench.gpu.copies import NONE, enlarge, factors
from specchat.bench.gpu.standin import NEVER, Shape
from specchat.speculators.mlp.heads import MlpHeads

NAMES = {
    "emb": "speculator.emb.{}.weight",
    "proj": "speculator.proj.{}.weight",
    "head": "speculator.head.{}.weight",
    "ln_weight": "speculator.ln.{}.weight",
    "ln_bias": "speculator.ln.{}.bias",
}

CONSTANT = 3.0
"""Bias of the constant channel; GELU leaves it nearly as it is."""


def enlarge_heads(
    small: MlpHeads, shape: Shape, dtype: torch.dtype, device: torch.device
) -> MlpHeads:
    """Heads for a stand-in of `shape` that draft what `small` drafts for the small model.

    Raises:
        ValueError: a size of `shape` is no multiple of `small`'s.
    """
    config = small.config
    if shape.hidden % config.emb_dim or shape.drafter_inner % config.inner_dim:
        raise ValueError(
            f"{shape.name}: hidden and drafter_inner must be multiples of {config.emb_dim} and "
            f"{config.inner_dim}, got {shape.hidden} and {shape.drafter_inner}"
        )
    hidden = torch.arange(shape.hidden) % config.emb_dim
    inner = torch.arange(shape.drafter_inner) % config.inner_dim
    tokens = torch.arange(shape.vocab) % config.vocab_size
    state = inner.clone()
    state[-1] = NONE  # what a stage reads of the one before: all but the constant
    read = factors(state)
    tensors: dict[str, torch.Tensor] = {}

    def enlarged(kind: str, stage: int, weight: torch.Tensor) -> torch.Tensor:
        if kind == "emb":
            return enlarge(weight, tokens, inner)
        if kind == "proj" and stage == 0:
            return enlarge(weight, inner, hidden, factors(hidden))
        if kind == "proj":
            return enlarge(weight, inner, state, read)
        if kind == "head":
            return _with_bias(enlarge(weight, tokens, state, read), config.vocab_size)
        values = weight[inner.to(device)]
        values[-1] = 0.0 if kind == "ln_weight" else CONSTANT
        return values

    for kind, name in NAMES.items():
        stages = getattr(small, kind)
        for stage in range(config.n_predict):
            if stage and stages[stage] is stages[stage - 1]:
                continue  # shared with the stage before
            weight = stages[stage].detach().to(device=device, dtype=dtype)
            tensors[name.format(stage)] = enlarged(kind, stage, weight)
    sizes = replace(
        config, vocab_size=shape.vocab, emb_dim=shape.hidden, inner_dim=shape.drafter_inner
    )
    heads = MlpHeads(sizes, tensors, Path(shape.name))
    heads.emb_weight = small.emb_weight  # would grow with the inner size
    return heads


def _with_bias(weight: torch.Tensor, known: int) -> torch.Tensor:
    weight[known:, -1] = NEVER
    return weight
