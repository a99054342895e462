"""What every speculator is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

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
    gumbel: torch.Tensor | None
    """[noise_ahead, vocab] noise of the next positions; None when greedy, and for a drafter that
    reads none."""
    max_depth: int  # longest useful candidate: tokens still wanted, minus the target's own
    aux: AuxTape | None = None
    """States of the target's inner layers, where a speculator asked the runner to collect them;
    taking them is the one change that a speculator makes here."""


class Speculator(ABC):
    """Proposes continuations. Nothing it proposes can change the answer, only its speed.

    `name` and `propose` are all that is needed; the rest does nothing unless it is overridden. A
    method whose name is nearly one of these is refused: the engine would never call it.
    """

    name: str
    needs_hidden = False  # reads `DraftContext.hidden`
    needs_aux = False  # takes from `DraftContext.aux`
    noise_ahead = 8
    """Positions of a sampled request's noise that it reads, `DraftContext.gumbel`; 0: none."""

    @abstractmethod
    def propose(self, batch: Sequence[DraftContext]) -> Sequence[DraftTree]:
        """One tree per context, in order; an empty tree where it has nothing to offer."""

    def observe(self, request_id: str, tokens: Sequence[int]) -> None:  # noqa: B027
        """These tokens were just committed to a request, behind those before."""

    def forget(self, request_id: str) -> None:  # noqa: B027
        """The request is over; drop what was kept for it."""

    def learn(  # noqa: B027
        self, answers: Sequence[Sequence[int]], salt: str = "", *, fresh: bool = False
    ) -> None:
        """Draft from these answers too, for all requests or those of one salt; with `fresh` in the
        place of what was learned under it before. Safe from any thread."""

    def evict_salt(self, salt: str) -> None:  # noqa: B027
        """Forget what is kept of a tenant between requests."""

    def close(self) -> None:  # noqa: B027
        """Nothing is asked any more; end what was begun beside the engine."""

    @property
    def ready(self) -> bool:
        """True once what `compile` makes is in use."""
        return False

    def wanted(self) -> bool:
        """Whether there is something to `compile`."""
        return False

    def compile(self) -> None:  # noqa: B027
        """Make what makes drafts faster; called once, on the thread that compiles."""

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        known = [name for name in vars(Speculator) if not name.startswith("_")]
        for name in vars(cls):
            if name.startswith("_") or name in known:
                continue
            for meant in get_close_matches(name, known, 1, 0.8):
                own = f"{cls.__name__}.{name}"
                raise TypeError(f"{own}: no speculator has it, was {meant} meant?")
