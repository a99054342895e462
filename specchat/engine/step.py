"""One step: drafts, one packed forward pass, verification, commit."""

from __future__ import annotations

import time
from collections.abc import Sequence as Seq
from typing import NamedTuple

import torch

from specchat.engine.cuda.sampling import by_temperature_alone
from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.propose import Drafting, Drafts
from specchat.engine.kv.page_pool import PageTable
from specchat.engine.model.batch import Rows
from specchat.engine.model.runner import ModelRunner
from specchat.engine.model.step_output import StepOutput
from specchat.engine.output.commit import Committed
from specchat.engine.policy.policy import Policy
from specchat.engine.request import TARGET, DraftTrace, FinishReason
from specchat.engine.sampling.sampler import NO_TOKEN, RowGroup
from specchat.engine.sampling.verify import Walk, verify, walk_all
from specchat.engine.scheduling.scheduler import Plan, Scheduler
from specchat.engine.sequence import Sequence


class Update(NamedTuple):
    """What a step added to one request."""

    sequence: Sequence
    tokens: list[int]  # committed, in order
    accepted: list[int]  # nodes of the draft tree among them
    committed: Committed
    tree: DraftTree  # what was verified

    def trace(self) -> DraftTrace | None:
        """What the request's owner is told of the drafts; None unless asked for."""
        if not self.sequence.request.traced:
            return None
        tree, own = self.tree, self.tokens[len(self.accepted) :]
        return DraftTrace(
            tuple(tree.tokens),
            tuple(tree.parents),
            tuple(tree.sources),
            tuple(self.accepted),
            own[0] if own else None,
        )


class StepResult(NamedTuple):
    """What a step added to the requests that got tokens."""

    updates: list[Update]


class _Job(NamedTuple):
    """One request's part of a step."""

    sequence: Sequence
    table: PageTable
    rows: Rows
    tree: DraftTree  # what is verified; empty in a prefill chunk
    decodes: bool  # False: a prefill chunk
    choices: int  # rows after which the target chooses a token: the first ones of those wanted
    place: int = -1  # among the requests that were drafted for


def run(
    plan: Plan, scheduler: Scheduler, drafting: Drafting, runner: ModelRunner, rows: int = 0
) -> StepResult:
    """Run one step of `plan`. With `rows`, every decoding request takes as many, drafts or not,
    as long as there are pages for them (exact mode)."""
    started = time.perf_counter()
    prefill_rows = sum(prefill.count for prefill in plan.prefill)
    drafts = drafting.propose(plan.decode, prefill_rows)
    jobs = _prepare(plan, drafts, scheduler, rows)
    if not jobs:
        return StepResult([])
    before = time.perf_counter()
    out = runner.forward([job.rows for job in jobs])
    if rows:
        out = _without_padding(out, jobs)
    asking = [job for job in jobs if job.choices]
    walks = _verify(asking, out, runner) if asking else []
    after = time.perf_counter()
    model_ms = 1000 * (after - before)
    updates = _commit(jobs, walks, out, runner, after)
    if out.aux is not None:
        _keep_states(jobs, updates, out.aux, drafting)
    decoding = [job for job in jobs if job.decodes]  # before the others, each with its update
    _learn(decoding, updates, drafts.ms, drafting)
    total_ms = 1000 * (time.perf_counter() - started)
    _time(jobs, decoding, drafts.ms, drafting.policy, model_ms, total_ms)
    return StepResult(updates)


def _prepare(plan: Plan, drafts: Drafts, scheduler: Scheduler, rows: int) -> list[_Job]:
    """Hold the pages of the step; requests preempted on the way drop out."""
    jobs = []
    for sequence, tree, place in zip(plan.decode, drafts.trees, drafts.places, strict=True):
        if sequence.table is None:
            continue
        needed = 1 + len(tree.tokens)
        held = scheduler.reserve(sequence, max(rows, needed))
        if not held:
            continue
        if held < needed:
            tree = tree.first(held - 1)
        own = Rows.tree(sequence.table, sequence.tokens[-1], tree, min(rows, held))
        choices = 1 + len(tree.tokens)
        jobs.append(_Job(sequence, sequence.table, own, tree, True, choices, place))
    nothing = DraftTree()
    for prefill in plan.prefill:
        sequence = prefill.sequence
        if sequence.table is None:
            continue
        start = sequence.table.length
        tokens = sequence.tokens[start : start + prefill.count]
        own = Rows.chunk(sequence.table, tokens, last=prefill.count == sequence.pending)
        jobs.append(_Job(sequence, sequence.table, own, nothing, False, len(own.wanted)))
    return jobs


def _verify(jobs: Seq[_Job], out: StepOutput, runner: ModelRunner) -> list[Walk]:
    trees = [job.tree for job in jobs]
    if out.best is not None and all(job.sequence.plain for job in jobs):
        return walk_all(out.best, trees)
    by_kernel = runner.eager.geometry is not None and all(
        by_temperature_alone(job.sequence.request.params) for job in jobs
    )
    groups = [_row_group(job, by_kernel) for job in jobs]
    return verify(out.logits, groups, trees, out.best, by_kernel=by_kernel)


def _without_padding(out: StepOutput, jobs: Seq[_Job]) -> StepOutput:
    """The rows that tokens are chosen from."""
    kept: list[int] = []
    start = 0
    for job in jobs:
        kept += range(start, start + job.choices)
        start += len(job.rows.wanted)
    return StepOutput(out.logits[kept], out.hidden[kept], out.aux)


def _row_group(job: _Job, by_kernel: bool) -> RowGroup:
    sequence, tree = job.sequence, job.tree
    params, position = sequence.request.params, len(sequence.tokens)
    noise = histories = None
    if sequence.noise is not None and not by_kernel:  # the kernel makes its own
        noise = sequence.noise.rows(position, tree.max_depth + 1)
        if not tree.is_chain:
            noise = noise[[0, *tree.depths]]
    if params.history_dependent:
        histories = _histories(sequence.tokens, tree)
    dice = sequence.randomness.dice
    return RowGroup(params, len(tree) + 1, noise, histories, sequence.prompt_length, dice, position)


def _histories(tokens: list[int], tree: DraftTree) -> list[list[int]]:
    """The tokens before each row's choice: all so far, and the row's own path."""
    histories = [tokens]
    for token, parent in zip(tree.tokens, tree.parents, strict=True):
        histories.append([*histories[parent + 1], token])
    return histories


def _commit(
    jobs: Seq[_Job], walks: list[Walk], out: StepOutput, runner: ModelRunner, now: float
) -> list[Update]:
    updates = []
    found = iter(walks)
    sources: list[int] = []
    targets: list[int] = []
    row = 0
    for job in jobs:
        sequence, table = job.sequence, job.table
        counters = sequence.counters
        if len(table.pages) > counters.peak_pages:
            counters.peak_pages = len(table.pages)
        if not job.rows.wanted:  # the pages of the prompt's rest are held since admission
            table.advance(len(job.rows.tokens))
            table.publish(sequence.tokens)
            continue
        path = next(found)
        first = counters.first_token is None
        update = _commit_run(sequence, path, job.tree, now)
        sequence.states = out.hidden
        sequence.state = row + (path.nodes[-1] + 1 if path.nodes else 0)
        row += job.choices
        if job.decodes:
            nodes = update.accepted
            if nodes and nodes[-1] >= len(nodes):  # others stand between them
                moved, to = _moves(table, nodes)
                sources += moved
                targets += to
            table.keep(1 + len(nodes))
        else:
            table.keep(len(job.rows.tokens))
            table.publish(sequence.tokens)
        if not first:  # the last chunk of a request that was preempted counts
            counters.verified(job.tree, update.accepted)
        updates.append(update)
    if sources:  # the pages that were given back hold them still
        runner.cache.move(sources, targets)
    return updates


def _commit_run(sequence: Sequence, path: Walk, tree: DraftTree, now: float) -> Update:
    tokens, sources = [path.token], [TARGET]
    if path.nodes:
        tokens = [*[tree.tokens[node] for node in path.nodes], path.token]
        sources = [*[tree.sources[node] for node in path.nodes], TARGET]
    if path.token == NO_TOKEN:
        tokens.pop()
    committed = sequence.output.commit(tokens, sources, path.logprobs)
    if path.token == NO_TOKEN and committed.finish is None:
        committed = committed._replace(finish=FinishReason.ERROR)
    kept = tokens[: committed.kept]
    sequence.tokens += kept
    counters = sequence.counters
    if kept:
        counters.last_token = now
        if counters.first_token is None:
            counters.first_token = now
    return Update(sequence, kept, path.nodes[: len(kept)], committed, tree)


def _moves(table: PageTable, accepted: Seq[int]) -> tuple[list[int], list[int]]:
    """Where in the cache the accepted nodes' rows are, and where they belong: behind the root's."""
    slots = table.slots(table.length, accepted[-1] + 2)
    return [slots[node + 1] for node in accepted], slots[1 : len(accepted) + 1]


def _keep_states(
    jobs: Seq[_Job], updates: Seq[Update], aux: torch.Tensor, drafting: Drafting
) -> None:
    """Collect the inner states of the rows that are final now, where they may be read."""
    accepted = {id(update.sequence): update.accepted for update in updates}
    end = 0
    for job in jobs:
        start, end = end, end + len(job.rows.tokens)
        if not drafting.may_take_aux(job.sequence.request.params):
            continue
        rows = aux[start:end]
        if job.decodes:  # else all rows are final
            rows = rows[[0, *(node + 1 for node in accepted[id(job.sequence)])]]
        job.sequence.aux.add(job.rows.positions[0], rows.clone())


def _learn(decoding: Seq[_Job], updates: Seq[Update], draft_ms: float, drafting: Drafting) -> None:
    """Tell the policy what was verified, which can be less than what was proposed."""
    if decoding:
        mine = updates[: len(decoding)]
        drafting.learn(
            [job.sequence for job in decoding],
            Drafts([job.tree for job in decoding], draft_ms, [job.place for job in decoding]),
            [update.accepted for update in mine],
            [update.tokens for update in mine],
        )


def _time(
    jobs: Seq[_Job],
    decoding: Seq[_Job],
    draft_ms: float,
    policy: Policy,
    model_ms: float,
    total_ms: float,
) -> None:
    own_ms = draft_ms / len(decoding) if decoding else 0.0
    nodes = 0
    for job in decoding:
        counters = job.sequence.counters
        counters.draft_ms += own_ms
        counters.verify_ms += model_ms
        nodes += len(job.tree.tokens)
    if len(decoding) == len(jobs):
        rows = sum([len(job.rows.tokens) for job in jobs])
        rest_ms = max(0.0, total_ms - model_ms - draft_ms)
        policy.observe(len(decoding), nodes, rows, model_ms, rest_ms)
