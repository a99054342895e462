"""Attention over a row: the trunk sees itself, each branch the trunk and itself.

Behind transformers' `AttentionInterface`. One masked product over the whole row would compute twice
as much, most of it to be thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

NAME = "specchat_row"


@dataclass(frozen=True)
class RowLengths:
    """How a row of tokens is divided."""

    trunk: int
    branches: tuple[int, ...]


def use_row_attention(model: Any) -> None:
    """Makes a transformers model attend in rows: its forward then needs `row=RowLengths(...)`."""
    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, lambda *args, **kwargs: None)
    model.set_attn_implementation(NAME)


def _attend(  # type: ignore[no-untyped-def]
    module, query, key, value, attention_mask, scaling=None, dropout=0.0, *, row, **kwargs
):
    """What transformers calls; query [1, heads, tokens, dim], output [1, tokens, heads, dim]."""
    out = row_attention(query, key, value, row, scaling)
    return out.transpose(1, 2), None


def row_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    row: RowLengths,
    scale: float | None = None,
) -> torch.Tensor:
    """Queries [1, heads, tokens, dim] over keys and values [1, KV heads, tokens, dim]."""
    sizes = [row.trunk, *row.branches]
    queries, keys, values = (part.split(sizes, dim=2) for part in (query, key, value))
    trunk_key, trunk_value = keys[0], values[0]
    out = [_part(queries[0], trunk_key, trunk_value, scale)] if row.trunk else []
    for q, k, v in zip(queries[1:], keys[1:], values[1:], strict=True):
        seen = torch.cat((trunk_key, k), dim=2), torch.cat((trunk_value, v), dim=2)
        out.append(_part(q, *seen, scale))
    return torch.cat(out, dim=2)


def _part(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None
) -> torch.Tensor:
    """Causal attention of the last tokens. The heads of a group are taken together as rows of one
    product, so that keys and values are not copied for each."""
    heads, tokens, dim = query.shape[1:]
    groups, seen = key.shape[1:3]
    mask = torch.ones(tokens, seen, dtype=torch.bool).tril(seen - tokens)
    together = query.reshape(1, groups, heads // groups * tokens, dim)
    out = F.scaled_dot_product_attention(
        together, key, value, attn_mask=mask.repeat(heads // groups, 1), scale=scale
    )
    return out.reshape(1, heads, tokens, dim)
