"""Medusa heads and their checkpoint layouts; what they do is in `medusa`.

Two layouts are read:

* the original one (`medusa_lm_head.pt` or safetensors): `{head}.{layer}.linear.{weight,bias}` and
  `{head}.{layers}.weight`, also under `medusa_head.` beside the weights of a merged target;
* vLLM's: `blocks.{head}.layers.{layer}.{weight,bias}`, `lm_heads.{head}.weight` (or one `lm_head`
  for all), and `token_map`, the tokens of a reduced vocabulary.

The number of heads and layers is read from the tensors' names, since configurations are wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from specchat.engine.errors import ModelLoadError
from specchat.speculators.shared.checkpoint_files import read_config, read_tensors, take

LEGACY_FILE = "medusa_lm_head.pt"
PREFIX = "medusa_head."

Tensors = dict[str, torch.Tensor]


class MedusaHead(nn.Module):
    """Residual blocks `x + silu(W x + b)`; the vocabulary matrix is kept apart."""

    def __init__(self, hidden_size: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(hidden_size, hidden_size) for _ in range(layers))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[..., hidden_size]` to the same shape."""
        for layer in self.layers:
            x = x + F.silu(layer(x))
        return x


class MedusaHeads(nn.Module):
    """All heads. Head i predicts the token i + 2 places after the hidden state's own position."""

    def __init__(self, hidden_size: int, vocab_size: int, heads: int, layers: int) -> None:
        super().__init__()
        self.hidden_size, self.vocab_size = hidden_size, vocab_size
        self.heads = nn.ModuleList(MedusaHead(hidden_size, layers) for _ in range(heads))
        self.lm_heads = nn.ModuleList(
            nn.Linear(hidden_size, vocab_size, bias=False) for _ in range(heads)
        )
        self.token_ids: torch.Tensor | None = None  # [vocab_size]; None: the first ids

    def __len__(self) -> int:
        return len(self.heads)

    def state(self, hidden: torch.Tensor, head: int) -> torch.Tensor:
        """What a head makes of the target's post-final-norm states `[..., hidden_size]`."""
        return self.heads[head](hidden)

    def logits(self, state: torch.Tensor, head: int) -> torch.Tensor:
        """`[..., vocab_size]` of a head's state."""
        return self.lm_heads[head](state)


def load_heads(
    directory: Path, *, vocab_size: int, hidden_size: int, dtype: torch.dtype
) -> MedusaHeads:
    """Read a checkpoint in either layout for a target of these sizes.

    Raises:
        ModelLoadError: damaged, incomplete, with tensors that belong elsewhere, or made for a
            target of other sizes.
    """
    config = read_config(directory)
    tensors = _own(read_tensors(directory, LEGACY_FILE))
    original = any(name[:1].isdigit() for name in tensors)
    if config.get("original_lm_head") and "lm_heads.0.weight" in tensors:
        tensors["lm_head.weight"] = tensors.pop("lm_heads.0.weight")
    _check_sizes(config, vocab_size, hidden_size, directory)
    names = _original_names if original else _vllm_names
    count, layers = _count(tensors, directory, original)
    _check_count(config, count, directory, original)
    token_ids = _token_ids(tensors.pop("token_map", None), vocab_size, directory)
    rows = vocab_size if token_ids is None else len(token_ids)
    heads = MedusaHeads(hidden_size, rows, count, layers)
    with torch.no_grad():
        for parameter, name, shape in names(heads, tensors):
            value = _head_rows(tensors, name, shape, vocab_size, token_ids, directory)
            if value is None:
                parameter.zero_()
            else:
                parameter.copy_(value)
    used = {name for _, name, _ in names(heads, tensors)}
    strange = sorted(set(tensors) - used)
    if strange:
        raise ModelLoadError(f"{directory}: tensor {strange[0]} belongs to no Medusa head")
    heads.token_ids = token_ids
    return heads.to(dtype).requires_grad_(False).eval()


def original_tensors(heads: MedusaHeads) -> Tensors:
    """The heads' weights under the names of the original layout."""
    return {name: tensor.detach().clone() for tensor, name, _ in _original_names(heads, {})}


_Slot = tuple[torch.Tensor, str, tuple[int, ...]]


def _original_names(heads: MedusaHeads, tensors: Tensors) -> Iterator[_Slot]:
    for i, (head, lm_head) in enumerate(zip(heads.heads, heads.lm_heads, strict=True)):
        for j, layer in enumerate(head.layers):
            yield from _linear(layer, f"{i}.{j}.linear")
        yield lm_head.weight, f"{i}.{len(head.layers)}.weight", tuple(lm_head.weight.shape)


def _vllm_names(heads: MedusaHeads, tensors: Tensors) -> Iterator[_Slot]:
    shared = "lm_head.weight" in tensors
    for i, (head, lm_head) in enumerate(zip(heads.heads, heads.lm_heads, strict=True)):
        for j, layer in enumerate(head.layers):
            yield from _linear(layer, f"blocks.{i}.layers.{j}")
        name = "lm_head.weight" if shared else f"lm_heads.{i}.weight"
        yield lm_head.weight, name, tuple(lm_head.weight.shape)


def _linear(layer: nn.Linear, name: str) -> Iterator[_Slot]:
    yield layer.weight, f"{name}.weight", tuple(layer.weight.shape)
    yield layer.bias, f"{name}.bias", tuple(layer.bias.shape)


def _own(tensors: Tensors) -> Tensors:
    """The heads' tensors; a merged checkpoint holds the target's too."""
    if any(name.startswith(PREFIX) for name in tensors):
        tensors = {n.removeprefix(PREFIX): t for n, t in tensors.items() if n.startswith(PREFIX)}
    return {name.removeprefix("medusa_heads."): tensor for name, tensor in tensors.items()}


_ORIGINAL = re.compile(r"(\d+)\.(\d+)\.linear\.weight"), re.compile(r"(\d+)\.\d+\.weight")
_VLLM = re.compile(r"blocks\.(\d+)\.layers\.(\d+)\.weight"), re.compile(r"lm_heads\.(\d+)\.weight")


def _count(tensors: Tensors, directory: Path, original: bool) -> tuple[int, int]:
    """Heads and layers, by the tensors' names.

    Raises:
        ModelLoadError: no heads, or some are missing in between.
    """
    block, last = _ORIGINAL if original else _VLLM
    blocks = [m for m in map(block.fullmatch, tensors) if m]
    heads = {int(m[1]) for m in (*blocks, *map(last.fullmatch, tensors)) if m}
    if not heads:
        raise ModelLoadError(f"{directory} holds no Medusa heads")
    missing = sorted(set(range(max(heads) + 1)) - heads)
    if missing:
        raise ModelLoadError(
            f"{directory}: Medusa head {missing[0]} is missing; heads up to {max(heads)} are there"
        )
    return len(heads), 1 + max((int(m[2]) for m in blocks), default=-1)


def _check_sizes(
    config: dict[str, Any], vocab_size: int, hidden_size: int, directory: Path
) -> None:
    theirs = config.get("vocab_size", vocab_size), config.get("hidden_size", hidden_size)
    if theirs != (vocab_size, hidden_size):
        raise ModelLoadError(
            f"{directory} is made for a target with a vocabulary of {theirs[0]} and hidden states "
            f"of size {theirs[1]}, but this one has {vocab_size} and {hidden_size}"
        )


def _check_count(config: dict[str, Any], count: int, directory: Path, original: bool) -> None:
    """Original configurations are known to promise fewer heads than there are; more is a file
    that is cut short."""
    key = "medusa_num_heads" if original else "num_heads"
    promised = config.get(key)
    wrong: Callable[[int], bool] = (lambda n: n > count) if original else (lambda n: n != count)
    if isinstance(promised, int) and wrong(promised):
        raise ModelLoadError(f"{directory}: {key} is {promised}, but the file holds {count} heads")


def _token_ids(
    token_map: torch.Tensor | None, vocab_size: int, directory: Path
) -> torch.Tensor | None:
    if token_map is None:
        return None
    ids = token_map.long()
    if ids.dim() != 1 or len(ids.unique()) != len(ids) or not len(ids):
        raise ModelLoadError(f"{directory}: token_map must be a list of different tokens")
    if ids.min() < 0 or ids.max() >= vocab_size:
        raise ModelLoadError(
            f"{directory}: token_map names token {int(ids.max())}, "
            f"but the target's vocabulary has {vocab_size}"
        )
    return ids


def _head_rows(
    tensors: Tensors,
    name: str,
    shape: tuple[int, ...],
    vocab_size: int,
    token_ids: torch.Tensor | None,
    directory: Path,
) -> torch.Tensor | None:
    """A tensor of this shape; of a whole vocabulary matrix the rows of the reduced one. None for
    a bias that is left out, as vLLM's layout may."""
    if name.endswith(".bias") and name not in tensors and name.startswith("blocks."):
        return None
    tensor = tensors.get(name)
    if token_ids is not None and tensor is not None and tensor.shape == (vocab_size, shape[-1]):
        return tensor[token_ids]
    if tensor is not None and tensor.dim() == 2 and shape != tuple(tensor.shape):
        _explain(tensor, name, shape, directory)
    return take(tensors, name, shape, directory)


def _explain(tensor: torch.Tensor, name: str, shape: tuple[int, ...], directory: Path) -> None:
    """Say what a wrong shape means to a person who chose the wrong heads."""
    if tensor.shape[1] != shape[1]:
        raise ModelLoadError(
            f"{directory} expects hidden states of size {tensor.shape[1]}, "
            f"but the target's have {shape[1]} (tensor {name})"
        )
    if not name.endswith(".linear.weight") and "layers" not in name:
        raise ModelLoadError(
            f"{directory} drafts for a vocabulary of {tensor.shape[0]}, "
            f"but the target's has {shape[0]} (tensor {name})"
        )
