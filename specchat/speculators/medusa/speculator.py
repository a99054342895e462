"""Medusa: extra heads on the target's last hidden state, each for one more token ahead.

Cai et al., "Medusa: Simple LLM inference acceleration framework with multiple decoding heads"
(2024, arXiv 2401.10774). The heads do not see each other's choice, so a path's chance is the
product of its tokens' chances. The tree holds the most likely paths, best first, instead of one
fixed shape: it is narrow where the heads are sure and wide where they are not.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from pathlib import Path

import torch

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.drafting.speculator import DraftContext, Speculator
from specchat.speculators.medusa.heads import MedusaHeads, load_heads
from specchat.speculators.shared.draft_sampling import best_tokens, noise_depth

TOP_K = 8
"""Tokens of each head that may enter the tree."""

NODES = 24
LEAST_CHANCE = 0.01
"""Of a path: a less likely one is not worth looking at."""


class MedusaSpeculator(Speculator):
    """Drafts for all requests of a step in one call of each head."""

    name = "medusa"
    needs_hidden = True

    def __init__(self, heads: MedusaHeads, *, device: torch.device) -> None:
        self._heads = heads.to(device)
        self._device = device
        ids = heads.token_ids
        self._token_ids = None if ids is None else ids.to(device)
        self._dtype = heads.lm_heads[0].weight.dtype

    def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
        """A tree of likely paths, where the hidden state is known."""
        trees = [DraftTree() for _ in batch]
        places = [i for i, context in enumerate(batch) if context.hidden is not None]
        contexts = [batch[i] for i in places]
        if not contexts:
            return trees
        with torch.inference_mode():
            levels = self._levels(contexts)
        for place, level in zip(places, levels, strict=True):
            trees[place] = likely_paths(level, self.name)
        return trees

    def _levels(self, contexts: Sequence[DraftContext]) -> list[list[Level]]:
        """For each request, each head's best tokens and their chances."""
        hidden = torch.stack([c.hidden for c in contexts if c.hidden is not None])
        hidden = hidden.to(self._device, self._dtype)
        limits = [self._limit(context) for context in contexts]
        levels: list[list[Level]] = [[] for _ in contexts]
        for head in range(max(limits)):
            rows = [row for row, limit in enumerate(limits) if head < limit]
            logits = self._heads.logits(self._heads.state(hidden[rows], head), head)
            asked = [contexts[row] for row in rows]
            found = best_tokens(logits, asked, head, TOP_K, self._token_ids)
            for row, tokens, chances in zip(rows, found.tokens, found.chances, strict=True):
                levels[row].append((tokens, chances))
        return levels

    def _limit(self, context: DraftContext) -> int:
        known = noise_depth(context)
        heads = len(self._heads)
        return min(context.max_depth, heads if known is None else min(heads, known))


Level = tuple[list[int], list[float]]
"""The best tokens of a place, best first, and their chances."""


def likely_paths(levels: Sequence[Level], source: str) -> DraftTree:
    """The `NODES` most likely paths through independent levels, as one tree."""
    tree = DraftTree()
    heap: list[tuple[float, int, int, int, float]] = []  # -chance, tie-break, parent, rank, before

    def offer(parent: int, rank: int, before: float) -> None:
        depth = 0 if parent == ROOT else tree.depths[parent]
        if depth < len(levels) and rank < len(levels[depth][0]):
            chance = before * levels[depth][1][rank]
            if chance >= LEAST_CHANCE:
                heapq.heappush(heap, (-chance, len(tree), parent, rank, before))

    offer(ROOT, 0, 1.0)
    while heap and len(tree) < NODES:
        negative, _, parent, rank, before = heapq.heappop(heap)
        tokens, chances = levels[0 if parent == ROOT else tree.depths[parent]]
        node = tree.add(tokens[rank], parent, source, min(chances[rank], 1.0))
        offer(node, 0, -negative)
        offer(parent, rank + 1, before)
    return tree


def load_medusa(
    directory: Path,
    *,
    vocab_size: int,
    hidden_size: int,
    dtype: torch.dtype,
    device: torch.device,
) -> MedusaSpeculator:
    """Load a checkpoint of either layout for a target of these sizes.

    Raises:
        ModelLoadError: damaged, incomplete, or made for a target of other sizes.
    """
    heads = load_heads(directory, vocab_size=vocab_size, hidden_size=hidden_size, dtype=dtype)
    return MedusaSpeculator(heads, device=device)
