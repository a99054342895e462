"""The rejection rule: draft tokens become exact draws from the target's distribution.

One trial (Leviathan, Kalman, Matias, "Fast inference from transformers via speculative decoding",
2022; Chen et al., "Accelerating large language model decoding with speculative sampling", 2023):
a token x drawn from q is accepted with probability min(1, p(x) / q(x)); otherwise p becomes the
normalised positive part of p - q. Several candidates of one position are tried in turn, each
against what the one before left of p (SpecInfer, Miao et al. 2024; recursive rejection sampling
without replacement, Jeon et al. 2024). A candidate that was not drawn but chosen is a point mass:
it is accepted with p(x), otherwise x is taken out of p. That is lossless however it was chosen.

Everything works on `n` independent texts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from specchat.engine.sampling.uniforms import Stream

Roll = Callable[[Stream, int], torch.Tensor | float]
"""Uniform numbers `[n]` in (0, 1) of a stream and a trial, for the position in question."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A draft token of each text, at one position."""

    token: torch.Tensor  # [n]
    q: torch.Tensor | None  # [n, vocab] what it was drawn from; None: chosen, a point mass


def settle(p: torch.Tensor, proposals: Sequence[Proposal], roll: Roll) -> torch.Tensor:
    """The target's tokens `[n]` at one position, draws from `p [n, vocab]` (float64).

    Drawn candidates come first, in the order drawn: what was chosen may depend on them.
    """
    token = torch.full(p.shape[:1], -1, dtype=torch.int64, device=p.device)
    for trial, proposal in enumerate(proposals):
        accepted = accepts(p, proposal, roll(Stream.ACCEPT, trial))
        token = torch.where((token < 0) & accepted, proposal.token, token)
        if bool((token >= 0).all()):
            return token
        p = residual(p, proposal)
    return torch.where(token < 0, pick(p, roll(Stream.RESAMPLE, 0)), token)


def accepts(p: torch.Tensor, proposal: Proposal, uniform: torch.Tensor | float) -> torch.Tensor:
    """True `[n]` with probability min(1, p / q) of the candidates' tokens."""
    return uniform * _of(proposal.q, proposal.token) < _of(p, proposal.token)


def residual(p: torch.Tensor, proposal: Proposal) -> torch.Tensor:
    """What is left of `p [n, vocab]` when the candidate is rejected: the normalised positive part
    of p - q, for a point mass p without its token.

    Where nothing is left (p and q are equal but for rounding, so that a rejection had next to no
    probability) it is p.
    """
    if proposal.q is None:
        left = p.scatter(-1, proposal.token[:, None], 0.0)
    else:
        left = (p - proposal.q).clamp(min=0.0)
    total = left.sum(-1, keepdim=True)
    return torch.where(total > 0.0, left / total.clamp(min=torch.finfo(p.dtype).tiny), p)


def pick(p: torch.Tensor, uniform: torch.Tensor | float) -> torch.Tensor:
    """The tokens `[n]` at the `uniform` quantiles of `p [n, vocab]`; none of probability 0."""
    below = p.cumsum(-1)
    total = below[:, -1]
    # A product may round up to the total, behind which there is no token.
    at = (total * uniform).minimum(total.nextafter(torch.zeros_like(total)))
    return torch.searchsorted(below, at[:, None], right=True)[:, 0]


def _of(probabilities: torch.Tensor | None, token: torch.Tensor) -> torch.Tensor | float:
    return 1.0 if probabilities is None else probabilities.gather(-1, token[:, None])[:, 0]
