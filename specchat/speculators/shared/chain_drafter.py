"""What drafters have in common that extend a chain per request over a paged cache of their own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import torch

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.speculator import DraftContext, Speculator
from specchat.speculators.shared.chain import Chain
from specchat.speculators.shared.own_cache import OwnCache


class Begun(Protocol):
    """A request's draft in the making."""

    chain: Chain


B = TypeVar("B", bound=Begun)


class ChainDrafter(Speculator, Generic[B]):
    """One chain with runners-up per request, all requests' next places computed together."""

    def __init__(self, cache: OwnCache, depth: int, least_chance: float) -> None:
        """`least_chance`: a chain that is less likely is not extended."""
        self.cache = cache
        self._depth = depth
        self._least_chance = least_chance

    def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
        """One tree per request; empty where the drafter cannot draft for it now."""
        with torch.inference_mode():
            in_use = [context.request_id for context in batch]
            begun = [self._begin(context, in_use) for context in batch]
            drafts = [draft for draft in begun if draft is not None]
            for draft in drafts:
                self._catch_up(draft)
            for place in range(self._depth):
                drafts = [d for d in drafts if d.chain.wanted(place, self._least_chance)]
                if not drafts:
                    break
                self._extend(drafts, place)
        return [DraftTree() if draft is None else draft.chain.tree for draft in begun]

    def forget(self, request_id: str) -> None:
        """Give the request's pages back."""
        self.cache.forget(request_id)

    def evict_salt(self, salt: str) -> None:
        """Forget what was kept of a tenant's conversations for later ones."""
        self.cache.evict_salt(salt)

    @abstractmethod
    def _begin(self, context: DraftContext, in_use: Sequence[str]) -> B | None:
        """The request's draft with room for all its places; None where there is none."""

    @abstractmethod
    def _catch_up(self, draft: B) -> None:
        """Compute what is new since the last time."""

    @abstractmethod
    def _extend(self, drafts: Sequence[B], place: int) -> None:
        """One pass: the next token of every chain."""
