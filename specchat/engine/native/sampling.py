"""Sampling in one call of the native library: temperature, noise and the largest score of each row.

As on a card (`card_sampling`) it serves requests that ask for temperature alone; what it chooses is
what `sampling.choose` does.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import torch

from specchat.engine.native.library import loaded_library
from specchat.engine.sampling.sampler import RowGroup


def choose_natively(logits: torch.Tensor, groups: Sequence[RowGroup]) -> list[int] | None:
    """The target's token for every row of float32 `logits [rows, vocab]` on CPU, `NO_TOKEN` where
    its score is not finite, for groups whose parameters are `by_temperature_alone`; None without
    the library."""
    library = loaded_library()
    if library is None:
        return None
    rows, vocab = logits.shape
    noise: list[int] = []
    temperatures: list[float] = []
    for group in groups:
        temperatures += [group.params.temperature] * group.count
        if group.noise is None:
            noise += [0] * group.count
        else:
            start, step = group.noise.data_ptr(), group.noise.stride(0) * 4
            noise += range(start, start + group.count * step, step)
    addresses, heat = array("q", noise), array("f", temperatures)
    best = array("q", bytes(8 * rows))
    library.choose_tokens(
        logits.data_ptr(), rows, vocab, addresses.buffer_info()[0], heat.buffer_info()[0],
        best.buffer_info()[0], min(torch.get_num_threads(), rows),
    )  # fmt: skip
    return best.tolist()
