"""IBM's MLP speculator: future tokens conditioned on each other.

Wertheimer et al., "Accelerating production LLMs with combined token/embedding speculators" (2024);
checkpoint format of `MLPSpeculatorPreTrainedModel`. From the target's last hidden state and token,
stage i predicts the next token, then folds that token's embedding into its state for stage i + 1:

    s = proj_i(s) + (ew / sw) * emb_i(token);  s = gelu(ln_i(s));  logits = head_i(s)

Drafted is the chain of each stage's best token, with each stage's runners-up as leaves beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from specchat.engine.compiled import CompileQueue, Graph
from specchat.engine.draft import ROOT, DraftContext, DraftTree
from specchat.engine.errors import ModelLoadError
from specchat.speculators.checkpoint import read_config, read_tensors, take

BATCH_BUCKETS = (1, 4, 16)
"""Requests per compiled call."""

MAX_SIBLINGS = 3


@dataclass(frozen=True, slots=True)
class MlpConfig:
    """Sizes of a checkpoint; names as in its config.json."""

    vocab_size: int
    emb_dim: int  # size of the target's hidden state
    inner_dim: int
    n_predict: int
    scale_input: bool
    tied: bool  # stages may share tensors, of which the file then holds the first

    @classmethod
    def read(cls, config: dict[str, Any], directory: Path) -> MlpConfig:
        """Take the sizes from config.json.

        Raises:
            ModelLoadError: another model type, or a missing or wrong size.
        """
        kind = config.get("model_type")
        if kind != "mlp_speculator":
            raise ModelLoadError(f"{directory}: model_type must be 'mlp_speculator', got {kind!r}")
        sizes = {}
        for name in ("vocab_size", "emb_dim", "n_predict"):
            value = config.get(name)
            if not isinstance(value, int) or value < 1:
                raise ModelLoadError(f"{directory}: {name} must be at least 1, got {value!r}")
            sizes[name] = value
        inner = config.get("inner_dim") or sizes["emb_dim"]
        return cls(
            inner_dim=inner,
            scale_input=bool(config.get("scale_input")),
            tied=bool(config.get("tie_weights")),
            **sizes,
        )


class MlpHeads(nn.Module):
    """The speculator's network, all stages in one call.

    Stages that share a tensor (`tie_weights`) share the module.
    """

    def __init__(self, config: MlpConfig, tensors: dict[str, torch.Tensor], where: Path) -> None:
        super().__init__()
        self.config = config
        n, inner, vocab = config.n_predict, config.inner_dim, config.vocab_size
        shapes: dict[str, list[tuple[int, ...]]] = {
            "emb": [(vocab, inner)] * n,
            "proj": [(inner, config.emb_dim if i == 0 else inner) for i in range(n)],
            "head": [(vocab, inner)] * n,
            "ln": [(inner,)] * n,
        }
        self.emb, self.proj, self.head, self.ln_weight = (
            _stages(tensors, f"{kind}.{{}}.weight", shapes[kind], config.tied, where)
            for kind in ("emb", "proj", "head", "ln")
        )
        self.ln_bias = _stages(tensors, "ln.{}.bias", shapes["ln"], config.tied, where)
        self.state_weight = 0.5 ** (0.5 / n)
        self.emb_weight = math.sqrt((1 - self.state_weight**2) * inner / 2)

    def forward(
        self,
        hidden: torch.Tensor,
        token: torch.Tensor,
        inverse_temperature: torch.Tensor,
        gumbel: torch.Tensor,
        siblings: int,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draft `n_predict` tokens for each row.

        `hidden [batch, emb_dim]` of the heads' dtype, `token [batch]`, `inverse_temperature
        [batch, 1]` (1 when greedy), `gumbel [batch, n_predict, vocab]` (zeros when greedy; an axis
        of size 1 broadcasts) -> tokens and the drafter's probabilities, both
        `[batch, n_predict, siblings]`, best first.
        """
        tokens, chances = [], []
        state = hidden
        if self.config.scale_input:
            state = _rms(state) / math.sqrt(2)
        for i in range(self.config.n_predict):
            state = F.linear(state, self.proj[i])
            state = state + (self.emb_weight / self.state_weight) * F.embedding(token, self.emb[i])
            state = F.gelu(_rms(state) * self.ln_weight[i] + self.ln_bias[i])
            logits = F.linear(state, self.head[i]).float() * inverse_temperature
            best = (logits + gumbel[:, min(i, gumbel.shape[1] - 1)]).topk(siblings, dim=-1).indices
            log_total = logits.logsumexp(-1, keepdim=True)
            chances.append((logits.gather(-1, best) - log_total).exp())
            tokens.append(best)
            token = best[:, 0]
        return torch.stack(tokens, 1), torch.stack(chances, 1)


class MlpSpeculator:
    """Drafts for all requests of a step in one call of the network."""

    name = "mlp"
    needs_hidden = True

    def __init__(
        self, heads: MlpHeads, *, device: torch.device, queue: CompileQueue | None = None
    ) -> None:
        self._heads = heads.to(device).eval()
        self._device = device
        config = heads.config
        self._depth, self._vocab = config.n_predict, config.vocab_size
        self._dtype = heads.head[0].dtype
        self._neutral = torch.ones(1, 1, device=device), torch.zeros(1, 1, 1, device=device)
        self._siblings = min(MAX_SIBLINGS, config.vocab_size)
        self._graphs = {
            (size, sampled): self._graph(size, sampled)
            for sampled in (False, True)
            for size in BATCH_BUCKETS
        }
        if queue is not None:
            for graph in self._graphs.values():
                queue.add(graph)

    def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
        """A chain of `n_predict` tokens with runners-up, where the hidden state is known."""
        trees = [DraftTree() for _ in batch]
        for sampled in (False, True):
            places = [
                i
                for i, context in enumerate(batch)
                if context.hidden is not None and (context.gumbel is not None) == sampled
            ]
            for start in range(0, len(places), BATCH_BUCKETS[-1]):
                part = places[start : start + BATCH_BUCKETS[-1]]
                for i, tree in zip(
                    part, self._draft([batch[i] for i in part], sampled), strict=True
                ):
                    trees[i] = tree
        return trees

    def observe(self, request_id: str, tokens: Sequence[int]) -> None:
        """Nothing to keep: the hidden state holds it all."""

    def forget(self, request_id: str) -> None:
        """Nothing was kept."""

    def _draft(self, contexts: Sequence[DraftContext], sampled: bool) -> list[DraftTree]:
        size = next(size for size in BATCH_BUCKETS if size >= len(contexts))
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
        pairs = zip(tokens.tolist(), chances.tolist(), strict=True)
        return [_tree(t, c, self.name) for t, c in list(pairs)[: len(contexts)]]

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
        return Graph(f"{kind} MLP drafts for {size} requests", draft, inputs)


def load_mlp(
    directory: Path,
    *,
    vocab_size: int,
    hidden_size: int,
    dtype: torch.dtype,
    device: torch.device,
    queue: CompileQueue | None = None,
) -> MlpSpeculator:
    """Load a checkpoint, tied or untied, for a target of these sizes.

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
    heads = MlpHeads(config, tensors, directory)
    return MlpSpeculator(heads, device=device, queue=queue)


def _rms(x: torch.Tensor) -> torch.Tensor:
    """Scale to root mean square 1; the mean is not subtracted."""
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


def _stages(
    tensors: dict[str, torch.Tensor],
    pattern: str,
    shapes: Sequence[tuple[int, ...]],
    tied: bool,
    where: Path,
) -> nn.ParameterList:
    """One parameter per stage; in a tied file a stage that is left out shares the last one before
    it that has its shape."""
    stages = nn.ParameterList()
    for i, shape in enumerate(shapes):
        name = "speculator." + pattern.format(i)
        if tied and i > 0 and name not in tensors and tuple(stages[-1].shape) == shape:
            stages.append(stages[-1])
        else:
            stages.append(nn.Parameter(take(tensors, name, shape, where), requires_grad=False))
    return stages


def _tree(tokens: list[list[int]], chances: list[list[float]], source: str) -> DraftTree:
    """The chain of best tokens with the runners-up of each stage as leaves."""
    tree = DraftTree()
    parent = ROOT
    for stage_tokens, stage_chances in zip(tokens, chances, strict=True):
        nodes = [
            tree.add(token, parent, source, chance)
            for token, chance in zip(stage_tokens, stage_chances, strict=True)
        ]
        parent = nodes[0]
    return tree
