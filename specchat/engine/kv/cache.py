"""The tensors behind the pages: a key and a value array per layer, one allocation per device."""

from __future__ import annotations

import math
import mmap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from specchat.engine.hardware import private_memory


@dataclass(frozen=True, slots=True)
class KVShape:
    """Sizes of one model's cache."""

    layers: int
    kv_heads: int
    head_dim: int
    dtype: torch.dtype

    def page_bytes(self, page_size: int) -> int:
        """Bytes of one page over all layers, keys and values."""
        return 2 * self.layers * self.kv_heads * self.head_dim * page_size * self.dtype.itemsize


class KVCache:
    """Keys and values of all pages, `[slots, kv_heads, head_dim]` per layer.

    Slot `page * page_size + offset` is a row. One scratch page behind the last real one takes the
    rows of padding tokens.
    """

    def __init__(
        self, shape: KVShape, pages: int, page_size: int, devices: Sequence[torch.device]
    ) -> None:
        devices = list(devices)
        if len(devices) != shape.layers:
            raise ValueError(f"one device per layer: {shape.layers} layers, {len(devices)} devices")
        slots = (pages + 1) * page_size
        size = (slots, shape.kv_heads, shape.head_dim)
        self.shape = shape
        self.page_size = page_size
        self.scratch_slot = pages * page_size
        self.devices = set(devices)
        self._host: mmap.mmap | None = None  # memory of the CPU's array
        self._arrays = {  # [keys and values of each layer there, slots, kv_heads, head_dim]
            d: self._zeros(d, (2 * devices.count(d), *size)) for d in self.devices
        }
        places = {d: iter(array) for d, array in self._arrays.items()}
        self.keys = [next(places[d]) for d in devices]
        self.values = [next(places[d]) for d in devices]
        self.rows_moved = 0  # accepted rows moved inside tail pages, once per layer
        self.pages_copied = 0  # pages whose rows were all moved there from one other page

    def release(self) -> None:
        """Give the memory back, whoever holds a tensor of it; no row can be read any more."""
        for device, array in self._arrays.items():
            if device.type != "cpu":
                array.untyped_storage().resize_(0)
        if self._host is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._host.madvise(mmap.MADV_DONTNEED)

    def move(self, source: Sequence[int], target: Sequence[int]) -> None:
        """Copy rows `source` to rows `target` in every layer, as if all at once."""
        pairs = [(s, t) for s, t in zip(source, target, strict=True) if s != t]
        if not pairs:
            return
        both = torch.tensor([[s for s, _ in pairs], [t for _, t in pairs]])
        for device, array in self._arrays.items():
            src, dst = both.to(device, non_blocking=True)
            array.index_copy_(1, dst, array.index_select(1, src))
        self.rows_moved += len(pairs) * len(self.keys)
        if len(pairs) >= self.page_size:
            size = self.page_size
            ways = Counter((s // size, t // size) for s, t in pairs)
            self.pages_copied += sum(count == size for count in ways.values())

    def _zeros(self, device: torch.device, size: Sequence[int]) -> torch.Tensor:
        """An array of zeros. On a CPU a page of it takes memory once it is written, so that an idle
        engine is small and starts at once."""
        if device.type != "cpu":
            return torch.zeros(*size, dtype=self.shape.dtype, device=device)
        self._host = private_memory(math.prod(size) * self.shape.dtype.itemsize)
        return torch.frombuffer(self._host, dtype=self.shape.dtype).view(*size)
