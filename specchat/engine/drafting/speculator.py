"""The protocol that every speculator follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch

from specchat.engine.drafting.aux_states import AuxTape
from specchat.engine.drafting.draft_tree import DraftTree


class DraftContext(NamedTuple):
    """What a speculator sees of one request. It must not change anything in it."""

    request_id: str
    tokens: Sequence[int]  # prompt and answer so far; the last one is the root
    prompt_length: int
    salt: str
    hidden: torch.Tensor | None
    """[hidden_size], post-final-norm state that produced the root, for a drafter that
    `needs_hidden`."""
    temperature: float
    gumbel: torch.Tensor | None  # [depths, vocab] noise of the next positions; coupled rule only
    max_depth: int  # longest useful candidate: tokens still wanted, minus the target's own
    aux: AuxTape | None = None
    """States of the target's inner layers, where a speculator asked the runner to collect them;
    taking them is the one change that a speculator makes here."""
    draw_noise: Callable[[int], torch.Tensor] | None = None
    """Rejection rule only: Gumbel noise `[depths, vocab]` of the drafter's own. The argmax of
    log q + noise is a draw from q; a drafter that drafts so says it with `DraftTree.draw`."""


class Speculator(Protocol):
    """Proposes continuations. Nothing it proposes can change the answer, only its speed.

    It may also have `observe(request_id, tokens)`, which is called with the tokens just committed
    to a request, in order.
    """

    name: str
    needs_hidden: bool  # reads `DraftContext.hidden`
    needs_aux: bool  # takes from `DraftContext.aux`

    def propose(self, batch: Sequence[DraftContext]) -> Sequence[DraftTree]:
        """One tree per context, in order; an empty tree where it has nothing to offer."""
        ...

    def forget(self, request_id: str) -> None:
        """The request is over; drop what was kept for it."""
        ...
