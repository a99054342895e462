"""One step's drafts: ask the speculators, merge what they say, keep what pays."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Sequence as Seq
from functools import partial
from typing import NamedTuple

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.merging import DraftMerger, TreeMerger
from specchat.engine.drafting.packed_trees import PackedTrees
from specchat.engine.drafting.speculator import DraftContext, Speculator
from specchat.engine.job import Job
from specchat.engine.native.library import loaded_library
from specchat.engine.native.merging import MOST_DRAFTERS, NativeMerger
from specchat.engine.policy.policy import Policy
from specchat.engine.policy.profitability import AskCost, Lead, Payoffs, Trust, Worth
from specchat.engine.policy.regressions import MOST_ASKED
from specchat.engine.request import SamplingParams
from specchat.engine.sequence import Sequence

log = logging.getLogger(__name__)

NOISE_AHEAD = 8
"""Positions of noise that a sampled request's drafters get to see."""


class Drafts(NamedTuple):
    """The trees to verify in a step, one per decoding request, and the time they took."""

    trees: list[DraftTree]
    ms: float


class Drafting:
    """Speculators and the policy that decides between them. The engine thread owns it."""

    ORDER_FOR = 32  # steps that speculators are sorted by their costs for, once these are known
    MANY = 8  # requests from which on every other step says enough

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
        self._observers = _observers(speculators)
        self.policy = policy
        self._names = names
        self._vocab_size = vocab_size
        self._payoffs = Payoffs()
        # By speculator and requests asked for, in powers of two.
        self._costs: defaultdict[tuple[str, int], AskCost] = defaultdict(AskCost)
        self._worth: defaultdict[tuple[str, int, int, bool], Worth] = defaultdict(Worth)
        self._leads: defaultdict[tuple[int, bool], Lead] = defaultdict(Lead)
        self._trust: defaultdict[tuple[bool, tuple[str, ...]], Trust] = defaultdict(Trust)
        self._hope: tuple[Trust, float] | None = None  # of this step: tokens hoped for
        self._orders: dict[tuple[int, str], list[Speculator]] = {}  # by requests and who leads
        self._steps = 0
        self._passed_over = False  # the latest step was not learned from
        self._asked: set[int] = set()  # places of the requests that were asked about in this step
        self._merger: DraftMerger = TreeMerger(policy, vocab_size)  # of this step
        self._in_python = self._merger
        self._natively: NativeMerger | None = None
        self._some_draw = False  # some speculator drafts at random where that is wanted

    def propose(self, sequences: Seq[Sequence], prompt_rows: int) -> Drafts:
        """Trees for all decoding requests; empty ones for those that run plain. The step also has
        `prompt_rows` rows of prefill.

        The speculator that promises most by itself is asked first, then the cheapest; each only
        where it has paid on top of what the ones before it offer.
        """
        start = time.perf_counter()
        wanting = [i for i, s in enumerate(sequences) if self._wants_drafts(s, len(sequences))]
        self._asked, self._hope = set(), None
        if not wanting:
            return Drafts([DraftTree() for _ in sequences], 0.0)
        if self._ask_around(sequences, wanting, prompt_rows):
            trees = self._merger.chosen()
        else:
            trees = [DraftTree() for _ in sequences]
        for i in wanting:
            idle = i not in self._asked
            params = sequences[i].request.params
            if not (idle or (params.adaptive and params.max_nodes is None)):
                trees[i] = self._limited(params, i, trees[i])
            if not trees[i].tokens:
                sequences[i].counters.plain_steps += idle or self._merger.count(i) > 0
        return Drafts(trees, 1000 * (time.perf_counter() - start))

    def _ask_around(self, sequences: Seq[Sequence], wanting: Seq[int], prompt_rows: int) -> bool:
        """Have speculators offer what they can for the requests that are wanting; False where none
        is worth asking now."""
        requests = len(sequences)
        greedy = [s.request.params.greedy for s in sequences]
        plainly = all(greedy)
        lead = self._leads[requests.bit_length(), plainly]
        lineup: tuple[str, ...] = ()
        plain = rate = tokens = float(requests)
        spent = 0.0
        for speculator in self._order(lead, len(wanting)):
            # Kept apart by how many tokens a request may expect without this speculator.
            worth = self._worth[speculator.name, min(int(tokens / requests), 8), requests, plainly]
            those, paid = _who_to_ask(speculator, worth, sequences, wanting)
            if not those or len(lineup) == MOST_ASKED:
                continue
            began = time.perf_counter()
            if not lineup:
                contexts = {i: _context(sequences[i]) for i in wanting}
                self._merger = self._merger_for(sequences)
                outlook = self._merger.begin(greedy, prompt_rows)
                plain = rate = outlook.rate
            spent += self._cost(speculator, len(those))
            if self._ask(speculator, those, sequences, contexts):
                outlook = self._merger.choose(spent)
            lineup, tokens = (*lineup, speculator.name), outlook.tokens
            believed = outlook.believed(self._trust_of(lineup, plainly).ratio)
            if paid:
                first = len(lineup) == 1
                worth.observe(believed / rate, 1.0 if first else Worth.ON_TOP)
                if first:
                    lead.observe(speculator.name, believed / plain)
            rate = believed
            ms = 1000 * (time.perf_counter() - began)
            self._spent(speculator, [sequences[i] for i in those], ms)
        if lineup and all(s.request.params.adaptive for s in sequences):
            self._hope = self._trust_of(lineup, plainly), tokens - requests
        return bool(lineup)

    def learn(self, jobs: Seq[Job], draft_ms: float) -> None:
        """Take in how a step went for the requests that decoded: what was verified, which can be
        less than was proposed, and what they got. With many requests every other step is passed
        over."""
        self._passed_over = len(jobs) >= self.MANY and not self._passed_over
        if self._passed_over or not jobs:
            return
        self.policy.calibration.begin_step()
        if not self._asked:
            return
        self._merger.learn([job.place for job in jobs], [job.tokens for job in jobs])
        if self._hope is not None:
            trust, hoped = self._hope
            trust.observe(sum([len(job.accepted) for job in jobs]), hoped)
        requests, drafted = len(jobs), sum([len(job.tree.tokens) for job in jobs])
        token_ms, added_ms = self._token_ms(requests), self._added_ms(requests, drafted)
        own_ms = draft_ms / len(self._asked)
        for job in jobs:
            if job.place in self._asked:
                # Accepted tokens at the plain price, minus its share of the added rows and its own
                # drafting.
                share = len(job.tree.tokens) / drafted if drafted else 1 / requests
                saved = len(job.accepted) * token_ms - share * added_ms - own_ms
                self._payoffs.observe(job.sequence.request.request_id, requests, saved)

    def may_take_aux(self, params: SamplingParams) -> bool:
        """Whether a speculator that reads inner states may be asked about such a request."""
        readers, chosen = self._aux_readers, params.speculators
        if not (readers and params.speculate) or params.max_nodes == 0:
            return False
        return chosen is None or not readers.isdisjoint(chosen)

    def observe(self, request_id: str, tokens: Seq[int]) -> None:
        """Tell the speculators that want to know what was committed."""
        for speculator in self._observers:
            try:
                speculator.observe(request_id, tokens)  # type: ignore[attr-defined]
            except Exception:
                self._switch_off(speculator)

    def forget(self, request_id: str) -> None:
        """A request is over."""
        self._payoffs.forget(request_id)
        for speculator in self.speculators:
            try:
                speculator.forget(request_id)
            except Exception:
                self._switch_off(speculator)

    def learn_answers(self, answers: Seq[Seq[int]], salt: str, fresh: bool) -> None:
        """Let the speculators that draft from earlier answers take these in; with `fresh` in the
        place of what they learned under this salt before. Safe from any thread."""
        for speculator in list(self.speculators):
            learn = getattr(speculator, "learn", None)
            if learn is not None:
                if fresh:
                    speculator.evict_salt(salt)  # type: ignore[attr-defined]
                learn(answers, salt)

    def evict_salt(self, salt: str) -> None:
        """Let the speculators that keep something between requests forget a tenant's part."""
        for speculator in self.speculators:
            evict = getattr(speculator, "evict_salt", None)
            if evict is not None:
                evict(salt)

    def close(self) -> None:
        """Nothing is asked any more: let the speculators end what they do beside it."""
        for speculator in self.speculators:
            end = getattr(speculator, "close", None)
            if end is not None:
                end()

    def _merger_for(self, sequences: Seq[Sequence]) -> DraftMerger:
        """What takes in the drafts of a step: native where it can be."""
        library = loaded_library()
        drawn = self._some_draw and any(s.draw_noise is not None for s in sequences)
        if library is None or drawn:
            return self._in_python
        if self._natively is None:
            self._natively = NativeMerger(library, self.policy, self._names, self._vocab_size)
        return self._natively

    def _limited(self, params: SamplingParams, place: int, tree: DraftTree) -> DraftTree:
        """A request's tree as its parameters want it."""
        if not params.adaptive and not tree.draws:
            tree = self.policy.likeliest(self._merger.whole(place), params.greedy)
        most = params.max_nodes
        if most is None or len(tree) <= most:
            return tree
        # Draws must be cut without a look at them.
        return tree.first(most) if tree.draws else self.policy.likeliest(tree, params.greedy, most)

    def _spent(self, speculator: Speculator, asked: Seq[Sequence], ms: float) -> None:
        """Count what it took to ask a speculator and to look at what it said."""
        own = speculator.name, ms / len(asked)
        for sequence in asked:
            sequence.counters.asked.append(own)
        self._costs[speculator.name, len(asked).bit_length()].observe(ms)

    def _cost(self, speculator: Speculator, requests: int) -> float:
        """Average milliseconds of asking it for so many; 0 before the first time."""
        return self._costs[speculator.name, requests.bit_length()].ms

    def _order(self, lead: Lead, requests: int) -> Seq[Speculator]:
        """All speculators, in the order in which to ask them: who leads, then the cheapest."""
        if len(self.speculators) < 2:
            return self.speculators
        self._steps += 1
        if self._steps < self.ORDER_FOR or self._steps % self.ORDER_FOR == 0:
            self._orders.clear()
        many = requests.bit_length()
        cheapest = self._orders.get((many, ""))
        if cheapest is None:
            cheapest = sorted(self.speculators, key=lambda s: self._cost(s, requests))
            self._orders[many, ""] = cheapest
        first = lead.choose([speculator.name for speculator in cheapest])
        order = self._orders.get((many, first))
        if order is None:
            order = sorted(cheapest, key=lambda s: s.name != first)
            self._orders[many, first] = order
        return order

    def _trust_of(self, lineup: tuple[str, ...], greedy: bool) -> Trust:
        return self._trust[greedy, tuple(sorted(lineup))]

    def _token_ms(self, requests: int) -> float:
        """What a token of a plain step takes."""
        return (self.policy.cost.step_ms(requests) + self.policy.overhead.ms(requests)) / requests

    def _added_ms(self, requests: int, drafted: int) -> float:
        """What draft nodes add to a step."""
        cost = self.policy.cost
        added = cost.step_ms(requests + drafted) - cost.step_ms(requests)
        return added + self.policy.overhead.node_ms * drafted

    def _wants_drafts(self, sequence: Sequence, requests: int) -> bool:
        params = sequence.request.params
        wanted = params.speculate and params.speculators != () and self.speculators
        if not wanted or params.max_nodes == 0 or sequence.remaining < 2:
            return False
        if not params.adaptive:
            return True
        if self._payoffs.of(sequence.request.request_id, requests).allow():
            return True
        sequence.counters.plain_steps += 1
        return False

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
        if speculator.needs_hidden:
            batch = [
                c._replace(hidden=sequences[i].hidden) for i, c in zip(those, batch, strict=True)
            ]
        try:
            trees = speculator.propose(batch)
            if len(trees) != len(batch):
                raise ValueError(f"{len(batch)} trees expected, got {len(trees)}")
            if self._merger is self._natively and _any_drawn(trees):
                self._some_draw = True  # from the next step on
                return False
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
        self._observers = _observers(self.speculators)
        self._orders.clear()


def _names_of_aux_readers(speculators: Seq[Speculator]) -> frozenset[str]:
    return frozenset(speculator.name for speculator in speculators if speculator.needs_aux)


def _observers(speculators: Seq[Speculator]) -> list[Speculator]:
    return [speculator for speculator in speculators if hasattr(speculator, "observe")]


def _any_drawn(trees: Seq[DraftTree]) -> bool:
    """Packed trees never are."""
    return not isinstance(trees, PackedTrees) and any(tree.draws for tree in trees)


def _who_to_ask(
    speculator: Speculator, worth: Worth, sequences: Seq[Sequence], wanting: Seq[int]
) -> tuple[Seq[int], bool]:
    """The requests to ask a speculator about, and whether it is worth that; where it is not, those
    that want drafts at any price."""
    those = wanting
    chosen = [sequences[i].request.params.speculators for i in wanting]
    if any(chosen):  # who chose none wants no drafts
        name = speculator.name
        those = [i for i, own in zip(wanting, chosen, strict=True) if own is None or name in own]
    if those and worth.allow():
        return those, True
    return [i for i in those if not sequences[i].request.params.adaptive], False


def _context(sequence: Sequence) -> DraftContext:
    """What everybody may read; the hidden state is added for those who need it."""
    params = sequence.request.params
    depth = sequence.remaining - 1
    at = len(sequence.tokens)
    gumbel = draw_noise = None
    if sequence.noise is not None:
        gumbel = sequence.noise.rows(at, NOISE_AHEAD)
    if sequence.draw_noise is not None:
        draw_noise = partial(sequence.draw_noise.rows, at)
    return DraftContext(
        request_id=sequence.request.request_id,
        tokens=sequence.tokens,
        prompt_length=sequence.prompt_length,
        salt=sequence.request.salt,
        hidden=None,
        temperature=params.temperature,
        gumbel=gumbel,
        max_depth=depth,
        aux=sequence.aux,
        draw_noise=draw_noise,
    )
