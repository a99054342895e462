"""A small language model that drafts for a larger one of the same vocabulary.

Leviathan, Kalman, Matias, "Fast inference from transformers via speculative decoding" (2022);
Chen et al. (2023). It runs on the engine's own runner with a page pool of its own: where it is
Llama-shaped and on CPU, a step of it is one native call. Drafted is the chain of its best tokens,
with each place's runner-up as a leaf beside it, for all requests of a step together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specchat.engine.batch import Rows
from specchat.engine.compiled import CompileQueue
from specchat.engine.draft import ROOT, DraftContext, DraftTree
from specchat.engine.errors import ModelLoadError
from specchat.engine.pretrained import load_causal_lm
from specchat.engine.runner import ModelRunner, read_shape
from specchat.speculators.choosing import best_tokens, noise_depth
from specchat.speculators.own_cache import OwnCache, OwnRows
from specchat.speculators.vocabulary import check_same_vocabulary

DEPTH = 6
SIBLINGS = 2
LEAST_CHANCE = 0.1
"""Of a whole chain: one that is less likely is not drafted further."""

CHUNK = 128
"""Known tokens computed ahead of a request's last ones in one call."""

CACHE_SHARE = 0.25
"""Of the target's KV memory, at the most, for the draft's own pages."""

BUCKETS = (1, 4, 8, 2, 16)
"""Rows per compiled step, where no native step is made for the draft."""


@dataclass(slots=True)
class _Chain:
    """One request's draft in the making."""

    context: DraftContext
    rows: OwnRows
    pending: Sequence[int]  # tokens to compute next; logits are wanted after the last one
    depth: int  # the most tokens to draft
    tree: DraftTree
    tip: int = ROOT
    chance: float = 1.0

    def extend(self, tokens: Sequence[int], chances: Sequence[float], source: str) -> None:
        """Add the next place's tokens, best first; the first one carries on."""
        nodes = [
            self.tree.add(token, self.tip, source, min(chance, 1.0))
            for token, chance in zip(tokens, chances, strict=True)
        ]
        self.tip, self.pending = nodes[0], tokens[:1]
        self.chance *= chances[0]


class DraftModelSpeculator:
    """Drafts with a language model of its own; see the module."""

    name = "draft_model"
    needs_hidden = False

    def __init__(
        self,
        runner: ModelRunner,
        vocab_size: int,
        *,
        depth: int = DEPTH,
        least_chance: float = LEAST_CHANCE,
    ) -> None:
        """`runner` runs the draft, and its cache is the draft's alone; `vocab_size` is the
        target's."""
        self._runner = runner
        self._vocab = vocab_size
        self._depth = depth
        self._least_chance = least_chance
        self.cache = OwnCache(runner.pages, runner.cache.page_size)

    def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
        """One chain with runners-up per request; empty where the draft's context or its pages
        are too small for the request."""
        trees = [DraftTree() for _ in batch]
        in_use = [context.request_id for context in batch]
        begun = (
            self._begin(context, tree, in_use) for context, tree in zip(batch, trees, strict=True)
        )
        chains = [chain for chain in begun if chain is not None]
        for chain in chains:
            self._catch_up(chain)
        for depth in range(max((chain.depth for chain in chains), default=0)):
            chains = [c for c in chains if depth < c.depth and c.chance >= self._least_chance]
            if not chains:
                break
            self._extend(chains, depth)
        return trees

    def observe(self, request_id: str, tokens: Sequence[int]) -> None:
        """Nothing to do: `propose` catches up with the tokens it is shown."""

    def forget(self, request_id: str) -> None:
        """Give the request's pages back."""
        self.cache.forget(request_id)

    def evict_salt(self, salt: str) -> None:
        """Forget what was kept of a tenant's conversations for later ones."""
        self.cache.evict_salt(salt)

    def _begin(
        self, context: DraftContext, tree: DraftTree, in_use: Sequence[str]
    ) -> _Chain | None:
        tokens, shape = context.tokens, self._runner.shape
        limits = [self._depth, context.max_depth, shape.context_length - len(tokens)]
        limits += [limit for limit in (noise_depth(context),) if limit is not None]
        if min(limits) < 1 or tokens[-1] >= shape.vocab_size:
            return None
        rows = self.cache.open(context.request_id, context.salt, tokens)
        start = rows.table.length
        if not self.cache.reserve(rows, len(tokens) - start + min(limits) - 1, in_use):
            return None
        return _Chain(context, rows, tokens[start:], min(limits), tree)

    def _catch_up(self, chain: _Chain) -> None:
        """Compute what is new in front of the last `CHUNK` tokens."""
        while len(chain.pending) > CHUNK:
            known, chain.pending = chain.pending[:CHUNK], chain.pending[CHUNK:]
            self._runner.forward([Rows.chunk(chain.rows.table, known, last=False)])
            chain.rows.advance(known)

    def _extend(self, chains: Sequence[_Chain], depth: int) -> None:
        """One forward pass: the next token of every chain."""
        parts = [Rows.chunk(chain.rows.table, chain.pending, last=True) for chain in chains]
        logits = self._runner.forward(parts).logits[:, : self._vocab]
        for chain in chains:
            chain.rows.advance(chain.pending)
        found = best_tokens(logits, [chain.context for chain in chains], depth, SIBLINGS)
        for chain, tokens, chances in zip(chains, found.tokens, found.chances, strict=True):
            chain.extend(tokens, chances, self.name)


def load_draft_model(
    directory: Path,
    target: ModelRunner,
    tokenizer: Any,
    *,
    target_name: str,
    queue: CompileQueue | None = None,
) -> DraftModelSpeculator:
    """Load a draft model for a target with this tokenizer, in the target's precision.

    Raises:
        ModelLoadError: damaged, not runnable here, or made for another vocabulary.
    """
    model = load_causal_lm(directory, target.dtype, target.device)
    check_same_vocabulary(
        directory, read_shape(model.config, target.dtype).vocab_size,
        target_name, target.shape.vocab_size, tokenizer,
    )  # fmt: skip
    runner = ModelRunner(
        model,
        pages=_pages(model, target),
        page_size=target.cache.page_size,
        queue=queue,
        buckets=BUCKETS if queue is not None and target.device.type == "cpu" else (),
    )
    return DraftModelSpeculator(runner, target.shape.vocab_size)


def _pages(model: Any, target: ModelRunner) -> int:
    """As many as the target has, within a share of the target's memory.

    Raises:
        ModelLoadError: that share does not hold two pages.
    """
    size = target.cache.page_size
    page_bytes = read_shape(model.config, target.dtype).kv.page_bytes(size)
    room = int(CACHE_SHARE * target.pages * target.shape.kv.page_bytes(size))
    if room < 2 * page_bytes:
        raise ModelLoadError(
            f"a draft model's KV cache takes up to {CACHE_SHARE:.0%} of the target's, here "
            f"{room} bytes, but needs at least {2 * page_bytes}; raise the KV memory"
        )
    return min(target.pages, room // page_bytes)
