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

from specchat.engine.drafting.speculator import DraftContext
from specchat.engine.model.batch import Rows
from specchat.engine.model.compiled import CompileQueue
from specchat.engine.model.pretrained import load_causal_lm
from specchat.engine.model.runner import ModelRunner
from specchat.engine.model.shape import read_shape
from specchat.speculators.shared.chain import LEAST_CHANCE, Chain, extend_all, useful_depth
from specchat.speculators.shared.chain_drafter import ChainDrafter
from specchat.speculators.shared.own_cache import OwnCache, OwnRows, own_pages
from specchat.speculators.shared.same_vocabulary import check_same_vocabulary

DEPTH = 6

CHUNK = 128
"""Known tokens computed ahead of a request's last ones in one call."""

BUCKETS = (1, 4, 8, 2, 16)
"""Rows per compiled step, where no native step is made for the draft."""


@dataclass(slots=True)
class _Draft:
    """One request's chain and the tokens to compute next, the last of which asks for logits."""

    chain: Chain
    rows: OwnRows
    pending: Sequence[int]


class DraftModelSpeculator(ChainDrafter[_Draft]):
    """Drafts with a language model of its own; see the module."""

    name = "draft_model"

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
        super().__init__(OwnCache(runner.pages, runner.cache.page_size), depth, least_chance)

    def _begin(self, context: DraftContext, in_use: Sequence[str]) -> _Draft | None:
        tokens, shape = context.tokens, self._runner.shape
        depth = min(useful_depth(context, self._depth), shape.context_length - len(tokens))
        if depth < 1:
            return None
        rows = self.cache.open(context.request_id, context.salt, tokens)
        rows.rewind(tokens[:-1])
        pending = tokens[len(rows.tokens) :]
        if not self.cache.reserve(rows, len(pending) + depth - 1, in_use):
            return None
        return _Draft(Chain(context, self.name, depth), rows, pending)

    def _catch_up(self, draft: _Draft) -> None:
        """Compute what is new in front of the last `CHUNK` tokens."""
        while len(draft.pending) > CHUNK:
            known, draft.pending = draft.pending[:CHUNK], draft.pending[CHUNK:]
            self._runner.forward([self._chunk(draft, known, last=False)])
            draft.rows.advance(known)

    def _extend(self, drafts: Sequence[_Draft], place: int) -> None:
        """One forward pass: the next token of every chain."""
        parts = [self._chunk(draft, draft.pending, last=True) for draft in drafts]
        logits = self._runner.forward(parts).logits[:, : self._vocab]
        tips = extend_all([draft.chain for draft in drafts], logits, place)
        for draft, tip in zip(drafts, tips, strict=True):
            draft.rows.advance(draft.pending)
            draft.pending = [tip]

    def _chunk(self, draft: _Draft, tokens: Sequence[int], *, last: bool) -> Rows:
        """Rows of known tokens; one of the target's that the draft has no id for is read as 0."""
        size = self._runner.shape.vocab_size
        if max(tokens) >= size:
            tokens = [token if token < size else 0 for token in tokens]
        return Rows.chunk(draft.rows.table, tokens, last=last)


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
    shape = read_shape(model.config, target.dtype)
    check_same_vocabulary(
        directory, shape.vocab_size, target_name, target.shape.vocab_size, tokenizer
    )
    runner = ModelRunner(
        model,
        pages=own_pages(shape.kv, target),
        page_size=target.cache.page_size,
        queue=queue,
        buckets=BUCKETS if queue is not None and target.device.type == "cpu" else (),
    )
    return DraftModelSpeculator(runner, target.shape.vocab_size)
