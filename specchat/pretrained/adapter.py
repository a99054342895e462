"""LoRA adapters in peft's format, merged into their base so that everything else sees one model.

Hu et al. 2021: an adapted weight is W + scale * B A. The sum is made in float32 as peft's own
`merge_and_unload` makes it, bit for bit, and rounded once to the dtype the model is kept in.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from specchat.engine.errors import ModelLoadError
from specchat.pretrained.base import base_directory
from specchat.pretrained.cache import cache_folder, keep_newest, kept

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
MERGED = "merged"  # folder of merged models in the cache
KEPT_MODELS = 2  # older merged models are removed when one is made

_PREFIX = "base_model.model."
_UNSUPPORTED = ("use_dora", "fan_in_fan_out", "modules_to_save", "rank_pattern", "alpha_pattern")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Adapter:
    """The factors of an adapter, by the name of the weight that they change."""

    down: Mapping[str, torch.Tensor]  # A, float32 [rank, in]
    up: Mapping[str, torch.Tensor]  # B, float32 [out, rank]
    scale: float

    def delta(self, name: str) -> torch.Tensor:
        """What is added to the weight `name`, float32 [out, in]."""
        return (self.up[name] @ self.down[name]) * self.scale


def care(adapter: Path) -> Path:
    """The bundled assistant: its base with an adapter, as a directory of bf16 weights.

    Made once for each base and adapter and kept in the user's cache; any number of processes may
    ask at once.

    Raises:
        ModelLoadError: as `base_directory` and `merge` do.
    """
    base = base_directory()
    read_adapter(adapter)  # a damaged one is told before anything is looked up
    name = f"{MERGED}/{_key(base, adapter, torch.bfloat16)}"

    def make(folder: Path) -> None:
        log.warning("merging the assistant's adapter into its base, once")
        merge(base, adapter, folder, torch.bfloat16)

    found = kept(name, make)
    keep_newest(cache_folder() / MERGED, KEPT_MODELS)
    return found


def merge(base: Path, adapter: Path, out: Path, dtype: torch.dtype) -> None:
    """Writes the model in `base` with `adapter` in it to the folder `out`, in `dtype`.

    Raises:
        ModelLoadError: a file is missing or damaged, or the adapter is not of this base.
    """
    factors = read_adapter(adapter)
    out.mkdir(parents=True, exist_ok=True)
    left = set(factors.down)
    for file in sorted(base.iterdir()):
        if file.suffix == ".safetensors":
            weights = _read(file)
            for name in left & set(weights):
                weights[name] = _added(name, weights[name], factors)
            left -= set(weights)
            stored = {name: weight.to(dtype) for name, weight in weights.items()}
            save_file(stored, out / file.name, metadata={"format": "pt"})
        elif file.is_file() and file.name != "config.json":
            shutil.copyfile(file, out / file.name)
    if left:
        raise ModelLoadError(f"{adapter} changes {min(left)}, which the model in {base} lacks")
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    config["dtype"] = str(dtype).removeprefix("torch.")
    (out / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")


def merge_into(model: torch.nn.Module, adapter: Path) -> None:
    """Adds `adapter` to the weights of a loaded `model`, in place.

    Raises:
        ModelLoadError: a file is missing or damaged, or the adapter is not of this model.
    """
    factors = read_adapter(adapter)
    weights = dict(model.named_parameters())
    for name in factors.down:
        if name not in weights:
            raise ModelLoadError(f"{adapter} changes {name}, which the model lacks")
        with torch.no_grad():
            weights[name].copy_(_added(name, weights[name], factors))


def read_adapter(folder: Path) -> Adapter:
    """An adapter as peft saves it.

    Raises:
        ModelLoadError: a file is missing or damaged, or it is of a kind that is not merged here.
    """
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelLoadError(f"the adapter in {folder} cannot be read: {error}") from None
    other = [name for name in _UNSUPPORTED if config.get(name)]
    if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none" or other:
        raise ModelLoadError(
            f"the adapter in {folder} must be a plain LoRA, got {config.get('peft_type')!r}"
            + (f" with {', '.join(other)}" if other else "")
        )
    scale = alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank
    weights = _read(folder / WEIGHTS_FILE)
    down, up = (_factors(weights, kind) for kind in ("lora_A", "lora_B"))
    if set(down) != set(up) or not down:
        raise ModelLoadError(f"the adapter in {folder} holds no pairs of lora_A and lora_B")
    return Adapter(down, up, scale)


def _factors(weights: Mapping[str, torch.Tensor], kind: str) -> dict[str, torch.Tensor]:
    ending = f".{kind}.weight"
    return {
        name.removeprefix(_PREFIX).removesuffix(ending) + ".weight": weight.float()
        for name, weight in weights.items()
        if name.endswith(ending)
    }


def _added(name: str, weight: torch.Tensor, adapter: Adapter) -> torch.Tensor:
    delta = adapter.delta(name)
    if delta.shape != weight.shape:
        raise ModelLoadError(
            f"the adapter's {name} is {list(delta.shape)}, the base's {list(weight.shape)}; "
            "they do not belong together"
        )
    return weight.float() + delta


def _read(file: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelLoadError(f"{file} cannot be read: {error}") from None


def _key(base: Path, adapter: Path, dtype: torch.dtype) -> str:
    """Names a base, an adapter and a dtype. The base's files are told by size and time: reading
    them anew at every start would take longer than loading."""
    digest = hashlib.sha256(str(dtype).encode())
    for file in sorted(base.iterdir()):
        status = file.stat()
        digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        digest.update((adapter / name).read_bytes())
    return digest.hexdigest()[:24]
