"""Which small channel each channel of an enlarged weight repeats, and with what factor.

Where a product sums over channels that repeat small ones, the factors of each small channel's
copies add up to 1 (or to 0 where nothing may come out). They are powers of two or sums of two, so
scaling a bf16 weight by one loses nothing.
"""

from __future__ import annotations

import torch

NONE = -1
"""In place of a small channel: a channel that repeats none."""


def adding_up(count: int) -> list[float]:
    """`count` factors that add up to 1."""
    factors = [1.0]
    while len(factors) < count:
        largest = factors.pop(0) / 2
        factors += [largest, largest]
        factors.sort(reverse=True)
    return factors


def cancelling(count: int) -> list[float]:
    """`count` factors other than 0 that add up to 0.

    Raises:
        ValueError: fewer than two.
    """
    if count < 2:
        raise ValueError(f"at least two factors can add up to 0, got {count}")
    size = adding_up(count)[-1]
    odd = [2 * size, -size, -size] if count % 2 else []
    return odd + [size, -size] * ((count - len(odd)) // 2)


def factors(copies: torch.Tensor, *, cancel: bool = False) -> torch.Tensor:
    """The factor `[channels]` float32 of each channel, `copies [channels]` naming the small one it
    repeats (or NONE, whose factor is 0)."""
    out = torch.zeros(len(copies))
    for small in copies.unique().tolist():
        if small != NONE:
            where = (copies == small).nonzero()[:, 0]
            make = cancelling if cancel else adding_up
            out[where] = torch.tensor(make(len(where)))
    return out


def enlarge(
    weight: torch.Tensor,
    rows: torch.Tensor,
    columns: torch.Tensor,
    column_factors: torch.Tensor | None = None,
) -> torch.Tensor:
    """`[rows, columns]` of copies of `weight`'s entries, on its device and in its dtype."""
    big = weight[rows.clamp(min=0).to(weight.device)][:, columns.clamp(min=0).to(weight.device)]
    if column_factors is not None:
        big.mul_(column_factors.to(big.device, big.dtype))
    return big
