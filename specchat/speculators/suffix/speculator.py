"""Suffix drafting: how earlier answers went on after the same words.

Customer care repeats itself: the longest suffix of the current text that occurs in earlier answers
is looked up, with shorter ones that occur more often, and what followed there, weighted by how
often, becomes the draft tree. The store begins with the seed that belongs to the model and grows
with the answers that are given.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.speculator import DraftContext, Speculator
from specchat.speculators.suffix import native as suffix_native
from specchat.speculators.suffix.history import MOST_SALTS, SuffixHistory
from specchat.speculators.suffix.suffix_array import (
    Nodes,
    SuffixArray,
    SuffixOptions,
    Tokens,
    draft,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Store:
    """What is drafted from for one salt."""

    parts: tuple[SuffixArray, ...]
    native: suffix_native.NativeParts | None


class SuffixSpeculator(Speculator):
    """Drafts trees from earlier answers: the seed's, everybody's, and a salt's own.

    `learn`, `evict_salt` and `sizes` are safe from any thread.
    """

    name = "suffix"  # also of the job in the engine's queue

    HISTORY_WEIGHT = 2.0
    """Of an answer given here against one of the seed: it is what this company says now."""

    def __init__(
        self,
        seed: Iterable[Tokens] = (),
        *,
        options: SuffixOptions | None = None,
        native: bool = True,
        most_history: int = 500_000,
        in_background: bool = False,
    ) -> None:
        """`most_history`: tokens of given answers that are kept for each salt, the latest ones.

        `in_background` builds the library and sorts the seed on a thread; until it is done nothing
        is drafted from it.
        """
        self._options = options or SuffixOptions()
        self._lookups: suffix_native.NativeLookups | None = None
        self._seed = SuffixArray.build(())
        self._history = SuffixHistory(most_history)
        self._lock = threading.Lock()
        self._stores: dict[str, _Store] = {}
        self._builder = threading.Thread(
            target=self._build, args=(list(seed), native), name="specchat-suffixes", daemon=True
        )
        self._builder.start()
        if not in_background:
            self._builder.join()

    @property
    def ready(self) -> bool:
        """Whether the seed is sorted."""
        return not self._builder.is_alive()

    def wanted(self) -> bool:
        """There is something to wait for, for whoever waits for everything to be built."""
        return True

    def compile(self) -> None:
        """Wait until the seed is sorted."""
        self._builder.join()

    def close(self) -> None:
        """Wait until the seed is sorted: a thread that is in C++ when the interpreter ends takes
        the process down with it."""
        self._builder.join()

    def propose(self, batch: Sequence[DraftContext]) -> Sequence[DraftTree]:
        """The most probable continuations by their counts in the store."""
        stores = [self._store(context.salt) for context in batch]
        native = [store.native for store in stores if store.native is not None]
        lookups = self._lookups
        if lookups is not None and len(native) == len(stores):
            return lookups.draft(self.name, native, batch)
        return [self._tree(self._draft(*each)) for each in zip(stores, batch, strict=True)]

    def learn(
        self, answers: Iterable[Sequence[int]], salt: str = "", *, fresh: bool = False
    ) -> None:
        """Draft from these answers too, all requests or those of one salt. Give redacted ones."""
        if fresh:
            self._history.forget(salt)
        self._history.add(answers, salt)
        self._changed(salt)

    def evict_salt(self, salt: str) -> None:
        """Forget a salt's own answers; the empty one's: everybody's."""
        self._history.forget(salt)
        self._changed(salt)

    def sizes(self) -> dict[str, int]:
        """Tokens of the seed, and of the answers learned."""
        return {"seed": len(self._seed), "history": self._history.tokens}

    def _build(self, seed: list[Tokens], native: bool) -> None:
        library = suffix_native.load() if native else None
        sorted_seed = SuffixArray.build(seed, library)
        with self._lock:
            self._history.library = library
            if library is not None:
                self._lookups = suffix_native.NativeLookups(library, self._options)
            self._seed = sorted_seed
            self._stores.clear()

    def _changed(self, salt: str) -> None:
        with self._lock:
            if salt:
                self._stores.pop(salt, None)
            else:
                self._stores.clear()

    def _draft(self, store: _Store, context: DraftContext) -> Nodes:
        recent = context.tokens[-self._options.longest :]
        depth, noise, temperature = context.max_depth, context.gumbel, context.temperature or 1.0
        weights = self._weights(store.parts)
        return draft(store.parts, weights, recent, self._options, depth, noise, temperature)

    def _tree(self, nodes: Nodes) -> DraftTree:
        sources = [self.name] * len(nodes.tokens)
        return DraftTree(nodes.tokens, nodes.parents, nodes.depths, sources, nodes.chances)

    def _store(self, salt: str) -> _Store:
        with self._lock:
            known = self._stores.get(salt)
            if known is not None:
                return known
            if len(self._stores) >= MOST_SALTS:
                self._stores.clear()
            history = self._history.parts(salt)
            return self._remember(salt, (self._seed, *history.common, *history.own))

    def _remember(self, salt: str, parts: tuple[SuffixArray, ...]) -> _Store:
        known = self._stores.get(salt)
        if known is None:
            native = None
            if self._lookups is not None:
                native = suffix_native.NativeParts(parts, self._weights(parts))
            known = self._stores[salt] = _Store(parts, native)
        return known

    def _weights(self, parts: Sequence[SuffixArray]) -> list[float]:
        return [1.0 if part is self._seed else self.HISTORY_WEIGHT for part in parts]
