"""Bundled weights that lie packed in int8, half the size of bf16, as an ordinary model directory.

Each row of a matrix is kept as whole numbers of -127 to 127 and one bf16 scale (its largest weight
divided by 127); what is no matrix stays as it is. Names are those of compressed-tensors: `weight`,
`weight_scale`. They are unpacked to bf16 once, in the user's cache, so that whatever reads a model
reads this one.
"""

from __future__ import annotations

import functools
import logging
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from specchat.engine.errors import ModelLoadError
from specchat.pretrained.installed import sha256_of

WEIGHTS = "model.safetensors"
PACKED = "model.int8.safetensors"
SCALE = "_scale"
LARGEST = 127
KEPT = 2  # unpacked versions in the cache: of this one, and of another checkout

log = logging.getLogger(__name__)


def pack(folder: Path) -> None:
    """Put packed weights in the place of a folder's `model.safetensors`.

    Raises:
        ModelLoadError: there are no such weights, or they are damaged.
    """
    packed: dict[str, torch.Tensor] = {}
    for name, weight in _read(folder / WEIGHTS).items():
        if weight.dim() != 2:
            packed[name] = weight
            continue
        scale = (weight.float().abs().amax(1, keepdim=True) / LARGEST).bfloat16()
        divisor = scale.float().clamp(min=torch.finfo(torch.bfloat16).tiny)
        packed[name] = (weight.float() / divisor).round().clamp(-LARGEST, LARGEST).to(torch.int8)
        packed[name + SCALE] = scale
    save_file(packed, folder / PACKED, metadata={"format": "pt"})
    (folder / WEIGHTS).unlink()


def unpacked(folder: Path) -> Path:
    """The folder, or where its weights are packed a directory with them unpacked.

    Raises:
        ModelLoadError: the packed weights are damaged.
    """
    file = folder / PACKED
    if not file.is_file():
        return folder
    try:
        from specchat.pretrained.cache import keep_newest, kept
    except ImportError:  # a machine that has what the engine needs alone
        return _for_this_process(folder)
    name = f"unpacked/{folder.parent.name}-{sha256_of(file)[:12]}"
    try:
        made = kept(name, lambda empty: _unpack(folder, empty))
        keep_newest(made.parent, KEPT)
        return made
    except ModelLoadError as error:
        if not isinstance(error.__context__, OSError):
            raise
        log.warning("%s; this process unpacks the model for itself", error)
        return _for_this_process(folder)


@functools.cache
def _for_this_process(folder: Path) -> Path:
    scratch = Path(_scratch().name) / folder.parent.name
    scratch.mkdir()
    _unpack(folder, scratch)
    return scratch


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="specchat-")


def _unpack(folder: Path, empty: Path) -> None:
    packed = _read(folder / PACKED)
    weights = {
        name: _bf16(weight, packed[name + SCALE]) if name + SCALE in packed else weight
        for name, weight in packed.items()
        if not name.endswith(SCALE)
    }
    save_file(weights, empty / WEIGHTS, metadata={"format": "pt"})
    for file in folder.iterdir():
        if file.is_file() and file.name != PACKED:
            shutil.copyfile(file, empty / file.name)


def _bf16(whole: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return (whole.float() * scale.float()).bfloat16()


def _read(file: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise ModelLoadError(f"{file} cannot be read: {error}") from None
