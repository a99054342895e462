"""One step's drafts: ask the speculators that the policy names, and merge what they say."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from collections.abc import Sequence as Seq
from typing import NamedTuple

import torch

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.merging import BestTrees, DraftMerger, Wish
from specchat.engine.drafting.speculator import DraftContext, Speculator
from specchat.engine.job import Job
from specchat.engine.native.library import loaded_library
from specchat.engine.native.merging import MOST_DRAFTERS, NativeMerger
from specchat.engine.policy.policy import Policy
from specchat.engine.request import SamplingParams
from specchat.engine.sequence import Sequence

log = logging.getLogger(__name__)


class Drafts(NamedTuple):
    """The trees to verify in a step, one per decoding request, and the time they took."""

    trees: list[DraftTree]
    ms: float


class Drafting:
    """The speculators of an engine. Who is asked and what is kept, `policy` decides. The engine
    thread owns it."""

    def __init__(self, speculators: Seq[Speculator], policy: Policy, vocab_size: int) -> None:
        """
        Raises:
            ValueError: more speculators than can be told apart.
        """
        names = [speculator.name for speculator in speculators]
        if len(set(names)) > MOST_DRAFTERS:
            raise ValueError(f"at most {MOST_DRAFTERS} speculators can draft, got {names}")
        self.speculators = list(speculators)
        self._aux_readers = _names_of_aux_readers(speculators)
        self.policy = policy
        self._names = names
        self._vocab_size = vocab_size
        self._asked: set[int] = set()  # places of the requests that were asked about in this step
        self._merger: DraftMerger = BestTrees(policy, vocab_size)  # of this step
        self._unmerged = self._merger
        self._natively: NativeMerger | None = None

    def propose(self, sequences: Seq[Sequence], prompt_rows: int) -> Drafts:
        """Trees for all decoding requests; empty ones for those that run plain. The step also has
        `prompt_rows` rows of prefill."""
        start = time.perf_counter()
        wanting = [i for i, s in enumerate(sequences) if self._wants_drafts(s)]
        self._asked = set()
        if not wanting:
            return Drafts([DraftTree() for _ in sequences], 0.0)
        if self._ask_around(sequences, wanting, prompt_rows):
            trees = self._merger.chosen()
        else:
            trees = [DraftTree() for _ in sequences]
        for i in wanting:
            if not trees[i].tokens:
                idle = i not in self._asked
                sequences[i].counters.plain_steps += idle or self._merger.count(i) > 0
        return Drafts(trees, 1000 * (time.perf_counter() - start))

    def _ask_around(self, sequences: Seq[Sequence], wanting: Seq[int], prompt_rows: int) -> bool:
        """Have speculators offer what they can for the requests that are wanting; False where none
        is worth asking now."""
        asking = self.policy.asking
        wishes = [self._wish(s.request.params) for s in sequences]
        self._merger = self._merger_now()
        plain = self._merger.begin(wishes, prompt_rows)
        this = asking.begin(plain, all(wish.greedy for wish in wishes))
        spent = 0.0
        for speculator in this.order(self.speculators, len(wanting)):
            name = speculator.name
            those = _who_wants(name, sequences, wanting)
            paid = bool(those) and this.pays(name)
            if not paid:  # but for those that want drafts at any price
                those = [i for i in those if not sequences[i].request.params.adaptive]
            if not those or this.full:
                continue
            began = time.perf_counter()
            if not this.lineup:
                contexts = {i: _context(sequences[i]) for i in wanting}
            spent += asking.cost(name, len(those))
            offered = self._ask(speculator, those, sequences, contexts)
            this.heard(name, self._merger.choose(spent) if offered else None, paid)
            ms = 1000 * (time.perf_counter() - began)
            asking.spent(name, len(those), ms)
            own = name, ms / len(those)
            for i in those:
                sequences[i].counters.asked.append(own)
        return bool(this.lineup)

    def learn(self, jobs: Seq[Job]) -> None:
        """Take in what the requests that decoded got in a step."""
        if not jobs:
            return
        self.policy.calibration.begin_step()
        if self._asked:
            self._merger.learn([job.place for job in jobs], [job.tokens for job in jobs])

    def may_take_aux(self, params: SamplingParams) -> bool:
        """Whether a speculator that reads inner states may be asked about such a request."""
        readers, chosen = self._aux_readers, params.speculators
        if not (readers and params.speculate) or params.max_nodes == 0:
            return False
        return chosen is None or not readers.isdisjoint(chosen)

    def observe(self, request_id: str, tokens: Seq[int]) -> None:
        """Tell the speculators what was committed."""
        for speculator in self.speculators:
            try:
                speculator.observe(request_id, tokens)
            except Exception:
                self._switch_off(speculator)

    def forget(self, request_id: str) -> None:
        """A request is over."""
        for speculator in self.speculators:
            try:
                speculator.forget(request_id)
            except Exception:
                self._switch_off(speculator)

    def learn_answers(self, answers: Seq[Seq[int]], salt: str, fresh: bool) -> None:
        """Let the speculators that draft from earlier answers take these in; with `fresh` in the
        place of what they learned under this salt before. Safe from any thread."""
        for speculator in list(self.speculators):
            speculator.learn(answers, salt, fresh=fresh)

    def evict_salt(self, salt: str) -> None:
        """Let the speculators that keep something between requests forget a tenant's part."""
        for speculator in self.speculators:
            speculator.evict_salt(salt)

    def close(self) -> None:
        """Nothing is asked any more: let the speculators end what they do beside it."""
        for speculator in self.speculators:
            speculator.close()

    def _merger_now(self) -> DraftMerger:
        """What takes in the drafts of a step: merged once the library is there."""
        library = loaded_library()
        if library is None:
            return self._unmerged
        if self._natively is None:
            self._natively = NativeMerger(library, self.policy, self._names, self._vocab_size)
        return self._natively

    def _wish(self, params: SamplingParams) -> Wish:
        most = self.policy.max_nodes
        if params.max_nodes is not None:
            most = min(most, params.max_nodes)
        return Wish(params.greedy, most, params.adaptive)

    def _wants_drafts(self, sequence: Sequence) -> bool:
        params = sequence.request.params
        wanted = params.speculate and params.speculators != () and self.speculators
        return bool(wanted) and params.max_nodes != 0 and sequence.remaining >= 2

    def _ask(
        self,
        speculator: Speculator,
        those: Seq[int],
        sequences: Seq[Sequence],
        contexts: Mapping[int, DraftContext],
    ) -> bool:
        """Take in what a speculator offers for `those` requests. One that fails costs its drafts,
        never the answer; then False."""
        self._asked.update(those)
        batch = [contexts[i] for i in those]
        if speculator.noise_ahead:
            batch = [
                c._replace(gumbel=_noise(sequences[i], speculator.noise_ahead))
                for i, c in zip(those, batch, strict=True)
            ]
        if speculator.needs_hidden:
            batch = [
                c._replace(hidden=sequences[i].hidden) for i, c in zip(those, batch, strict=True)
            ]
        try:
            trees = speculator.propose(batch)
            if len(trees) != len(batch):
                raise ValueError(f"{len(batch)} trees expected, got {len(trees)}")
            depths = [context.max_depth for context in batch]
            self._merger.add(speculator.name, those, trees, depths)
        except Exception:
            self._switch_off(speculator)
            return False
        return True

    def _switch_off(self, speculator: Speculator) -> None:
        """A drafter is optional by design: go on without it. Called while its error is handled."""
        log.exception("speculator %s failed and is switched off", speculator.name)
        self.speculators = [s for s in self.speculators if s is not speculator]
        self._aux_readers = _names_of_aux_readers(self.speculators)


def _names_of_aux_readers(speculators: Seq[Speculator]) -> frozenset[str]:
    return frozenset(speculator.name for speculator in speculators if speculator.needs_aux)


def _who_wants(name: str, sequences: Seq[Sequence], wanting: Seq[int]) -> Seq[int]:
    """The requests that a speculator may draft for."""
    chosen = [sequences[i].request.params.speculators for i in wanting]
    if not any(chosen):  # who chose none wants no drafts
        return wanting
    return [i for i, own in zip(wanting, chosen, strict=True) if own is None or name in own]


def _noise(sequence: Sequence, count: int) -> torch.Tensor | None:
    if sequence.noise is None:
        return None
    return sequence.noise.rows(len(sequence.tokens), count)


def _context(sequence: Sequence) -> DraftContext:
    """What everybody may read; noise and hidden state are added for those who need them."""
    params = sequence.request.params
    depth = sequence.remaining - 1
    return DraftContext(
        request_id=sequence.request.request_id,
        tokens=sequence.tokens,
        prompt_length=sequence.prompt_length,
        salt=sequence.request.salt,
        hidden=None,
        temperature=params.temperature,
        gumbel=None,
        max_depth=depth,
        aux=sequence.aux,
    )
