"""The network of IBM's MLP speculator and its checkpoint format; formula in `mlp`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from specchat.engine.errors import ModelLoadError
from specchat.speculators.shared.checkpoint_files import take


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
        if not isinstance(inner, int) or inner < 1:
            raise ModelLoadError(f"{directory}: inner_dim must be at least 0, got {inner!r}")
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
        of size 1 broadcasts) -> tokens and the drafter's probabilities of them, both
        `[batch, n_predict, siblings]`, best first. With noise these are the chances of being the
        largest after the noise for a drafter that is off by as much as the noise.
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
            logits = logits + gumbel[:, min(i, gumbel.shape[1] - 1)]
            best = logits.topk(siblings, dim=-1).indices
            log_total = logits.logsumexp(-1, keepdim=True)
            chances.append((logits.gather(-1, best) - log_total).exp())
            tokens.append(best)
            token = best[:, 0]
        return torch.stack(tokens, 1), torch.stack(chances, 1)


def refuse_strangers(config: MlpConfig, tensors: dict[str, torch.Tensor], directory: Path) -> None:
    """Raises ModelLoadError for a tensor that no stage of the speculator has."""
    for name in sorted(tensors):
        match = re.fullmatch(r"speculator\.(?:emb|proj|head|ln)\.(\d+)\.(?:weight|bias)", name)
        if match is None or int(match[1]) >= config.n_predict:
            raise ModelLoadError(
                f"{directory}: tensor {name} belongs to none of the speculator's "
                f"{config.n_predict} stages"
            )


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
