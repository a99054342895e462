"""Which requests run in a step: admission, chunks, preemption, displacement; without a model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from specchat.engine.errors import QueueFullError
from specchat.engine.kv.page_pool import PagePool
from specchat.engine.scheduling.scheduler import Plan, Scheduler
from specchat.engine.scheduling.waiting import Waiting
from specchat.engine.sequence import Sequence
from tests.engine.scheduling.queued import queued

SIZE = 4


def made(pages: int = 64, max_waiting: int = 64, **limits: int) -> Scheduler:
    chosen = {"token_budget": 64, "prefill_rows": 8, "max_running": 16, **limits}
    return Scheduler(PagePool(pages, SIZE), waiting=Waiting(max_waiting), **chosen)


def run_step(scheduler: Scheduler, drafts: int = 0, accepted: int = 0) -> Plan:
    """What a step does to the scheduler: reserve, compute, keep, publish. Token ids are 7."""
    plan = scheduler.plan()
    served: list[Sequence] = []
    for sequence in plan.decode:
        if sequence.table is None:
            continue
        held = scheduler.reserve(sequence, 1 + drafts)
        assert all(other.table is not None for other in served), "a served request was preempted"
        if not held:
            continue
        served.append(sequence)
        assert sequence.table is not None
        kept = min(accepted, held - 1, sequence.remaining - 1)
        sequence.tokens += [7] * (1 + kept)
        sequence.table.keep(1 + kept)
    for prefill in plan.prefill:
        sequence = prefill.sequence
        if sequence.table is None:
            continue
        last = prefill.count == sequence.pending
        sequence.table.advance(prefill.count)
        sequence.table.publish(sequence.tokens)
        if last:
            sequence.tokens.append(7)
    for sequence in list(scheduler.running):
        if not sequence.remaining:
            scheduler.remove(sequence)
    return plan


def start(scheduler: Scheduler, *sequences: Sequence) -> None:
    for sequence in sequences:
        scheduler.add(sequence)
    run_step(scheduler)


def test_running_answers_go_on_while_a_long_prompt_is_computed_in_small_chunks() -> None:
    scheduler = made()
    answering = queued(max_tokens=40)
    start(scheduler, answering)
    scheduler.add(queued(prompt=(9,) * 50))
    plans = [run_step(scheduler) for _ in range(7)]
    assert all(answering in plan.decode for plan in plans)
    assert [sum(p.count for p in plan.prefill) for plan in plans] == [8, 8, 8, 8, 8, 8, 2]


def test_a_prompt_gets_the_whole_budget_when_nobody_streams() -> None:
    scheduler = made()
    scheduler.add(queued(prompt=(9,) * 50))
    assert [p.count for p in scheduler.plan().prefill] == [50]


def test_a_chunk_ends_with_a_page() -> None:
    scheduler = made(prefill_rows=11)
    start(scheduler, queued(max_tokens=40))
    scheduler.add(queued(prompt=tuple(range(30))))
    assert [p.count for p in run_step(scheduler).prefill] == [8]


def test_what_is_left_of_the_budget_begins_no_page_that_it_cannot_end() -> None:
    scheduler = made(token_budget=10)
    for start_at in (0, 50):
        scheduler.add(queued(prompt=tuple(range(start_at, start_at + 7))))
    assert [p.count for p in run_step(scheduler).prefill] == [7]
    assert [p.count for p in run_step(scheduler).prefill] == [7]


def test_a_budget_below_a_page_is_still_used() -> None:
    scheduler = made(token_budget=3)
    scheduler.add(queued(prompt=tuple(range(30))))
    counts = [sum(p.count for p in run_step(scheduler).prefill) for _ in range(4)]
    assert counts == [3, 1, 3, 1]


def test_the_oldest_prompt_is_computed_first() -> None:
    scheduler = made(token_budget=8)
    first, second = queued(prompt=tuple(range(12))), queued(prompt=tuple(range(20, 32)))
    scheduler.add(first)
    scheduler.add(second)
    steps = [[p.sequence for p in run_step(scheduler).prefill] for _ in range(2)]
    assert steps == [[first], [first, second]]


@pytest.mark.parametrize("budget", [4, 16, 64])
def test_equal_prompts_that_arrive_together_are_computed_once(budget: int) -> None:
    scheduler = made(token_budget=budget)
    prompt = tuple(range(17))
    same = [queued(prompt=prompt) for _ in range(4)]
    for sequence in same:
        scheduler.add(sequence)
    computed = 0
    while any(not s.answered for s in same):
        computed += sum(p.count for p in run_step(scheduler).prefill)
    assert computed == 17 + 3
    assert [s.counters.cached_tokens for s in same] == [0, 16, 16, 16]
    assert scheduler.counters.prefix_hit_tokens == 3 * 16
    assert scheduler.counters.prefix_query_tokens == 4 * 17


def test_a_prompt_waits_for_another_only_where_that_computes_most_of_it() -> None:
    scheduler = made()
    start_alike, long_rest = tuple(range(12)), tuple(range(50, 70))
    first = queued(prompt=(*start_alike, 90))
    near, far = queued(prompt=(*start_alike, 91)), queued(prompt=(*start_alike, *long_rest))
    other_tenant = queued("bank", prompt=(*start_alike, 92))
    for sequence in (first, near, far, other_tenant):
        scheduler.add(sequence)
    steps = [[p.sequence for p in run_step(scheduler).prefill] for _ in range(2)]
    assert steps == [[first, far, other_tenant], [near]]
    assert near.counters.cached_tokens == 12


def test_a_request_is_admitted_with_a_page_to_spare_for_each_running_one() -> None:
    scheduler = made(pages=7)
    first, second = queued(prompt=tuple(range(8))), queued(prompt=tuple(range(20, 31)))
    start(scheduler, first)
    scheduler.add(second)
    scheduler.plan()
    assert scheduler.running == [first, second]  # 2 + 3 held, and one for each to come
    narrow = made(pages=5)
    start(narrow, queued(prompt=tuple(range(8))))
    narrow.add(queued(prompt=tuple(range(20, 31))))
    narrow.plan()
    assert len(narrow.running) == 1


def test_a_request_that_does_not_fit_is_not_overtaken_by_a_smaller_one() -> None:
    scheduler = made(pages=8)
    start(scheduler, queued(prompt=tuple(range(16)), max_tokens=9))
    large, small = queued(prompt=tuple(range(50, 74))), queued(prompt=(1, 2))
    scheduler.add(large)
    scheduler.add(small)
    while large.table is None:
        assert small.table is None
        run_step(scheduler)


def test_the_youngest_of_the_least_urgent_is_preempted_when_pages_run_out() -> None:
    scheduler = made(pages=8)
    batch = queued(prompt=tuple(range(4)), interactive=False, max_tokens=16)
    old = queued(prompt=tuple(range(10, 14)), max_tokens=16)
    young = queued(prompt=tuple(range(20, 24)), max_tokens=16)
    order = []
    start(scheduler, batch, old, young)
    assert scheduler.running == [old, young, batch]
    while not order or len(order) < 2:
        before = list(scheduler.running)
        run_step(scheduler)
        order += [s for s in before if s.table is None and s.remaining]
    assert order[:2] == [batch, young]
    assert scheduler.counters.preemptions == 2
    assert (old.counters.preemptions, old.table is not None) == (0, True)


def test_drafts_get_the_pages_at_hand_and_never_preempt_anybody() -> None:
    scheduler = made(pages=4)
    first, second = queued(prompt=tuple(range(5))), queued(prompt=tuple(range(10, 12)))
    start(scheduler, first, second)
    assert scheduler.pool.available == 1
    assert first.table is not None
    assert scheduler.reserve(first, 20) == 3 + SIZE
    assert scheduler.reserve(second, 20) == 2
    assert scheduler.counters.preemptions == 0


def test_an_interactive_request_takes_the_place_of_batch_work() -> None:
    scheduler = made(max_running=2)
    batch = [queued(interactive=False, max_tokens=40) for _ in range(2)]
    start(scheduler, *batch)
    person = queued()
    scheduler.add(person)
    run_step(scheduler)
    assert scheduler.running == [person, batch[0]]
    assert list(scheduler.waiting) == [batch[1]]


def test_an_interactive_request_takes_the_pages_of_batch_work() -> None:
    scheduler = made(pages=10)
    batch = [queued(prompt=(i,) * 12, interactive=False, max_tokens=8) for i in range(2)]
    start(scheduler, *batch)
    person = queued(prompt=tuple(range(16)))
    scheduler.add(person)
    run_step(scheduler)
    assert scheduler.running[0] is person
    assert batch[1] in list(scheduler.waiting)


def test_batch_work_is_not_displaced_where_that_would_not_help() -> None:
    scheduler = made(pages=8)
    start(scheduler, queued(prompt=tuple(range(16)), max_tokens=12), queued(interactive=False))
    scheduler.add(queued(prompt=tuple(range(50, 66)), max_tokens=4))
    before = list(scheduler.running)
    scheduler.plan()
    assert scheduler.running == before
    assert scheduler.counters.preemptions == 0


def test_refused_requests_are_counted() -> None:
    scheduler = made(max_waiting=1)
    scheduler.add(queued())
    with pytest.raises(QueueFullError):
        scheduler.add(queued())
    assert scheduler.counters.refused == 1


def test_a_blocked_queue_does_not_look_its_prompt_up_again_in_every_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scheduler = made(pages=8)
    start(scheduler, queued(prompt=tuple(range(16)), max_tokens=9))
    large = queued(prompt=tuple(range(50, 74)))
    scheduler.add(large)
    looked_up = []
    find = PagePool.find

    def counting(self: PagePool, *name: Any) -> Any:
        looked_up.append(name)
        return find(self, *name)

    monkeypatch.setattr(PagePool, "find", counting)
    for _ in range(5):
        run_step(scheduler)
    assert len(looked_up) == 1


class Scheduling(RuleBasedStateMachine):
    """Random requests, steps and cancellations. Every request that is not cancelled ends."""

    @initialize(
        pages=st.integers(8, 30),
        budget=st.integers(1, 24),
        prefill=st.integers(1, 12),
        running=st.integers(1, 6),
    )
    def start(self, pages: int, budget: int, prefill: int, running: int) -> None:
        self.scheduler = made(
            pages, token_budget=budget, prefill_rows=prefill, max_running=running, max_waiting=12
        )
        self.alive: list[Sequence] = []

    @rule(
        salt=st.sampled_from(["", "shop", "bank"]),
        interactive=st.booleans(),
        prompt=st.lists(st.integers(0, 1), min_size=1, max_size=20),
        max_tokens=st.integers(1, 12),
    )
    def submit(self, salt: str, interactive: bool, prompt: list[int], max_tokens: int) -> None:
        sequence = queued(
            salt, interactive=interactive, prompt=tuple(prompt), max_tokens=max_tokens
        )
        before = len(self.scheduler.waiting)
        try:
            self.scheduler.add(sequence)
        except QueueFullError:
            assert before >= 12 - 12 // 4
            return
        self.alive.append(sequence)

    @rule(drafts=st.integers(0, 9), accepted=st.integers(0, 9))
    def step(self, drafts: int, accepted: int) -> None:
        plan = run_step(self.scheduler, drafts, accepted)
        assert plan or not self.alive
        rows = sum(p.count for p in plan.prefill)
        assert rows <= self.scheduler.prefill_budget(len(plan.decode))
        assert all(p.count > 0 for p in plan.prefill)
        assert not {*plan.decode} & {p.sequence for p in plan.prefill}
        self.forget_ended()

    @precondition(lambda self: getattr(self, "alive", None))
    @rule(pick=st.integers(0, 99))
    def cancel(self, pick: int) -> None:
        self.scheduler.remove(self.alive.pop(pick % len(self.alive)))

    @rule(salt=st.sampled_from(["", "shop", "bank"]))
    def evict(self, salt: str) -> None:
        self.scheduler.pool.evict_salt(salt)

    def forget_ended(self) -> None:
        self.alive = [s for s in self.alive if s.remaining > 0]

    @invariant()
    def pages_and_queues_agree(self) -> None:
        if not hasattr(self, "scheduler"):
            return
        scheduler = self.scheduler
        scheduler.pool.check()
        there = [*scheduler.running, *scheduler.waiting]
        assert sorted(map(id, there)) == sorted(map(id, self.alive))
        assert len(scheduler.running) <= scheduler.max_running
        assert all(s.table is not None for s in scheduler.running)
        assert all(s.table is None for s in scheduler.waiting)
        held = {p for s in scheduler.running if s.table for p in s.table.pages}
        assert scheduler.pool.held == len(held)
        ranks = [(not s.urgent, s.order) for s in scheduler.running]
        assert ranks == sorted(ranks)

    def teardown(self) -> None:
        if not hasattr(self, "scheduler"):
            return
        steps = 0
        while self.alive:
            run_step(self.scheduler, drafts=3, accepted=steps % 4)
            self.forget_ended()
            steps += 1
            assert steps < 3000, "a request starves"
        assert self.scheduler.pool.held == 0
        for salt in ("", "shop", "bank"):
            self.scheduler.pool.evict_salt(salt)
        assert self.scheduler.pool.free == self.scheduler.pool.total


Scheduling.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestScheduling = Scheduling.TestCase


def test_prompts_get_more_rows_where_a_step_brings_more_tokens() -> None:
    scheduler = Scheduler(
        PagePool(8, 4), token_budget=512, prefill_rows=64, max_running=4, waiting=Waiting(4)
    )
    assert scheduler.prefill_budget(decoding=2) == 64
    for _ in range(100):
        scheduler.observe(tokens=8, streams=2)
    assert scheduler.prefill_budget(decoding=2) == pytest.approx(256, abs=2)
    for _ in range(100):
        scheduler.observe(tokens=2, streams=2)
    scheduler.observe(tokens=0, streams=0)
    assert scheduler.prefill_budget(decoding=2) == 64
