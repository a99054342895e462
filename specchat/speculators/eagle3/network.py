"""The network of EAGLE-3: one decoder layer on the target's inner hidden states.

    h = fc(states of three layers)                       for what the target has computed
    x = cat(input_layernorm(embedding(next token)), hidden_norm(h))
    out = decoder layer of x on the residual h;  logits = lm_head(norm(out));  next h = out

Parameters are named as in the speculators format. Attention is the caller's: paged while drafting,
dense while training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers.models.llama.modeling_llama import (
    LlamaMLP,
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
    apply_rotary_pos_emb,
)

Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Rotated `query [batch, heads, rows, head_dim]` and `key, value [batch, kv_heads, rows, head_dim]`
to `[batch, rows, heads, head_dim]`."""


@dataclass(frozen=True, slots=True)
class Eagle3Config:
    """Sizes and variants of a checkpoint."""

    layer: Any  # LlamaConfig of the one decoder layer; its vocab_size is the target's
    draft_vocab_size: int
    target_hidden_size: int
    aux_layers: tuple[int, ...]  # the target's layers whose inputs are read
    norm_before_residual: bool = False  # the residual is hidden_norm(h)
    norm_before_fc: bool = False  # one norm over the states side by side
    fc_norm: bool = False  # one norm for each layer's states
    norm_output: bool = False  # the next h is norm(out)

    @property
    def window(self) -> int:
        """Latest positions that a row may look at; 0 is all."""
        kinds = getattr(self.layer, "layer_types", None) or ()
        return int(self.layer.sliding_window or 0) if "sliding_attention" in kinds else 0


class _Attention(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.head_dim = config.head_dim
        bias = config.attention_bias
        width, hidden = 2 * config.hidden_size, config.hidden_size
        self.q_proj = nn.Linear(width, self.heads * self.head_dim, bias=bias)
        self.k_proj = nn.Linear(width, self.kv_heads * self.head_dim, bias=bias)
        self.v_proj = nn.Linear(width, self.kv_heads * self.head_dim, bias=bias)
        self.o_proj = nn.Linear(self.heads * self.head_dim, hidden, bias=bias)

    def forward(
        self, x: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor], attend: Attend
    ) -> torch.Tensor:
        query = self._split(self.q_proj(x), self.heads)
        key = self._split(self.k_proj(x), self.kv_heads)
        value = self._split(self.v_proj(x), self.kv_heads)
        query, key = apply_rotary_pos_emb(query, key, *rotation)
        return self.o_proj(attend(query, key, value).flatten(-2))

    def _split(self, x: torch.Tensor, heads: int) -> torch.Tensor:
        return x.unflatten(-1, (heads, self.head_dim)).transpose(1, 2)


class _Layer(nn.Module):
    def __init__(self, config: Eagle3Config) -> None:
        super().__init__()
        layer = config.layer
        norms = (LlamaRMSNorm(layer.hidden_size, eps=layer.rms_norm_eps) for _ in range(3))
        self.hidden_norm, self.input_layernorm, self.post_attention_layernorm = norms
        self.self_attn = _Attention(layer)
        self.mlp = LlamaMLP(layer)
        self.norm_before_residual = config.norm_before_residual

    def forward(
        self,
        embeds: torch.Tensor,
        hidden: torch.Tensor,
        rotation: tuple[torch.Tensor, torch.Tensor],
        attend: Attend,
    ) -> torch.Tensor:
        normed = self.hidden_norm(hidden)
        residual = normed if self.norm_before_residual else hidden
        both = torch.cat([self.input_layernorm(embeds), normed], dim=-1)
        out = residual + self.self_attn(both, rotation, attend)
        return out + self.mlp(self.post_attention_layernorm(out))


@dataclass(frozen=True, slots=True)
class Drafted:
    """What one call of the layer gives, `[batch, rows, hidden_size]` each."""

    state: torch.Tensor  # the vocabulary matrix reads this
    following: torch.Tensor  # h of the next place


class Eagle3Network(nn.Module):
    """Weights and formulas. `embed_tokens` is absent where the target's embedding is used, and
    `token_ids [draft_vocab_size]` None where all of the target's tokens are drafted."""

    def __init__(self, config: Eagle3Config, *, own_embedding: bool = False) -> None:
        super().__init__()
        self.config = config
        layer = config.layer
        width, count = config.target_hidden_size, len(config.aux_layers)
        eps = layer.rms_norm_eps
        self.fc = nn.Linear(count * width, layer.hidden_size, bias=False)
        self.input_norm = LlamaRMSNorm(count * width, eps=eps) if config.norm_before_fc else None
        norms = (LlamaRMSNorm(width, eps=eps) for _ in range(count))
        self.fc_norm = nn.ModuleList(norms) if config.fc_norm else None
        self.layers = nn.ModuleList([_Layer(config)])
        self.norm = LlamaRMSNorm(layer.hidden_size, eps=eps)
        self.lm_head = nn.Linear(layer.hidden_size, config.draft_vocab_size, bias=False)
        self.embed_tokens = (
            nn.Embedding(layer.vocab_size, layer.hidden_size) if own_embedding else None
        )
        self.rotary = LlamaRotaryEmbedding(layer)
        self.token_ids: torch.Tensor | None = None

    def project(self, aux: torch.Tensor) -> torch.Tensor:
        """The target's states side by side, `[..., layers x target_hidden_size]`, as h."""
        if self.input_norm is not None:
            aux = self.input_norm(aux)
        if self.fc_norm is not None:
            parts = aux.split(self.config.target_hidden_size, dim=-1)
            aux = torch.cat([n(part) for n, part in zip(self.fc_norm, parts, strict=True)], dim=-1)
        return self.fc(aux)

    def forward(
        self, embeds: torch.Tensor, hidden: torch.Tensor, positions: torch.Tensor, attend: Attend
    ) -> Drafted:
        """`embeds` of the tokens and h in front of them, `[batch, rows, hidden_size]`, at
        `positions [batch, rows]` of h in the text."""
        rotation = self.rotary(hidden, positions)
        out = self.layers[0](embeds, hidden, rotation, attend)
        state = self.norm(out)
        return Drafted(state, state if self.config.norm_output else out)

    def logits(self, state: torch.Tensor) -> torch.Tensor:
        """`[..., draft_vocab_size]` of `Drafted.state`."""
        return self.lm_head(state)
