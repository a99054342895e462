"""IBM's MLP speculator: future tokens conditioned on each other.

Wertheimer et al., "Accelerating production LLMs with combined token/embedding speculators" (2024);
checkpoint format of `MLPSpeculatorPreTrainedModel`. From the target's last hidden state and token,
stage i predicts the next token, then folds that token's embedding into its state for stage i + 1:

    s = proj_i(s) + (ew / sw) * emb_i(token);  s = gelu(ln_i(s));  logits = head_i(s)

Drafted is the chain of each stage's best token, with each stage's runners-up as leaves beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.speculator import DraftContext, Speculator
from specchat.engine.errors import ModelLoadError
from specchat.engine.model.compiled import CompileQueue, Graph
from specchat.speculators.mlp.heads import MlpConfig, MlpHeads, refuse_strangers
from specchat.speculators.mlp.native import NativeMlp, stage_parents
from specchat.speculators.shared.checkpoint_files import read_config, read_tensors

BATCH_BUCKETS = (1, 4, 16)
"""Requests per compiled call."""

CARD_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Requests per recorded call on a GPU; sampled ones, which carry their noise, up to 16."""

MAX_SIBLINGS = 2


class MlpSpeculator(Speculator):
    """Drafts for all requests of a step in one call of the network."""

    name = "mlp"
    needs_hidden = True

    def __init__(
        self,
        heads: MlpHeads,
        *,
        device: torch.device,
        queue: CompileQueue | None = None,
        vocabulary: Sequence[int] | None = None,
    ) -> None:
        self._heads = heads.to(device).eval()
        self._device = device
        config = heads.config
        self._depth, self._vocab = config.n_predict, config.vocab_size
        self._dtype = heads.head[0].dtype
        self.noise_ahead = self._depth
        self._neutral = torch.ones(1, 1, device=device), torch.zeros(1, 1, 1, device=device)
        self._siblings = many = min(MAX_SIBLINGS, config.vocab_size)
        self._parents = stage_parents(self._depth, many)
        self._depths = [1 + stage for stage in range(self._depth) for _ in range(many)]
        greedy = CARD_BUCKETS if device.type == "cuda" else BATCH_BUCKETS
        self._buckets = {False: greedy, True: [n for n in greedy if n <= BATCH_BUCKETS[-1]]}
        self._graphs = {
            (size, sampled): self._graph(size, sampled)
            for sampled, sizes in self._buckets.items()
            for size in sizes
        }
        self._native = NativeMlp(self.name, heads, self._siblings, vocabulary)
        if queue is not None:
            if device.type == "cpu":
                queue.add(self._native)
            for graph in self._graphs.values():
                queue.add(graph)

    def propose(self, batch: Sequence[DraftContext]) -> Sequence[DraftTree]:
        """A chain of `n_predict` tokens with runners-up, where the hidden state is known."""
        trees = [DraftTree() for _ in batch]
        if self._native.ready:
            known = [i for i, context in enumerate(batch) if context.hidden is not None]
            if not known:
                return trees
            found = self._native.run([batch[i] for i in known])
            if len(known) == len(batch):
                return found
            for i, tree in zip(known, found, strict=True):
                trees[i] = tree
            return trees
        for sampled in (False, True):
            places = [
                i
                for i, context in enumerate(batch)
                if context.hidden is not None and (context.gumbel is not None) == sampled
            ]
            most = self._buckets[sampled][-1]
            for start in range(0, len(places), most):
                part = places[start : start + most]
                for i, tree in zip(
                    part, self._draft([batch[i] for i in part], sampled), strict=True
                ):
                    trees[i] = tree
        return trees

    def _draft(self, contexts: Sequence[DraftContext], sampled: bool) -> list[DraftTree]:
        """In PyTorch. All or none of the requests have noise."""
        tokens, chances = self._run_graph(contexts, sampled)
        flat = tokens.flatten(1).tolist(), chances.flatten(1).tolist()
        return [self._tree(*each) for each in zip(*flat, strict=True)]

    def _tree(self, tokens: list[int], chances: list[float]) -> DraftTree:
        """The chain of best tokens with the runners-up of each stage as leaves."""
        nodes = len(tokens)
        parents, depths = self._parents[:nodes], self._depths[:nodes]
        return DraftTree(tokens, parents, depths, [self.name] * nodes, chances)

    def _run_graph(
        self, contexts: Sequence[DraftContext], sampled: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """In PyTorch: compiled where ready, padded to the next size that was made."""
        size = next(size for size in self._buckets[sampled] if size >= len(contexts))
        extra = size - len(contexts)
        padded = [*contexts, *[contexts[-1]] * extra]
        hidden = torch.stack([c.hidden for c in padded if c.hidden is not None])
        token = torch.tensor([c.tokens[-1] for c in padded], device=self._device)
        inverse, gumbel = self._neutral
        if sampled:
            inverse = torch.tensor([[1 / c.temperature] for c in padded], device=self._device)
            gumbel = torch.stack([c.gumbel[: self._depth] for c in padded if c.gumbel is not None])
        hidden = hidden.to(self._device, self._dtype)
        tokens, chances = self._graphs[size, sampled](hidden, token, inverse, gumbel)
        return tokens[: len(contexts)], chances[: len(contexts)]

    def _graph(self, size: int, sampled: bool) -> Graph:
        def inputs() -> tuple[torch.Tensor, ...]:
            hidden = torch.zeros(
                size, self._heads.config.emb_dim, dtype=self._dtype, device=self._device
            )
            token = torch.zeros(size, dtype=torch.int64, device=self._device)
            inverse, gumbel = self._neutral
            if sampled:
                inverse = torch.ones(size, 1, device=self._device)
                gumbel = torch.zeros(size, self._depth, self._vocab, device=self._device)
            return hidden, token, inverse, gumbel

        def draft(*tensors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self._heads(*tensors, self._siblings)

        kind = "sampled" if sampled else "greedy"
        return Graph(
            f"{kind} MLP drafts for {size} requests",
            draft,
            inputs,
            wanted=lambda: not self._native.ready,
        )


def load_mlp(
    directory: Path,
    *,
    vocab_size: int,
    hidden_size: int,
    dtype: torch.dtype,
    device: torch.device,
    queue: CompileQueue | None = None,
    vocabulary: Sequence[int] | None = None,
) -> MlpSpeculator:
    """Load a checkpoint, tied or untied, for a target of these sizes.

    `vocabulary` limits native drafts to these tokens: a smaller head is cheaper than the few
    rare tokens are worth (EAGLE-3's draft vocabulary).

    Raises:
        ModelLoadError: damaged, incomplete, or made for a target of other sizes.
    """
    config = MlpConfig.read(read_config(directory), directory)
    if config.vocab_size != vocab_size:
        raise ModelLoadError(
            f"{directory} drafts for a vocabulary of {config.vocab_size}, "
            f"but the target's has {vocab_size}"
        )
    if config.emb_dim != hidden_size:
        raise ModelLoadError(
            f"{directory} expects hidden states of size {config.emb_dim}, "
            f"but the target's have {hidden_size}"
        )
    tensors = {name: tensor.to(dtype) for name, tensor in read_tensors(directory).items()}
    refuse_strangers(config, tensors, directory)
    heads = MlpHeads(config, tensors, directory)
    return MlpSpeculator(heads, device=device, queue=queue, vocabulary=vocabulary)
