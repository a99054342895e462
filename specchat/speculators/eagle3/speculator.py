"""EAGLE-3: one small decoder layer that continues the target's own inner states.

Li et al., "EAGLE-3: Scaling up inference acceleration of large language models via training-time
test" (2025, arXiv 2503.01840). Row i of its cache is computed from the target's states at position
i and the token at i + 1, so the last row that the target's states allow predicts the first token
that is not known. From there on each place takes the layer's own output in place of those states;
such rows are dropped and computed anew once the target has confirmed the tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from specchat.engine.cuda.step_tables import build
from specchat.engine.cuda.triton_check import usable
from specchat.engine.drafting.speculator import DraftContext
from specchat.engine.kv.cache import KVCache, KVShape
from specchat.engine.model import attention
from specchat.engine.model.batch import Rows, pack
from specchat.engine.model.runner import ModelRunner
from specchat.speculators.eagle3.checkpoint import load_network
from specchat.speculators.eagle3.network import Drafted, Eagle3Network
from specchat.speculators.shared.chain import LEAST_CHANCE, Chain, extend_all, useful_depth
from specchat.speculators.shared.chain_drafter import ChainDrafter
from specchat.speculators.shared.own_cache import OwnCache, OwnRows, own_pages

DEPTH = 6

CHUNK = 256
"""Known positions computed ahead of a request's last ones in one call."""


@dataclass(slots=True)
class _Draft:
    """One request's chain and the rows to compute next."""

    chain: Chain
    rows: OwnRows
    positions: list[int]
    tokens: list[int]  # what follows each position
    states: torch.Tensor  # [rows, hidden_size] h at each position

    def split(self, count: int) -> _Draft:
        """Take the first `count` rows to compute off this draft."""
        parts = self.positions, self.tokens, self.states
        first = _Draft(self.chain, self.rows, *(part[:count] for part in parts))
        self.positions, self.tokens, self.states = (part[count:] for part in parts)
        return first


class Eagle3Speculator(ChainDrafter[_Draft]):
    """Drafts for all requests of a step together; one call of the layer for each place."""

    name = "eagle3"
    needs_aux = True

    def __init__(
        self,
        network: Eagle3Network,
        embedding: torch.Tensor,
        *,
        pages: int,
        page_size: int = 16,
        depth: int = DEPTH,
        least_chance: float = LEAST_CHANCE,
    ) -> None:
        """`embedding [vocab, hidden_size]` is the target's, or the network's own."""
        self._network, self._embedding = network, embedding
        self._device, dtype = network.fc.weight.device, network.fc.weight.dtype
        ids = network.token_ids
        self._token_ids = None if ids is None else ids.to(self._device)
        layer = network.config.layer
        self._scale = layer.head_dim**-0.5
        shape = KVShape(1, layer.num_key_value_heads, layer.head_dim, dtype)
        self._geometry = usable(
            layer.num_attention_heads, shape.kv_heads, shape.head_dim, dtype,
            page_size=page_size, device=self._device,
        )  # fmt: skip
        self._kv = KVCache(shape, pages, page_size, [self._device])
        super().__init__(OwnCache(pages, page_size), depth, least_chance)

    def _begin(self, context: DraftContext, in_use: Sequence[str]) -> _Draft | None:
        """The request's rows, and what the target's new states add to them."""
        depth = useful_depth(context, self._depth)
        if context.aux is None or len(context.tokens) < 2 or depth < 1:
            return None
        names = self._names(context.tokens)
        rows = self.cache.open(context.request_id, context.salt, names)
        rows.truncate(rows.committed)
        rows.publish(names)
        draft = self._new_rows(context, rows, depth)
        if draft is None or not self.cache.reserve(rows, len(draft.tokens) + depth - 1, in_use):
            return None
        return draft

    def _names(self, tokens: Sequence[int]) -> list[int]:
        """What each row depends on besides the rows before it: the token behind its position, and
        the first row on the text's first token too."""
        return [tokens[0] * len(self._embedding) + tokens[1], *tokens[2:]]

    def _new_rows(self, context: DraftContext, rows: OwnRows, depth: int) -> _Draft | None:
        """Positions behind the rows that the target has computed. A stretch whose states were
        never seen (the target's prefix cache had it, this one does not) is left out."""
        assert context.aux is not None
        end = rows.position
        positions: list[int] = []
        states: list[torch.Tensor] = []
        for part in context.aux.take():
            new = part.states[max(0, end - part.start) :]
            if len(new):
                start = part.start + len(part.states) - len(new)
                rows.skipped += start - end
                end = start + len(new)
                positions += range(start, end)
                states.append(new)
        if not states or end != len(context.tokens) - 1:
            return None
        aux = torch.cat(states).to(self._device, self._network.fc.weight.dtype)
        tokens = [context.tokens[position + 1] for position in positions]
        chain = Chain(context, self.name, depth)
        return _Draft(chain, rows, positions, tokens, self._network.project(aux))

    def _catch_up(self, draft: _Draft) -> None:
        """Compute what is new in front of the last `CHUNK` rows."""
        draft.rows.committed += len(draft.tokens)
        while len(draft.tokens) > CHUNK:
            self._run([draft.split(CHUNK)])

    def _extend(self, drafts: Sequence[_Draft], place: int) -> None:
        """One call of the layer: the next token of every chain."""
        drafted = self._run(drafts)
        logits = self._network.logits(drafted.state)
        tips = extend_all([draft.chain for draft in drafts], logits, place, self._token_ids)
        for draft, tip, state in zip(drafts, tips, drafted.following.split(1), strict=True):
            draft.positions, draft.tokens = [draft.rows.position], [tip]
            draft.states = state

    def _run(self, drafts: Sequence[_Draft]) -> Drafted:
        """Compute all drafts' rows; what comes out of each one's last row."""
        parts = [
            Rows(d.rows.table, d.tokens, d.positions, None, (len(d.tokens) - 1,)) for d in drafts
        ]
        batch = pack(parts, self._device)
        tables = None
        if self._geometry is not None:
            tables = build(batch.segments, batch.rows, self._geometry, self._device)
        attention.set_step(attention.StepContext(self._kv, batch.slots, batch.segments, tables))
        embeds = F.embedding(batch.input_ids, self._embedding)
        hidden = torch.cat([draft.states for draft in drafts])
        out = self._network(embeds[None], hidden[None], batch.positions[None], self._attend)
        for draft in drafts:
            draft.rows.advance(draft.tokens)
        return Drafted(out.state[0, batch.wanted], out.following[0, batch.wanted])

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        window = self._network.config.window
        return attention.paged_attention(query, key, value, 0, self._scale, window, 0.0, None)


def load_eagle3(directory: Path, target: ModelRunner) -> Eagle3Speculator:
    """Load a checkpoint of either layout for a target, which from now on collects inner states.

    Raises:
        ModelLoadError: damaged, incomplete, or made for another target; or another speculator
            reads the target's inner states already.
    """
    shape = target.shape
    embedding = target.model.get_input_embeddings().weight.detach()
    output = target.model.get_output_embeddings()
    network = load_network(
        directory,
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        layers=shape.kv.layers,
        head=None if output is None else output.weight.detach(),
    ).to(target.device)
    for parameter in network.parameters():  # not the rotation's frequencies
        parameter.data = parameter.data.to(target.dtype)
    if network.embed_tokens is not None:
        embedding = network.embed_tokens.weight
    layer = network.config.layer
    kv = KVShape(1, layer.num_key_value_heads, layer.head_dim, target.dtype)
    pages = own_pages(kv, target)
    target.collect(network.config.aux_layers)
    return Eagle3Speculator(
        network, embedding.to(target.device), pages=pages, page_size=target.cache.page_size
    )
