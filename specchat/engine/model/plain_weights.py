"""A transformers model from files that hold its weights under its own names, mapped into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch.overrides import TorchFunctionMode


def from_plain_weights(
    auto: Any, directory: Path, config: Any, dtype: torch.dtype, **options: Any
) -> Any | None:
    """The model of `auto`, one of transformers' AutoModel classes, on the CPU and in `dtype`, made
    with its class's `options`; in
    a fraction of the time that `from_pretrained` takes, which first makes it without memory and
    is ready to rename, join and spread weights.

    None where the files are not that plain: they are quantised, lack a weight, hold one in another
    shape or apart from the one it is tied to, or are damaged. `from_pretrained` then does what is
    needed, or says what is wrong.
    """
    if getattr(config, "quantization_config", None) is not None:
        return None
    try:
        with _Unset():
            model = auto.from_config(config, dtype=dtype, **options)
        stored: dict[str, torch.Tensor] = {}
        for file in sorted(directory.glob("*.safetensors")):
            stored |= load_file(file)
        own = model.state_dict()
        found = {name: weight for name, weight in stored.items() if name in own}
        if not _complete(own, found):
            return None
        weights = {name: _as(weight, own[name].dtype) for name, weight in found.items()}
        model.load_state_dict(weights, strict=False, assign=True)
        model.tie_weights()
    except Exception:  # damaged files raise many kinds
        return None
    return model.eval()


_FILLING = ("torch.nn.init", "transformers.initialization")
"""Modules whose functions take a tensor first and give it values."""


class _Unset(TorchFunctionMode):
    """Weights that are about to be read are not filled with random numbers first."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        random = func in (torch.Tensor.normal_, torch.Tensor.uniform_)
        if random or getattr(func, "__module__", None) in _FILLING:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _complete(own: dict[str, torch.Tensor], found: dict[str, torch.Tensor]) -> bool:
    """Whether each weight is there in its shape, of tied ones exactly one."""
    if any(weight.shape != own[name].shape for name, weight in found.items()):
        return False
    there = [own[name].data_ptr() for name in found]
    return len(set(there)) == len(there) and {w.data_ptr() for w in own.values()} == set(there)


def _as(weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return weight.to(dtype) if weight.is_floating_point() else weight
