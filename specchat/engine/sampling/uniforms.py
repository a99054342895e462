"""Seeded uniform numbers for the rejection rule, one for every use.

Counter-based, as the Gumbel noise is (`sampling.gumbel_noise`): the number depends on the seed, the
stream it belongs to, the position in the text and the trial at that position. Whether a draft is
accepted, what replaces it, and what a drafter draws are streams of their own, so no number is ever
used twice.
"""

from __future__ import annotations

from enum import IntEnum

import torch

from specchat.engine.sampling.splitmix import GOLDEN, MASK64, mix, mix_int, signed

_SCALE = 2.0**-52


class Stream(IntEnum):
    """What a random number is for."""

    ACCEPT = 1  # whether a draft token is accepted; one trial per draft at a position
    RESAMPLE = 2  # the target's own token, when no draft was accepted
    DRAFT = 3  # what a drafter draws from its own distribution


class Dice:
    """One request's random numbers."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def roll(self, stream: Stream, position: int, trial: int = 0) -> float:
        """A uniform number in (0, 1)."""
        key = mix_int((stream_seed(self._seed, stream) + position * GOLDEN) & MASK64)
        return ((mix_int((key + (trial + 1) * GOLDEN) & MASK64) >> 12) + 0.5) * _SCALE

    def rolls(self, stream: Stream, positions: torch.Tensor, trial: int = 0) -> torch.Tensor:
        """The same for many positions: int64 `[n]` to float64 `[n]`."""
        seed = signed(stream_seed(self._seed, stream))
        key = mix(positions * signed(GOLDEN) + seed)
        bits = mix(key + signed((trial + 1) * GOLDEN & MASK64)) >> 12 & ((1 << 52) - 1)
        return (bits.double() + 0.5) * _SCALE


def stream_seed(seed: int, stream: Stream) -> int:
    """The seed of one stream, from 0 to 2**64 - 1."""
    return mix_int((mix_int(seed) + stream * GOLDEN) & MASK64)
