"""Random steps for the attention kernels, and what they must give: gathered pages in float64."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Any

import torch

from specchat.engine.cuda.step_tables import Geometry, StepTables, build
from specchat.engine.model.segment import Segment

PAGE = 16
KINDS = ("plain", "chain", "tree", "full tree", "chunk")


@dataclass(frozen=True, slots=True)
class Size:
    """How large the random steps are."""

    requests: int = 3
    context: int = 60
    chunk: int = 24
    divisions: tuple[tuple[int, int], ...] = ((1, 3), (2, 2), (1, 8), (3, 1))  # kv_heads, group
    dims: tuple[int, ...] = (16, 64, 64, 80, 128, 256)


CARD = tuple(
    Size(requests=6, context=3000, chunk=400, divisions=(division,), dims=(dim,))
    for division, dim in (((8, 4), 128), ((1, 48), 128), ((4, 2), 64), ((4, 7), 80), ((8, 4), 256))
)
"""Shapes of real models: Llama 8B, Granite 20B, the bundled one, and uncommon ones."""


@dataclass(frozen=True)
class Case:
    """One step and its options."""

    segments: list[Segment]
    geometry: Geometry
    query: torch.Tensor  # [heads, rows, head_dim]
    keys: torch.Tensor  # [cache rows, kv_heads, head_dim]
    values: torch.Tensor
    scale: float
    window: int
    softcap: float
    sinks: torch.Tensor | None

    @property
    def tables(self) -> StepTables:
        """On the tensors' device."""
        return build(self.segments, self.query.shape[1], self.geometry, self.query.device)

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of `kernels.attend`."""
        return {
            "scale": self.scale,
            "window": self.window,
            "softcap": self.softcap,
            "sinks": self.sinks,
        }

    def to(self, device: torch.device, dtype: torch.dtype) -> Case:
        """The same step elsewhere, rounded to another dtype."""
        heads = self.query.transpose(0, 1).to(device, dtype).contiguous().transpose(0, 1)
        sinks = None if self.sinks is None else self.sinks.to(device)
        segments = [replace(s, _slots=None, _masks=None) for s in self.segments]
        keys, values = self.keys.to(device, dtype), self.values.to(device, dtype)
        return replace(self, segments=segments, query=heads, keys=keys, values=values, sinks=sinks)

    def expected(self) -> torch.Tensor:
        """`[rows, heads, head_dim]` float64; padding rows are 0."""
        heads, rows, dim = self.query.shape
        device = self.query.device
        out = torch.zeros(rows, heads, dim, dtype=torch.float64, device=device)
        group = self.geometry.group
        for segment in self.segments:
            mine = slice(segment.start, segment.start + segment.count)
            where = segment.slots(self.geometry.page_size, device)
            keys = self.keys[where].double().transpose(0, 1).repeat_interleave(group, 0)
            values = self.values[where].double().transpose(0, 1).repeat_interleave(group, 0)
            scores = self.query[:, mine].double() @ keys.transpose(1, 2) * self.scale
            if self.softcap:
                scores = self.softcap * torch.tanh(scores / self.softcap)
            mask = segment.mask(self.window, device)
            if mask is not None:
                scores = scores.masked_fill(~mask, -math.inf)
            if self.sinks is not None:
                sink = self.sinks.double()[:, None, None].expand(-1, scores.shape[1], 1)
                weights = torch.cat([scores, sink], -1).softmax(-1)[..., :-1]
            else:
                weights = scores.softmax(-1)
            out[mine] = (weights @ values).transpose(0, 1)
        return out


def random_case(
    seed: int, kind: str, processors: int, size: Size | None = None, device: str = "cpu"
) -> Case:
    """A step in float32 of one or more requests of uneven lengths, the first of this kind, on
    scattered pages of which some are shared."""
    size = size or Size()
    rng, noise = random.Random(seed), torch.Generator(device).manual_seed(seed)
    kv_heads, group = rng.choice(size.divisions)
    dim = rng.choice(size.dims)
    requests = rng.randint(1, size.requests)
    kinds = [kind, *rng.choices(["plain", "chain", "tree"], k=requests - 1)]
    segments, pages = _segments(rng, kinds, size)
    rows = sum(segment.count for segment in segments) + rng.choice([0, 0, 3])
    heads = kv_heads * group
    cache = (pages * PAGE, kv_heads, dim)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=noise, device=device)

    return Case(
        segments=segments,
        geometry=Geometry(heads, kv_heads, PAGE, processors),
        query=normal(rows, heads, dim).transpose(0, 1),
        keys=normal(*cache),
        values=normal(*cache),
        scale=rng.choice([1, 3]) / math.sqrt(dim),
        window=rng.choice([0, 0, 5, 33]),
        softcap=rng.choice([0.0, 0.0, 2.5]),
        sinks=normal(heads) if rng.random() < 0.3 else None,
    )


def _segments(rng: random.Random, kinds: list[str], size: Size) -> tuple[list[Segment], int]:
    """The requests, and how many pages there are."""
    pages = len(kinds) * math.ceil((size.context + max(64, size.chunk)) / PAGE) + 2
    free = rng.sample(range(pages), pages)
    shared = [free.pop(), free.pop()]
    segments: list[Segment] = []
    start = 0
    for kind in kinds:
        count = {
            "plain": 1,
            "chain": rng.randint(2, 9),
            "tree": rng.randint(2, 20),
            "full tree": 64,
            "chunk": rng.randint(1, size.chunk),
        }[kind]
        context = (
            rng.choice([0, 1, 15, 16, 17]) if kind == "chunk" else rng.randint(1, size.context)
        )
        mine = list(shared) if context >= 2 * PAGE and rng.random() < 0.5 else []
        while len(mine) * PAGE < context + count:
            mine.append(free.pop())
        ancestors, positions = None, list(range(context, context + count))
        if "tree" in kind:
            ancestors, positions = _tree(rng, count, context)
        segments.append(Segment(start, count, context, mine, ancestors, positions))
        start += count
    return segments, pages


def _tree(rng: random.Random, count: int, context: int) -> tuple[list[int], list[int]]:
    bits, depths = [1], [0]
    for row in range(1, count):
        parent = rng.randrange(row)
        bits.append(bits[parent] | 1 << row)
        depths.append(depths[parent] + 1)
    signed = [b - (1 << 64) if b >= 1 << 63 else b for b in bits]
    return signed, [context + depth for depth in depths]
