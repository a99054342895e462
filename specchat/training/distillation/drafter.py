"""What every drafter that is trained on a frozen target has in common.

At place p of a text the target's states up to p are known, and so is token p + 1, which they gave.
A drafter's depth j, from 0, predicts token p + 2 + j. While training, the tokens in front of it are
the text's own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from specchat.training.corpus.packing import Batch

SHAPE = 64
"""Numbers of places and of tokens are rounded up to a multiple of this."""


@dataclass(frozen=True)
class View:
    """A batch and what the target makes of it."""

    batch: Batch
    hidden: torch.Tensor  # [rows, length, hidden_size], post-final-norm
    logits: torch.Tensor  # [rows, length, vocab]
    aux: torch.Tensor | None  # [rows, length, layers x hidden_size], inputs of the layers asked for


@dataclass(frozen=True)
class Places:
    """Places that have something to draft; [places, depth] unless said otherwise."""

    index: torch.Tensor  # [places] in the batch's rows laid end to end
    given: torch.Tensor  # the token in front of each depth's
    tokens: torch.Tensor  # each depth's token
    valid: torch.Tensor  # whether that token and all before it belong to the same answer


class Drafter(Protocol):
    """A network to train. `network` holds what is trained and nothing of the target's."""

    name: str
    network: nn.Module
    depth: int
    trained_depths: int  # of these, the loss counts the first ones
    aux_layers: tuple[int, ...]
    token_ids: torch.Tensor | None  # tokens of a reduced vocabulary; None: all

    def logits(self, view: View, places: Places) -> Iterator[torch.Tensor]:
        """`[places, drafted vocabulary]` of each depth in turn."""
        ...

    def export(self, folder: Path) -> None:
        """Write the checkpoint as the engine loads it."""
        ...


class FrozenTarget:
    """A transformers causal language model that is looked at and never changed."""

    def __init__(self, model: Any, aux_layers: Sequence[int] = ()) -> None:
        self.model = model.eval().requires_grad_(False)
        self.aux_layers = tuple(aux_layers)
        self.config = model.config.get_text_config()
        self.device = next(model.parameters()).device
        self.embedding = model.get_input_embeddings().weight.detach()
        self.head = model.get_output_embeddings().weight.detach()

    @torch.no_grad()
    def look(self, batch: Batch) -> View:
        """Run the target over packed rows."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            out = self.model(
                input_ids=batch.ids,
                position_ids=batch.positions,
                attention_mask=batch.mask,
                use_cache=False,
                output_hidden_states=True,
            )
        states = out.hidden_states
        aux = None
        if self.aux_layers:
            aux = torch.cat([states[layer] for layer in self.aux_layers], dim=-1).float()
        return View(batch, states[-1].float(), out.logits, aux)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch's tensors on another device."""
    names = ("ids", "targets", "weights", "positions", "mask")
    return Batch(**{name: getattr(batch, name).to(device) for name in names})


def later(tensor: torch.Tensor, count: int) -> torch.Tensor:
    """`tensor [rows, length]` with what stands `count` places later; zeros behind the end."""
    if not count:
        return tensor
    return torch.cat([tensor[:, count:], torch.zeros_like(tensor[:, :count])], dim=1)


def find_places(
    batch: Batch, depth: int, most: int | None = None, generator: torch.Generator | None = None
) -> Places:
    """All places of answers with at least one token to draft, or `most` of them at random.

    They are filled up to a multiple of `SHAPE` with places that are not valid: each new shape costs
    its own preparation of the matrix products.
    """
    told = batch.weights == 1
    runs = [told & later(told, 1)]
    for j in range(1, depth):
        runs.append(runs[-1] & later(told, 1 + j))
    index = runs[0].flatten().nonzero()[:, 0]
    if most is not None and len(index) > most:
        chosen = torch.randperm(len(index), generator=generator)[:most].sort().values
        index = index[chosen.to(index.device)]
    count = len(index)
    index = torch.nn.functional.pad(index, (0, -count % SHAPE))
    ahead = [later(batch.targets, j).flatten()[index] for j in range(depth + 1)]
    valid = torch.stack([run.flatten()[index] for run in runs], 1)
    valid[count:] = False
    return Places(index, torch.stack(ahead[:-1], 1), torch.stack(ahead[1:], 1), valid)


def at(tensor: torch.Tensor, places: Places, offset: int = 0) -> torch.Tensor:
    """`tensor [rows, length, ...]` at the places, `offset` further on: `[places, ...]`."""
    flat = tensor.flatten(0, 1)
    return flat[(places.index + offset).clamp(max=len(flat) - 1)]
