"""SplitMix64's finaliser (Steele, Lea, Flood 2014): the bits behind all seeded randomness.

64-bit integer arithmetic that is the same on every device, for Python's integers and for tensors.
"""

from __future__ import annotations

import torch

MASK64 = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mix(x: torch.Tensor) -> torch.Tensor:
    """Mix int64 tensors; multiplication wraps, shifts are logical."""
    x = (x ^ _shift(x, 30)) * signed(_FIRST)
    x = (x ^ _shift(x, 27)) * signed(_SECOND)
    return x ^ _shift(x, 31)


def mix_int(x: int) -> int:
    """The same for one number from 0 to 2**64 - 1."""
    x = (x ^ x >> 30) * _FIRST & MASK64
    x = (x ^ x >> 27) * _SECOND & MASK64
    return x ^ x >> 31


def signed(x: int) -> int:
    """The int64 with the bits of `x`."""
    return x - (1 << 64) if x >= 1 << 63 else x


def _shift(x: torch.Tensor, bits: int) -> torch.Tensor:
    return x >> bits & ((1 << (64 - bits)) - 1)
