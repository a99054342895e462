"""Reading speculator checkpoints: configuration and safetensors, with errors that help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from specchat.engine.errors import ModelLoadError


def read_config(directory: Path) -> dict[str, Any]:
    """The checkpoint's config.json.

    Raises:
        ModelLoadError: missing or no JSON object.
    """
    path = directory / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelLoadError(f"{directory} is no speculator checkpoint: no config.json") from None
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(config, dict):
        raise ModelLoadError(f"{path} must hold a JSON object, got {type(config).__name__}")
    return config


def read_tensors(directory: Path, legacy: str | None = None) -> dict[str, torch.Tensor]:
    """All tensors of the checkpoint's safetensors files, or of the file `legacy`, written by
    `torch.save`, where there are none.

    Raises:
        ModelLoadError: no such file, or a damaged one.
    """
    files = sorted(directory.glob("*.safetensors"))
    if not files and legacy is not None and (directory / legacy).is_file():
        return _read_legacy(directory / legacy)
    if not files:
        other = f" and no {legacy}" if legacy else ""
        raise ModelLoadError(f"{directory} holds no .safetensors file{other}")
    tensors: dict[str, torch.Tensor] = {}
    for file in files:
        try:
            tensors |= load_file(file)
        except (SafetensorError, OSError, ValueError) as error:
            raise ModelLoadError(f"{file} is damaged or no safetensors file: {error}") from None
    return tensors


def _read_legacy(path: Path) -> dict[str, torch.Tensor]:
    """Tensors only: nothing in the file is run."""
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises many kinds
        raise ModelLoadError(f"{path} is damaged or no file of tensors: {error}") from None
    if not isinstance(tensors, dict) or not all(map(torch.is_tensor, tensors.values())):
        raise ModelLoadError(f"{path} must hold tensors by name")
    return tensors


def take(
    tensors: dict[str, torch.Tensor], name: str, shape: tuple[int, ...], directory: Path
) -> torch.Tensor:
    """The tensor `name`, which must have `shape`.

    Raises:
        ModelLoadError: missing, or of another shape.
    """
    tensor = tensors.get(name)
    if tensor is None:
        raise ModelLoadError(f"{directory}: tensor {name} is missing")
    if tuple(tensor.shape) != shape:
        raise ModelLoadError(
            f"{directory}: tensor {name} must have shape {list(shape)}, got {list(tensor.shape)}"
        )
    return tensor
