"""Which requests run in a step and with how many tokens.

Requests that decode always run. What is left of the step's token budget goes to prefill chunks,
oldest request first, so that a long prompt never stalls running streams for longer than a chunk.
A waiting request is admitted when its whole prompt fits into the pages at hand; interactive
requests go before batch work. When pages run out, the youngest request gives its pages back and
is recomputed later.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from specchat.engine.errors import QueueFullError
from specchat.engine.pages import OutOfPagesError, PagePool, PageTable
from specchat.engine.sequence import Sequence


@dataclass(frozen=True, slots=True)
class Prefill:
    """A chunk of tokens to compute for a request that does not decode yet."""

    sequence: Sequence
    count: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One step's work."""

    decode: list[Sequence]
    prefill: list[Prefill]

    def __bool__(self) -> bool:
        return bool(self.decode or self.prefill)


class Scheduler:
    """Queues of waiting and running requests. The engine thread owns it."""

    def __init__(
        self, pool: PagePool, *, token_budget: int, max_running: int, max_waiting: int
    ) -> None:
        self.pool = pool
        self.token_budget = token_budget
        self.max_running = max_running
        self.max_waiting = max_waiting
        self.preemptions = 0
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []  # in order of admission

    def __iter__(self) -> Iterator[Sequence]:
        return iter([*self.running, *self.waiting])

    def add(self, sequence: Sequence) -> None:
        """Queue a request.

        Raises:
            QueueFullError: `max_waiting` requests wait already.
        """
        if len(self.waiting) >= self.max_waiting:
            raise QueueFullError(
                f"{self.max_waiting} requests are waiting already; try again in a moment"
            )
        self.waiting.append(sequence)
        self._sort_waiting()

    def remove(self, sequence: Sequence) -> None:
        """Drop a request that ended and give its pages back, published for reuse."""
        if sequence in self.running:
            self.running.remove(sequence)
        if sequence in self.waiting:
            self.waiting.remove(sequence)
        if sequence.table is not None:
            sequence.table.publish(sequence.tokens)
            sequence.table.close()
            sequence.table = None

    def plan(self) -> Plan:
        """Admit what fits and divide the step's tokens."""
        self._admit()
        decode = [s for s in self.running if s.decodes]
        budget = max(1, self.token_budget - len(decode))
        prefill = []
        for sequence in self.running:
            if budget and not sequence.decodes:
                count = min(sequence.pending, budget)
                prefill.append(Prefill(sequence, count))
                budget -= count
        return Plan(decode, prefill)

    def reserve(self, sequence: Sequence, rows: int) -> int:
        """Hold pages for `rows` more rows of a running request, or for a single one when pages
        are short, preempting younger requests for it. Returns the rows held; 0 when the request
        itself was preempted."""
        assert sequence.table is not None
        try:
            sequence.table.reserve(rows)
            return rows
        except OutOfPagesError:
            pass
        while True:
            try:
                sequence.table.reserve(1)
                return 1
            except OutOfPagesError:
                victim = self.running[-1]
                self._preempt(victim)
                if victim is sequence:
                    return 0

    def _admit(self) -> None:
        while self.waiting and len(self.running) < self.max_running:
            sequence = self.waiting[0]
            table = PageTable.open(self.pool, sequence.request.salt, sequence.tokens)
            if table.pages_needed(len(sequence.tokens) - table.length + 1) > self.pool.available:
                table.close()
                return
            sequence.table = table
            if sequence.counters.scheduled is None:
                sequence.counters.scheduled = time.perf_counter()
                sequence.counters.cached_tokens = table.cached_tokens
                self.pool.count_lookup(len(sequence.tokens), table.cached_tokens)
            # Pages for the prompt are held at once: several admissions cannot promise the same.
            table.reserve(len(sequence.tokens) - table.length)
            self.waiting.pop(0)
            self.running.append(sequence)

    def _preempt(self, sequence: Sequence) -> None:
        assert sequence.table is not None
        sequence.table.publish(sequence.tokens)
        sequence.table.close()
        sequence.table = None
        sequence.hidden = None
        sequence.counters.preemptions += 1
        self.preemptions += 1
        self.running.remove(sequence)
        self.waiting.append(sequence)
        self._sort_waiting()

    def _sort_waiting(self) -> None:
        self.waiting.sort(key=lambda s: (not s.request.interactive, s.order))
