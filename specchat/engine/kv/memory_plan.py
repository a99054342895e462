"""Where a model goes and how large its KV cache may be: weights first, then what a step needs
besides, then pages."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from specchat.engine.errors import ModelLoadError
from specchat.engine.hardware import describe_hardware

GIB = 2**30
ROOM_ON_ONE_CARD = 1.1
"""One GPU is enough when it has this times the weights free: the rest is for steps and pages."""

WORK_COPIES = 6
"""Hidden states and MLP activations alive at a time inside a decoder layer, generously."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device and what is free on it."""

    device: torch.device
    free_bytes: int

    @property
    def name(self) -> str:
        """For messages."""
        return describe_hardware(self.device)


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What a loaded model takes, in bytes."""

    weights: int
    work: int  # kept free for a step's activations, and for CUDA graphs on a GPU
    pages: int  # of the KV cache
    speculators: int = 0  # their weights, and KV caches of their own

    def __str__(self) -> str:
        parts = {
            "weights": self.weights, "speculators": self.speculators, "steps": self.work,
            "KV cache": self.pages,
        }  # fmt: skip
        return ", ".join(f"{name} {gib(size)}" for name, size in parts.items())


def devices(device: torch.device) -> list[Device]:
    """The device asked for; "cuda" without a number is every GPU."""
    if device.type == "cpu":
        return [Device(device, int(psutil.virtual_memory().available))]
    gpus = range(torch.cuda.device_count()) if device.index is None else [device.index]
    return [Device(torch.device("cuda", gpu), int(torch.cuda.mem_get_info(gpu)[0])) for gpu in gpus]


def weights_bytes(directory: Path, dtype: torch.dtype) -> int:
    """Bytes of a checkpoint's weights in `dtype`, read from the headers of its safetensors files
    (a length in 8 bytes, then JSON); 0 for a file that has none: loading it says what is wrong."""
    count = 0
    for file in directory.glob("*.safetensors"):
        try:
            with file.open("rb") as stream:
                length = int.from_bytes(stream.read(8), "little")
                header = json.loads(stream.read(min(length, file.stat().st_size)))
            header.pop("__metadata__", None)
            count += sum(math.prod(entry["shape"]) for entry in header.values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return 0
    return count * dtype.itemsize


def place(name: str, needed: int, where: Sequence[Device]) -> dict[str, Any]:
    """Arguments of `from_pretrained` that put weights of `needed` bytes straight onto their
    devices: one where they fit on one, else spread over all.

    Raises:
        ModelLoadError: they do not fit; the message says by how much.
    """
    best = max(where, key=lambda device: device.free_bytes)
    if best.device.type == "cpu":
        _require(name, needed, [best])
        return {}
    if len(where) == 1 or best.free_bytes >= ROOM_ON_ONE_CARD * needed:
        _require(name, needed, [best])
        return {"device_map": {"": best.device}}
    _require(name, needed, where)
    limits = {device.device.index: int(0.9 * device.free_bytes) for device in where}
    return {"device_map": "auto", "max_memory": limits}


def stored_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """What tensors take; of quantised ones what they are made of."""
    total = 0
    for tensor in tensors:
        flatten = getattr(tensor, "__tensor_flatten__", None)
        if flatten is None:
            total += tensor.numel() * tensor.element_size()
        else:
            names = [name for name in flatten()[0] if getattr(tensor, name) is not None]
            total += stored_bytes(getattr(tensor, name) for name in names)
    return total


def work_bytes(
    rows: Sequence[int], *, hidden: int, inner: int, layers: int, vocab: int, dtype: torch.dtype
) -> int:
    """What steps of up to the largest of `rows` need besides weights and pages: activations of the
    largest, and the outputs of every recorded one."""
    largest = max(rows)
    layer = WORK_COPIES * largest * (hidden + inner) * dtype.itemsize
    states = (layers + 1) * largest * hidden * dtype.itemsize
    logits = sum(rows) * vocab * dtype.itemsize + largest * vocab * 4
    return layer + states + logits


def page_count(
    page_bytes: Mapping[torch.device, int],
    where: Sequence[Device],
    *,
    work: int,
    wanted_bytes: int | None,
    share: float,
    beside: float = 0.0,
) -> int:
    """Pages of a cache of `wanted_bytes`, or else of a share of what is free besides `work`.

    `page_bytes` is what one page takes on each device; `beside` is what other caches take that grow
    with this one, as a share of it.

    Raises:
        ModelLoadError: fewer than two pages, or they do not fit; the message says by how much.
    """
    one = sum(page_bytes.values())
    free = {device.device: max(0, device.free_bytes - work) for device in where}
    if wanted_bytes is None:
        count = min(
            int(share * free[device] / (1 + beside)) // size for device, size in page_bytes.items()
        )
        if count < 2:
            raise ModelLoadError(
                f"the KV cache needs at least {2 * one} bytes (two pages), got {share:.0%} of "
                f"{gib(sum(free.values()))}: what is free besides {gib(work)} for steps"
            )
        return count
    count = wanted_bytes // one
    if count < 2:
        raise ModelLoadError(
            f"the KV cache needs at least {2 * one} bytes (two pages), got {wanted_bytes}"
        )
    for device, size in page_bytes.items():
        short = int(count * size * (1 + beside)) - free[device]
        if short > 0:
            raise ModelLoadError(
                f"a KV cache of {gib(wanted_bytes)} does not fit: {describe_hardware(device)} has "
                f"{gib(free[device])} free besides {gib(work)} for steps, {gib(short)} too little"
            )
    return count


def gib(size: float) -> str:
    """For messages: `3.2 GiB`, or MiB below a tenth."""
    return f"{size / GIB:.1f} GiB" if size >= GIB / 10 else f"{size / 2**20:.1f} MiB"


def _require(name: str, needed: int, where: Sequence[Device]) -> None:
    free = sum(device.free_bytes for device in where)
    if needed > free:
        devices = ", ".join(device.name for device in where)
        raise ModelLoadError(
            f"{name} does not fit: its weights take {gib(needed)}, {gib(free)} are free on "
            f"{devices}: {gib(needed - free)} too little; use a smaller dtype, quantize or more "
            "GPUs"
        )
