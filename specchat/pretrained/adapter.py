"""LoRA adapters as peft saves them, merged into the weights they were trained on.

W + (alpha / rank) B A (Hu et al. 2021). Merged once, an adapter costs nothing afterwards.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from specchat.engine.errors import ModelLoadError

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"


def merge_adapter(model: Any, folder: Path) -> None:
    """Add the adapter in `folder` to the weights of `model`, in place.

    Raises:
        ModelLoadError: files are missing or damaged, or a layer is missing or of another shape.
    """
    scale = _scale(folder / CONFIG)
    weights = _weights(folder / WEIGHTS)
    layers = dict(model.named_modules())
    for key in sorted(weights):
        if not key.endswith(_DOWN):
            continue
        name = key.removeprefix(_PREFIX).removesuffix(_DOWN)
        up = weights.get(key.removesuffix(_DOWN) + _UP)
        layer = layers.get(name)
        if up is None or layer is None:
            raise ModelLoadError(f"{folder}: the adapter does not fit: {name!r} is missing")
        delta = scale * (up.float() @ weights[key].float())
        if delta.shape != layer.weight.shape:
            raise ModelLoadError(
                f"{folder}: the adapter does not fit: {name!r} is {tuple(layer.weight.shape)}, "
                f"the adapter's {tuple(delta.shape)}"
            )
        with torch.no_grad():
            layer.weight += delta.to(layer.weight.dtype)


def _scale(path: Path) -> float:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return float(config["lora_alpha"]) / float(config["r"])
    except (OSError, ValueError, KeyError, ZeroDivisionError) as error:
        raise ModelLoadError(f"{path}: no adapter's configuration: {error!r}") from None


def _weights(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelLoadError(f"{path}: no adapter's weights: {error}") from None
