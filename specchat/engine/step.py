"""One step: drafts, one packed forward pass, verification, commit.

Every request of the step has one `Job`, which is passed from stage to stage.
"""

from __future__ import annotations

import time
from collections.abc import Sequence as Seq

from specchat.engine.cuda.sampling import by_temperature_alone
from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.propose import Drafting
from specchat.engine.job import PREFILL, Job
from specchat.engine.kv.page_table import PageTable
from specchat.engine.model.batch import Rows
from specchat.engine.model.runner import ModelRunner
from specchat.engine.model.step_output import StepOutput
from specchat.engine.policy.policy import Policy
from specchat.engine.request import TARGET, FinishReason
from specchat.engine.sampling.sampler import NO_TOKEN, RowGroup
from specchat.engine.sampling.verify import verify, walk_all
from specchat.engine.scheduling.scheduler import Plan, Scheduler


def run(
    plan: Plan, scheduler: Scheduler, drafting: Drafting, runner: ModelRunner, rows: int = 0
) -> list[Job]:
    """Run one step of `plan`; the jobs of the requests that got tokens. With `rows`, every decoding
    request takes as many, drafts or not, as long as there are pages for them (exact mode)."""
    began = time.perf_counter()
    drafts = drafting.propose(plan.decode, plan.prompt_rows)
    jobs = _pack(plan, drafts.trees, scheduler, rows)
    if not jobs:
        return []
    packed = time.perf_counter()
    out = runner.forward([job.rows for job in jobs])
    if rows:
        out = _without_padding(out, jobs)
    choosing = [job for job in jobs if job.choices]
    _verify(choosing, out, runner)
    verified = time.perf_counter()
    for job in choosing:
        _commit(job, verified)
    _keep_rows(jobs, runner)
    _keep_states(jobs, out, drafting)
    decoding = [job for job in jobs if job.decodes]
    drafting.learn(decoding)
    model_ms, total_ms = 1000 * (verified - packed), 1000 * (time.perf_counter() - began)
    _time(jobs, decoding, drafts.ms, drafting.policy, model_ms, total_ms)
    return choosing


def _pack(plan: Plan, trees: Seq[DraftTree], scheduler: Scheduler, rows: int) -> list[Job]:
    """Hold the pages of the step; requests preempted on the way drop out."""
    jobs = []
    for place, (sequence, tree) in enumerate(zip(plan.decode, trees, strict=True)):
        if sequence.table is None:
            continue
        needed = 1 + len(tree.tokens)
        held = scheduler.reserve(sequence, max(rows, needed))
        if not held:
            continue
        if held < needed:
            tree = tree.first(held - 1)
        own = Rows.tree(sequence.table, sequence.tokens[-1], tree, min(rows, held))
        jobs.append(Job(sequence, place, tree, own, 1 + len(tree.tokens)))
    for prefill in plan.prefill:
        sequence = prefill.sequence
        if sequence.table is None:
            continue
        start = sequence.table.length
        tokens = sequence.tokens[start : start + prefill.count]
        own = Rows.chunk(sequence.table, tokens, last=prefill.count == sequence.pending)
        jobs.append(Job(sequence, PREFILL, DraftTree(), own, len(own.wanted)))
    return jobs


def _verify(jobs: Seq[Job], out: StepOutput, runner: ModelRunner) -> None:
    """Walk each request's tree along the tokens that the target chooses."""
    if not jobs:
        return
    trees = [job.tree for job in jobs]
    if out.best is not None and all(job.sequence.plain for job in jobs):
        walks = walk_all(out.best, trees)
    else:
        by_kernel = runner.eager.geometry is not None
        groups = [_row_group(job, by_kernel) for job in jobs]
        walks = verify(out.logits, groups, trees, out.best, by_kernel=by_kernel)
    for job, walk in zip(jobs, walks, strict=True):
        job.walk = walk


def _without_padding(out: StepOutput, jobs: Seq[Job]) -> StepOutput:
    """The rows that tokens are chosen from."""
    kept: list[int] = []
    start = 0
    for job in jobs:
        kept += range(start, start + job.choices)
        start += len(job.rows.wanted)
    return StepOutput(out.logits[kept], out.hidden[kept], out.aux)


def _row_group(job: Job, by_kernel: bool) -> RowGroup:
    sequence, tree = job.sequence, job.tree
    params, position = sequence.request.params, len(sequence.tokens)
    noise = histories = None
    kernels_noise = by_kernel and by_temperature_alone(params)
    if sequence.noise is not None and not kernels_noise:
        noise = sequence.noise.rows(position, tree.max_depth + 1)
        if not tree.is_chain:
            noise = noise[[0, *tree.depths]]
    if params.history_dependent:
        histories = _histories(sequence.tokens, tree)
    return RowGroup(params, len(tree) + 1, noise, histories, sequence.prompt_length, position)


def _histories(tokens: list[int], tree: DraftTree) -> list[list[int]]:
    """The tokens before each row's choice: all so far, and the row's own path."""
    histories = [tokens]
    for token, parent in zip(tree.tokens, tree.parents, strict=True):
        histories.append([*histories[parent + 1], token])
    return histories


def _commit(job: Job, now: float) -> None:
    """Add the accepted run to the answer, as far as that goes on."""
    sequence, tree, walk = job.sequence, job.tree, job.walk
    tokens, sources = [walk.token], [TARGET]
    if walk.nodes:
        tokens = [*[tree.tokens[node] for node in walk.nodes], walk.token]
        sources = [*[tree.sources[node] for node in walk.nodes], TARGET]
    if walk.token == NO_TOKEN:
        tokens.pop()
    committed = sequence.output.commit(tokens, sources, walk.logprobs)
    if walk.token == NO_TOKEN and committed.finish is None:
        committed = committed._replace(finish=FinishReason.ERROR)
    job.commit(tokens, committed)
    sequence.tokens += job.tokens
    counters = sequence.counters
    if counters.first_token is not None:  # the last chunk of a request that was preempted counts
        counters.verified(tree, job.accepted)
    if job.tokens:
        counters.last_token = now
        if counters.first_token is None:
            counters.first_token = now


def _keep_rows(jobs: Seq[Job], runner: ModelRunner) -> None:
    """Make what was accepted final, row behind row, and give the pages behind it back."""
    sources: list[int] = []
    targets: list[int] = []
    for job in jobs:
        sequence, table, nodes = job.sequence, job.rows.table, job.path
        if len(table.pages) > sequence.counters.peak_pages:
            sequence.counters.peak_pages = len(table.pages)
        if job.decodes:
            if nodes and nodes[-1] >= len(nodes):  # others stand between them
                moved, to = _moves(table, nodes)
                sources += moved
                targets += to
            table.keep(1 + len(nodes))
            continue
        if job.choices:
            table.keep(len(job.rows.tokens))
        else:  # the pages of the prompt's rest are held since admission
            table.advance(len(job.rows.tokens))
        table.publish(sequence.tokens)
    if sources:  # the pages that were given back hold them still
        runner.cache.move(sources, targets)


def _moves(table: PageTable, path: Seq[int]) -> tuple[list[int], list[int]]:
    """Where in the cache the rows of a path are, and where they belong: behind the root's."""
    slots = table.slots(table.length, path[-1] + 2)
    return [slots[node + 1] for node in path], slots[1 : len(path) + 1]


def _keep_states(jobs: Seq[Job], out: StepOutput, drafting: Drafting) -> None:
    """What drafters read: the state behind each request's last token, and the inner states of the
    rows that are final now."""
    choice = end = 0
    for job in jobs:
        sequence = job.sequence
        if job.choices:
            sequence.states = out.hidden
            sequence.state = choice + (job.accepted[-1] + 1 if job.accepted else 0)
            choice += job.choices
        start, end = end, end + len(job.rows.tokens)
        if out.aux is not None and drafting.may_take_aux(sequence.request.params):
            rows = out.aux[start:end]
            if job.decodes:  # else all rows are final
                rows = rows[[0, *(node + 1 for node in job.accepted)]]
            sequence.aux.add(job.rows.positions[0], rows)


def _time(
    jobs: Seq[Job],
    decoding: Seq[Job],
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
