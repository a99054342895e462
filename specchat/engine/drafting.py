"""One step's drafts: ask the speculators, merge what they say, keep what pays."""

from __future__ import annotations

import logging
import operator
import time
from collections import defaultdict
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from functools import partial

from specchat.engine.draft import DraftContext, DraftTree, Speculator, merge
from specchat.engine.payoff import AskCost, Lead, Payoffs, Trust, Worth
from specchat.engine.policy import Choice, Policy
from specchat.engine.sequence import Sequence

log = logging.getLogger(__name__)

NOISE_AHEAD = 8
"""Positions of noise that a sampled request's drafters get to see."""


LEARN_FROM = 4
"""Requests of a step, in turn, whose trees the calibration learns from: that many tell enough."""


@dataclass(frozen=True, slots=True)
class Drafts:
    """The trees to verify in a step, one per decoding request, and the time they took."""

    trees: list[DraftTree]
    ms: float
    offered: list[DraftTree]  # all that was drafted, of which the trees are parts


class Drafting:
    """Speculators and the policy that decides between them. The engine thread owns it."""

    def __init__(self, speculators: Seq[Speculator], policy: Policy, vocab_size: int) -> None:
        self.speculators = list(speculators)
        self.policy = policy
        self._vocab_size = vocab_size
        self._payoffs = Payoffs()
        # By speculator and requests asked for, in powers of two.
        self._costs: defaultdict[tuple[str, int], AskCost] = defaultdict(AskCost)
        self._worth: defaultdict[tuple[str, int, int, bool], Worth] = defaultdict(Worth)
        self._leads: defaultdict[tuple[int, bool], Lead] = defaultdict(Lead)
        self._trust: defaultdict[tuple[bool, tuple[str, ...]], Trust] = defaultdict(Trust)
        self._hope: tuple[Trust, float] | None = None  # of this step: tokens hoped for
        self._turn = 0
        self._asked: set[str] = set()  # requests that a speculator was asked about in this step

    def propose(self, sequences: Seq[Sequence], prompt_rows: int) -> Drafts:
        """Trees for all decoding requests; empty ones for those that run plain. The step also has
        `prompt_rows` rows of prefill.

        The speculator that promises most by itself is asked first, then the cheapest; each only
        where it has paid on top of what the ones before it offer.
        """
        start = time.perf_counter()
        empty = [DraftTree() for _ in sequences]
        asked = [i for i, s in enumerate(sequences) if self._wants_drafts(s, len(sequences))]
        self._asked, self._hope = set(), None
        if not asked:
            return Drafts(empty, 0.0, empty)
        contexts = {i: _context(sequences[i]) for i in asked}
        greedy = [s.request.params.greedy for s in sequences]
        merged, spent = empty, 0.0
        choice = self.policy.choose(empty, greedy, prompt_rows, spent)
        plainly = all(greedy)
        lead = self._leads[len(sequences).bit_length(), plainly]
        lineup: tuple[str, ...] = ()
        rate = choice.rate
        for speculator in self._order(lead, len(asked)):
            those = [i for i in asked if _may_draft(speculator, sequences[i])]
            worth = self._worth_of(speculator, choice, len(sequences), plainly)
            paid = bool(those) and worth.allow()
            if not paid:
                those = [i for i in those if not sequences[i].request.params.adaptive]
            if not those:
                continue
            began = time.perf_counter()
            self._asked |= {sequences[i].request.request_id for i in those}
            # Draws stay, chosen drafts that do not pay need no place beside them.
            base = [
                whole if whole.draws else chosen
                for whole, chosen in zip(merged, choice.trees, strict=True)
            ]
            rows = prompt_rows + sum([len(tree.tokens) for tree in base])
            own = [(sequences[i], contexts[i]) for i in those]
            before, cost = merged, self._cost(speculator, len(those))
            merged = self._merge(before, base, those, own, speculator, rows)
            spent += cost
            if all(map(operator.is_, merged, before)):
                better = choice.later(cost)
            else:
                better = self.policy.choose(merged, greedy, prompt_rows, spent)
            lineup = (*lineup, speculator.name)
            trust = self._trust_of(lineup, plainly)
            higher = better.believed(trust.ratio)
            if paid:
                first = before is empty
                worth.observe(higher / rate, 1.0 if first else Worth.ON_TOP)
                if first:
                    lead.observe(speculator.name, higher)
            choice, rate = better, higher
            self._spent(speculator, own, 1000 * (time.perf_counter() - began))
        if lineup and all(s.request.params.adaptive for s in sequences):
            self._hope = self._trust_of(lineup, plainly), choice.tokens - len(sequences)
        trees = [
            # The policy looked at tokens: what is left of draws was decided before, in `_cut`.
            whole.first(self.policy.max_nodes) if whole.draws else chosen
            for whole, chosen in zip(merged, choice.trees, strict=True)
        ]
        for i in asked:
            sequence, tree = sequences[i], merged[i]
            if not sequence.request.params.adaptive and not tree.draws:
                trees[i] = self.policy.likeliest(tree, greedy[i])
            most = sequence.request.params.max_nodes
            if most is not None and len(trees[i]) > most:
                # Draws must be cut without a look at them.
                offered = trees[i]
                trees[i] = (
                    offered.first(most)
                    if offered.draws
                    else self.policy.likeliest(offered, greedy[i], most)
                )
            if not trees[i] and (tree or sequence.request.request_id not in self._asked):
                sequence.counters.plain_steps += 1
        return Drafts(trees, 1000 * (time.perf_counter() - start), merged)

    def learn(
        self,
        sequences: Seq[Sequence],
        drafts: Drafts,
        accepted: Seq[Seq[int]],
        tokens: Seq[Seq[int]],
    ) -> None:
        """Take in how a step went: each request's accepted nodes, and the tokens it got."""
        calibration = self.policy.calibration
        calibration.begin_step()
        self._turn += LEARN_FROM
        for place in range(min(LEARN_FROM, len(sequences))):
            i = (self._turn + place) % len(sequences)
            if drafts.offered[i].tokens:
                greedy = sequences[i].request.params.greedy
                calibration.observe(drafts.offered[i], tokens[i], greedy)
        if self._hope is not None:
            trust, hoped = self._hope
            trust.observe(sum(map(len, accepted)), hoped)
        if not drafts.ms:
            return
        if not self._asked:
            return
        requests, drafted = len(sequences), sum([len(tree.tokens) for tree in drafts.trees])
        token_ms, added_ms = self._token_ms(requests), self._added_ms(requests, drafted)
        own_ms = drafts.ms / len(self._asked)
        for sequence, tree, nodes in zip(sequences, drafts.trees, accepted, strict=True):
            request_id = sequence.request.request_id
            if request_id in self._asked:
                # Accepted tokens at the plain price, minus its share of the added rows and its own
                # drafting.
                share = len(tree.tokens) / drafted if drafted else 1 / requests
                saved = len(nodes) * token_ms - share * added_ms - own_ms
                self._payoffs.observe(request_id, requests, saved)

    def observe(self, request_id: str, tokens: Seq[int]) -> None:
        """Tell the speculators what was committed."""
        for speculator in self.speculators:
            try:
                speculator.observe(request_id, tokens)
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

    def _merge(
        self,
        trees: list[DraftTree],
        base: list[DraftTree],
        those: Seq[int],
        own: Seq[tuple[Sequence, DraftContext]],
        speculator: Speculator,
        rows: int,
    ) -> list[DraftTree]:
        """The trees with one more speculator's proposals in them, drawn ones in `base` instead. So
        far the step has `rows` rows besides each request's root."""
        proposals = self._ask(speculator, [context for _, context in own])
        merged = list(trees)
        for i, (_, context), proposal in zip(those, own, proposals, strict=True):
            if proposal.max_depth > context.max_depth:
                proposal = proposal.shallow(context.max_depth)
            whole = trees[i]
            if not proposal.tokens and not proposal.draws:
                continue
            if proposal.draws:
                whole, proposal = base[i], self._cut(proposal, len(trees), rows)
            merged[i] = merge([whole, proposal]) if len(whole) else proposal
        return merged

    def _spent(
        self, speculator: Speculator, asked: Seq[tuple[Sequence, DraftContext]], ms: float
    ) -> None:
        """Count what it took to ask a speculator and to look at what it said."""
        for sequence, _ in asked:
            sequence.counters.ask(speculator.name, ms / len(asked))
        self._costs[speculator.name, len(asked).bit_length()].observe(ms)

    def _cut(self, drawn: DraftTree, requests: int, rows: int) -> DraftTree:
        """As much of a drawn tree as pays in a step of so many requests. Its confidence and its
        shape are the same whatever was drawn, so this is not decided by the tokens."""
        alone = [drawn, *(DraftTree() for _ in range(requests - 1))]
        return drawn.part(self.policy.choose(alone, [False] * requests, rows, 0.0).nodes[0])

    def _cost(self, speculator: Speculator, requests: int) -> float:
        """Average milliseconds of asking it for so many; 0 before the first time."""
        return self._costs[speculator.name, requests.bit_length()].ms

    def _order(self, lead: Lead, requests: int) -> list[Speculator]:
        """All speculators, in the order in which to ask them."""
        cheapest = sorted(self.speculators, key=lambda s: self._cost(s, requests))
        if len(cheapest) > 1:
            first = lead.choose([speculator.name for speculator in cheapest])
            cheapest.sort(key=lambda s: s.name != first)
        return cheapest

    def _trust_of(self, lineup: tuple[str, ...], greedy: bool) -> Trust:
        return self._trust[greedy, tuple(sorted(lineup))]

    def _worth_of(
        self, speculator: Speculator, choice: Choice, requests: int, greedy: bool
    ) -> Worth:
        """Kept apart by how many tokens a request may expect without this speculator."""
        expected = min(int(choice.tokens / requests), 8)
        return self._worth[speculator.name, expected, requests, greedy]

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

    def _ask(self, speculator: Speculator, contexts: Seq[DraftContext]) -> list[DraftTree]:
        """A speculator that fails costs its drafts, never the answer."""
        try:
            trees = speculator.propose(contexts)
            if len(trees) != len(contexts):
                raise ValueError(f"{len(contexts)} trees expected, got {len(trees)}")
            for tree in trees:
                tree.check(self._vocab_size)
        except Exception:
            self._switch_off(speculator)
            return [DraftTree() for _ in contexts]
        return trees

    def _switch_off(self, speculator: Speculator) -> None:
        """A drafter is optional by design: go on without it. Called while its error is handled."""
        log.exception("speculator %s failed and is switched off", speculator.name)
        self.speculators = [s for s in self.speculators if s is not speculator]


def _may_draft(speculator: Speculator, sequence: Sequence) -> bool:
    chosen = sequence.request.params.speculators
    return chosen is None or speculator.name in chosen


def _context(sequence: Sequence) -> DraftContext:
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
        hidden=sequence.hidden,
        temperature=params.temperature,
        gumbel=gumbel,
        max_depth=depth,
        aux=sequence.aux,
        draw_noise=draw_noise,
    )
