"""Random steps for the attention kernels, and what they must give: gathered pages in float32."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import torch

from specchat.engine.attention import Segment, _attend
from specchat.engine.step_tables import Geometry, StepTables, build

CPU = torch.device("cpu")
PAGE = 16
PAGES = 26
KINDS = ("plain", "chain", "tree", "full tree", "chunk")


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
        return build(self.segments, self.query.shape[1], self.geometry, CPU)

    @property
    def options(self) -> dict[str, object]:
        return {
            "scale": self.scale,
            "window": self.window,
            "softcap": self.softcap,
            "sinks": self.sinks,
        }

    def expected(self) -> torch.Tensor:
        """`[rows, heads, head_dim]` float32; padding rows are 0."""
        heads, rows, dim = self.query.shape
        out = torch.zeros(rows, heads, dim)
        for segment in self.segments:
            mine = slice(segment.start, segment.start + segment.count)
            where = segment.slots(PAGE, CPU)
            out[mine] = _attend(
                self.query[None, :, mine].float(),
                self.keys[where].float().transpose(0, 1)[None],
                self.values[where].float().transpose(0, 1)[None],
                segment.mask(self.window, CPU),
                self.scale,
                self.softcap,
                self.sinks,
            )[0].transpose(0, 1)
        return out


def random_case(
    seed: int, kind: str, dtype: torch.dtype = torch.float32, processors: int = 8
) -> Case:
    """One to three requests of uneven lengths, the first of this kind, on scattered pages of which
    some are shared."""
    rng, noise = random.Random(seed), torch.Generator().manual_seed(seed)
    many_rows = kind in ("full tree", "chunk")  # the interpreter takes its time for each program
    kv_heads, group = rng.choice(
        [(1, 1), (1, 2)] if many_rows else [(1, 3), (2, 2), (1, 8), (3, 1)]
    )
    dim = rng.choice([16, 64, 64, 80, 128, 256])
    kinds = [
        kind,
        *rng.choices(["plain", "chain", "tree"], k=rng.randint(0, 1 if many_rows else 2)),
    ]
    segments = _segments(rng, kinds)
    rows = sum(segment.count for segment in segments) + rng.choice([0, 0, 3])
    heads = kv_heads * group
    cache = (PAGES * PAGE, kv_heads, dim)
    return Case(
        segments=segments,
        geometry=Geometry(heads, kv_heads, PAGE, processors=processors),
        query=torch.randn(rows, heads, dim, generator=noise).to(dtype).transpose(0, 1),
        keys=torch.randn(cache, generator=noise).to(dtype),
        values=torch.randn(cache, generator=noise).to(dtype),
        scale=rng.choice([1, 3]) / math.sqrt(dim),
        window=rng.choice([0, 0, 5, 33]),
        softcap=rng.choice([0.0, 0.0, 2.5]),
        sinks=torch.randn(heads, generator=noise) if rng.random() < 0.3 else None,
    )


def _segments(rng: random.Random, kinds: list[str]) -> list[Segment]:
    pages = rng.sample(range(PAGES), PAGES)
    shared = [pages.pop(), pages.pop()]
    segments: list[Segment] = []
    start = 0
    for kind in kinds:
        count = {
            "plain": 1,
            "chain": rng.randint(2, 9),
            "tree": rng.randint(2, 20),
            "full tree": 64,
            "chunk": rng.randint(1, 24),
        }[kind]
        context = rng.choice([0, 1, 15, 16, 17]) if kind == "chunk" else rng.randint(1, 60)
        mine = list(shared) if context >= 2 * PAGE and rng.random() < 0.5 else []
        while len(mine) * PAGE < context + count:
            mine.append(pages.pop())
        ancestors, positions = None, list(range(context, context + count))
        if "tree" in kind:
            ancestors, positions = _tree(rng, count, context)
        segments.append(Segment(start, count, context, mine, ancestors, positions))
        start += count
    return segments


def _tree(rng: random.Random, count: int, context: int) -> tuple[list[int], list[int]]:
    bits, depths = [1], [0]
    for row in range(1, count):
        parent = rng.randrange(row)
        bits.append(bits[parent] | 1 << row)
        depths.append(depths[parent] + 1)
    signed = [b - (1 << 64) if b >= 1 << 63 else b for b in bits]
    return signed, [context + depth for depth in depths]
