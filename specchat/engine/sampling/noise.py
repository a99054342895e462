"""Seeded Gumbel noise: the same for the same seed and position, whoever asks."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import torch

from specchat.engine.native.library import loaded_library
from specchat.engine.sampling.splitmix import GOLDEN, MASK64, mix, mix_int, signed


def gumbel_noise(
    seed: int, start: int, count: int, vocab: int, device: torch.device
) -> torch.Tensor:
    """Standard Gumbel noise `[count, vocab]` (float32) for positions start .. start + count - 1.

    Counter-based: SplitMix64 of (seed, position, token).
    """
    keys = [noise_key(seed, start + i) for i in range(count)]
    library = loaded_library() if device.type == "cpu" else None
    if library is not None:  # the same up to rounding, twenty times faster
        noise = torch.empty(count, vocab)
        numbers = array("q", keys)
        library.gumbel_noise(numbers.buffer_info()[0], count, vocab, noise.data_ptr())
        return noise
    return torch_gumbel_noise(keys, vocab, device)


def torch_gumbel_noise(keys: Sequence[int], vocab: int, device: torch.device) -> torch.Tensor:
    """`gumbel_noise` of positions whose keys are known, on any device."""
    key = torch.tensor(keys, dtype=torch.int64, device=device)
    token = torch.arange(1, vocab + 1, dtype=torch.int64, device=device) * signed(GOLDEN)
    bits = mix(key[:, None] + token) >> 32 & 0xFFFFFFFF
    uniform = (bits.to(torch.float32) + 0.5) * 2.0**-32
    return -torch.log(-torch.log1p(-uniform.clamp_(max=1 - 2.0**-24)))


def noise_key(seed: int, position: int) -> int:
    """What a position's noise is drawn with, as an int64."""
    return signed(mix_int((mix_int(seed) + position * GOLDEN) & MASK64))


class NoiseTape:
    """One request's noise, made in blocks of positions so that a step pays little for it."""

    BLOCK = 16
    BLOCK_ON_GPU = 2  # a row of a large vocabulary is half a megabyte, which no plan counts

    def __init__(self, seed: int, vocab: int, device: torch.device) -> None:
        self._seed, self._vocab, self._device = seed, vocab, device
        self._start = 0
        self._rows = torch.empty(0, vocab, device=device)

    def rows(self, start: int, count: int) -> torch.Tensor:
        """Noise `[count, vocab]` of positions start .. start + count - 1."""
        have = self._start + len(self._rows)
        if start < self._start or start > have:
            self._start, have = start, start
            self._rows = self._rows[:0]
        if start + count > have:
            block = self.BLOCK if self._device.type == "cpu" else self.BLOCK_ON_GPU
            more = max(block, start + count - have)
            new = gumbel_noise(self._seed, have, more, self._vocab, self._device)
            self._rows = torch.cat([self._rows[start - self._start :], new])
            self._start = start
        return self._rows[start - self._start : start - self._start + count]
