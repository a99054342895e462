"""Weights in 8 or 4 bits for CPUs: rounded here, multiplied as they are by the native step.

int8 has one scale a row; int4, as GGUF's Q4_1, a scale and a least number for every 32 columns. The
model's own parameters become what the numbers stand for, so that every backend computes with the
same weights: where there is no compiler a quantised model answers alike, though no faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

KINDS = ("int8", "int4")
GROUP = 32
"""Columns of int4 that share a scale."""
INT8_COLUMNS = 4
"""The columns of an int8 weight are a multiple of this."""


@dataclass(frozen=True, slots=True)
class Quantized:
    """A weight `[rows, cols]` in few bits."""

    numbers: torch.Tensor  # [rows, cols] int8; of int4 uint8 from 0 to 15
    scales: torch.Tensor  # float32 [rows]; of int4 float16 [rows, cols / GROUP]
    least: torch.Tensor | None = None  # of int4 alone: float16 [rows, cols / GROUP], number 0

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return "int8" if self.least is None else "int4"

    def rows(self, some: slice) -> Quantized:
        """Some of its rows."""
        least = None if self.least is None else self.least[some]
        return Quantized(self.numbers[some], self.scales[some], least)

    def values(self) -> torch.Tensor:
        """What the numbers stand for, in float32."""
        if self.least is None:
            return self.numbers * self.scales[:, None]
        rows, cols = self.numbers.shape
        groups = self.numbers.view(rows, -1, GROUP).float()
        return (groups * self.scales.float()[..., None] + self.least.float()[..., None]).view(
            rows, cols
        )


def quantize_model(model: nn.Module, kind: str) -> None:
    """Round the weights of all linear layers and embeddings. int4 is for the decoder layers, as far
    as their columns divide into groups: rounded so coarsely, the head and the embedding would cost
    more than all else. The rest is int8, and what does not divide by 4 stays as it is."""
    head = model.get_output_embeddings()  # type: ignore[operator]
    coarse = kind == "int4"
    done: set[int] = set()
    for module in model.modules():
        if not isinstance(module, nn.Linear | nn.Embedding):
            continue
        weight: Any = module.weight
        cols = weight.shape[1]
        if id(weight) in done or cols % INT8_COLUMNS:
            continue
        done.add(id(weight))
        layers = isinstance(module, nn.Linear) and module is not head
        fits = coarse and layers and cols % GROUP == 0
        found = to_int4(weight.data) if fits else to_int8(weight.data)
        weight.data = found.values().to(weight.dtype)
        weight.quantized = found


def quantized(weight: torch.Tensor) -> Quantized | None:
    """How a parameter is quantised, if it is."""
    found: Quantized | None = getattr(weight, "quantized", None)
    return found


def to_int8(weight: torch.Tensor) -> Quantized:
    """Numbers from -127 to 127, the largest of each row at one end."""
    scales = weight.float().abs().amax(1) / 127
    divisor = torch.where(scales > 0, scales, torch.ones(()))
    numbers = torch.empty(weight.shape, dtype=torch.int8)
    for some in _spans(weight):
        numbers[some] = (weight[some].float() / divisor[some, None]).round().to(torch.int8)
    return Quantized(numbers, scales)


def to_int4(weight: torch.Tensor) -> Quantized:
    """Numbers from 0 to 15 over the range of each group."""
    rows, cols = weight.shape
    numbers = torch.empty(rows, cols, dtype=torch.uint8)
    scales, least = (torch.empty(rows, cols // GROUP, dtype=torch.half) for _ in range(2))
    for some in _spans(weight):
        groups = weight[some].float().view(-1, cols // GROUP, GROUP)
        low, high = groups.amin(-1), groups.amax(-1)
        scales[some], least[some] = (high - low) / 15, low
        step = torch.where(scales[some] > 0, scales[some].float(), torch.ones(()))[..., None]
        found = ((groups - least[some].float()[..., None]) / step).round().clamp(0, 15)
        numbers[some] = found.to(torch.uint8).flatten(1)
    return Quantized(numbers, scales, least)


def _spans(weight: torch.Tensor) -> Iterator[slice]:
    """Rows that fit into a processor's cache together."""
    rows, cols = weight.shape
    each = max(1, 2**16 // cols)
    return (slice(first, first + each) for first in range(0, rows, each))
