"""Low-rank adapters on linear layers (LoRA, Hu et al. 2021), saved as peft saves them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from specchat.pretrained.adapter import CONFIG_FILE, WEIGHTS_FILE

_LAYER = re.compile(r"\.layer\.(\d+)\.")

TARGETS = ("query", "key", "value", "dense")
"""The linear layers of a BERT layer, by the last part of their names."""


class LoraLinear(nn.Module):
    """A frozen linear layer plus `scale` times up(down(x)); at the start it adds nothing."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scale = alpha / rank
        self.down = nn.Parameter(torch.empty(rank, base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """The layer's output with the adapter's part."""
        low = nn.functional.linear(hidden, self.down)
        return self.base(hidden) + self.scale * nn.functional.linear(low, self.up)


def add_lora(model: Any, layers: Sequence[int], rank: int, alpha: float) -> list[nn.Parameter]:
    """Put adapters on `layers` of a BERT encoder and freeze the rest; returns what is to learn."""
    model.requires_grad_(False)
    learned: list[nn.Parameter] = []
    for name, parent, child in list(_targets(model, layers)):
        wrapped = LoraLinear(child, rank, alpha)
        setattr(parent, name.rpartition(".")[2], wrapped)
        learned += [wrapped.down, wrapped.up]
    return learned


def save_lora(model: Any, folder: Path, base: str) -> None:
    """Write the adapters of `model` in peft's format, float16, for the model named `base`."""
    folder.mkdir(parents=True, exist_ok=True)
    weights: dict[str, torch.Tensor] = {}
    rank, alpha = 0, 0.0
    for name, module in model.named_modules():
        if isinstance(module, LoraLinear):
            rank, alpha = module.down.shape[0], module.scale * module.down.shape[0]
            for part, weight in (("lora_A", module.down), ("lora_B", module.up)):
                key = f"base_model.model.{name}.{part}.weight"
                weights[key] = weight.detach().half().contiguous()
    save_file(weights, folder / WEIGHTS_FILE)
    config = {
        "base_model_name_or_path": base,
        "bias": "none",
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": rank,
        "target_modules": sorted({key.split(".")[-3] for key in weights}),
        "layers_to_transform": sorted({int(_LAYER.findall(key)[0]) for key in weights}),
        "task_type": "FEATURE_EXTRACTION",
    }
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def average_lora(folders: Sequence[Path], folder: Path) -> None:
    """Write the mean of adapters of one base and rank to `folder`, in peft's format.

    The mean of what they add to a weight: the factors stand side by side, so that its rank is the
    sum of theirs.
    """
    parts = [load_file(each / WEIGHTS_FILE) for each in folders]
    config = json.loads((folders[0] / CONFIG_FILE).read_text(encoding="utf-8"))
    weights = {
        key: torch.cat([part[key] for part in parts], 0 if ".lora_A." in key else 1)
        for key in parts[0]
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / WEIGHTS_FILE)
    config["r"] *= len(parts)  # alpha stays: alpha / r is divided by as many
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _targets(model: Any, layers: Sequence[int]) -> Iterator[tuple[str, nn.Module, nn.Linear]]:
    """Full name, parent and layer of every linear layer that gets an adapter."""
    modules = dict(model.named_modules())
    for name, module in modules.items():
        number = _LAYER.search(name)
        if number is None or int(number[1]) not in layers:
            continue
        if name.rpartition(".")[2] in TARGETS and isinstance(module, nn.Linear):
            yield name, modules[name.rpartition(".")[0]], module
