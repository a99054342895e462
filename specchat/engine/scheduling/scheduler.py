"""Which requests run in a step and with how many tokens.

Requests that decode always run. Prompts are computed in chunks, most urgent and oldest first; while
others stream, at most `prefill_rows` of them for each token that a step brings a stream, so that a
long prompt never stalls an answer for longer than that takes. A request is admitted when its whole
prompt fits into the pages at hand with one to spare for each running one; `waiting` says whose turn
it is. When pages run out, the least urgent and youngest request gives its pages back and is
recomputed later; an interactive request that waits takes the place of batch work.
"""

from __future__ import annotations

import bisect
import time
from dataclasses import dataclass
from typing import NamedTuple

from specchat.engine.counters import EngineCounters
from specchat.engine.errors import QueueFullError
from specchat.engine.kv.page_pool import PagePool
from specchat.engine.kv.page_table import PageTable
from specchat.engine.kv.prefix_cache import PageName
from specchat.engine.scheduling.suspects import Suspects
from specchat.engine.scheduling.waiting import Waiting
from specchat.engine.sequence import Sequence


@dataclass(frozen=True, slots=True)
class Prefill:
    """A chunk of tokens to compute for a request that does not decode yet."""

    sequence: Sequence
    count: int


class Plan(NamedTuple):
    """One step's work."""

    decode: list[Sequence]
    prefill: list[Prefill]

    def __bool__(self) -> bool:
        return bool(self.decode or self.prefill)

    @property
    def prompt_rows(self) -> int:
        """Rows of all chunks."""
        return sum([chunk.count for chunk in self.prefill])


class Scheduler:
    """Queues of waiting and running requests. The engine thread owns it."""

    def __init__(
        self,
        pool: PagePool,
        *,
        token_budget: int,
        prefill_rows: int,
        max_running: int,
        waiting: Waiting,
        suspects: Suspects | None = None,
    ) -> None:
        self.pool = pool
        self.token_budget = token_budget
        self.prefill_rows = prefill_rows
        self.max_running = max_running
        self.waiting = waiting
        self._suspects = Suspects() if suspects is None else suspects
        self.running: list[Sequence] = []  # most urgent and oldest first
        self._short: _Short | None = None  # what the head of the queue lacks
        self._pace = 1.0  # tokens that a step brings a stream, exponential average

    @property
    def counters(self) -> EngineCounters:
        return self.pool.counters

    def add(self, sequence: Sequence) -> None:
        """Queue a request.

        Raises:
            QueueFullError: too many wait already.
        """
        try:
            self.waiting.add(sequence)
        except QueueFullError:
            self.counters.refused += 1
            raise

    def remove(self, sequence: Sequence, *, sound: bool = True) -> None:
        """Drop a request that ended and give its pages back, published for reuse where they are
        `sound`."""
        if sequence.table is None:
            self.waiting.remove(sequence)
            return
        self.running.remove(sequence)
        self._give_up(sequence, sound)

    def plan(self, *, admit: bool = True) -> Plan:
        """Admit what fits and divide the step's tokens."""
        if admit and self.waiting:
            self._admit()
        decode: list[Sequence] = []
        filling: list[Sequence] = []
        for sequence in self.running:
            (decode if sequence.decodes else filling).append(sequence)
        return Plan(decode, self._chunks(filling, self.prefill_budget(len(decode))))

    def prefill_budget(self, decoding: int) -> int:
        """Prompt rows of a step in which so many requests decode."""
        room = max(1, self.token_budget - decoding)
        return min(room, int(self.prefill_rows * self._pace)) if decoding else room

    def observe(self, tokens: int, streams: int) -> None:
        """Take in how many tokens a step brought so many streams."""
        if streams:
            self._pace += 0.1 * (max(1.0, tokens / streams) - self._pace)

    def reserve(self, sequence: Sequence, rows: int) -> int:
        """Hold pages for `rows` more rows of a running request, or for as many as the pages at hand
        allow. Less urgent and younger requests are preempted for the first row only. Returns the
        rows held; 0 when the request itself was preempted.

        Requests of one step are to be served in the order of `running`, so that those preempted
        come behind those served already.
        """
        table = sequence.table
        assert table is not None
        if rows <= table.room:  # of pages that are held already
            return rows
        while True:
            held = min(rows, table.room + self.pool.available * self.pool.page_size)
            if held:
                table.reserve(held)
                return held
            victim = self.running[-1]
            self._preempt(victim)
            if victim is sequence:
                return 0

    def _chunks(self, filling: list[Sequence], budget: int) -> list[Prefill]:
        """Chunks of prompts, in order. A prompt that mostly begins with what another one computes
        in this step waits for that, and takes it over in the next."""
        chunks: list[Prefill] = []
        leaders: dict[PageName, Prefill] = {}
        for sequence in filling:
            self._adopt(sequence)
            assert sequence.table is not None
            name = sequence.table.next_name(sequence.tokens)
            if name in leaders and self._mostly_computed(sequence, leaders[name]):
                continue
            count = self._chunk(sequence, budget, alone=not chunks)
            if not count:
                break
            chunks.append(Prefill(sequence, count))
            if name is not None:
                leaders.setdefault(name, chunks[-1])
            budget -= count
        return chunks

    def _adopt(self, sequence: Sequence) -> None:
        """Take over what others computed meanwhile."""
        assert sequence.table is not None
        gained = sequence.table.adopt(sequence.tokens)
        if not sequence.counters.preemptions:
            sequence.counters.cached_tokens += gained
            self.counters.prefix_hit_tokens += gained

    def _mostly_computed(self, sequence: Sequence, leader: Prefill) -> bool:
        """True when the leader's chunk, which begins at the same place, holds at least half of
        what the request needs."""
        assert sequence.table is not None
        size, start = self.pool.page_size, sequence.table.length
        own, others, end = sequence.tokens, leader.sequence.tokens, start
        last = min(start + leader.count, len(own) - 1)
        while end + size <= last and own[end : end + size] == others[end : end + size]:
            end += size
        return 2 * (end - start) >= sequence.pending

    def _chunk(self, sequence: Sequence, budget: int, *, alone: bool) -> int:
        """Prompt tokens to compute next: up to a page's end where the rest does not fit, so that
        others can take whole pages over; less than a page only of the step's first prompt."""
        assert sequence.table is not None
        count = min(sequence.pending, budget)
        if count < sequence.pending:
            over = (sequence.table.length + count) % self.pool.page_size
            if over < count or not alone:
                count = max(0, count - over)
        return count

    def _admit(self) -> None:
        while (head := self.waiting.head()) is not None:
            if self.running and (self._alone(head) or self._alone(self.running[0])):
                return
            table = self._open(head) if len(self.running) < self.max_running else None
            if table is not None:
                self._start(head, table)
            elif not self._displace(head):
                return

    def _alone(self, sequence: Sequence) -> bool:
        """A suspect: it waits until nobody runs, and nobody starts beside it."""
        return self._suspects.runs_alone(sequence.prompt_name)

    def _open(self, sequence: Sequence) -> PageTable | None:
        """A table with pages for the request's tokens and one to come; None when they are short."""
        pool, spare = self.pool, len(self.running)
        short = self._short
        if short and short.sequence is sequence and pool.available < short.pages + spare:
            return None
        before = pool.available
        request, tokens = sequence.request, sequence.tokens
        table = PageTable.open(pool, request.salt, tokens, request.public_tokens)
        needed = table.pages_needed(len(tokens) - table.length + 1)
        if needed + spare > pool.available:
            self._short = _Short(sequence, needed + before - pool.available)
            table.publish_tail(tokens)
            table.close()
            return None
        self._short = None
        # Pages for the prompt are held at once: several admissions cannot promise the same.
        table.reserve(len(tokens) - table.length)
        return table

    def _start(self, sequence: Sequence, table: PageTable) -> None:
        self.waiting.start(sequence)
        bisect.insort(self.running, sequence, key=_rank)
        sequence.table = table
        if sequence.counters.scheduled is None:
            sequence.counters.scheduled = time.perf_counter()
            sequence.counters.cached_tokens = table.length
            self.counters.prefix_query_tokens += len(sequence.tokens)
            self.counters.prefix_hit_tokens += table.length

    def _displace(self, head: Sequence) -> bool:
        """Preempt batch work for an urgent request; False when that would not let it start."""
        batch = [s for s in self.running if not s.urgent] if head.urgent else []
        if not batch:
            return False
        if len(self.running) < self.max_running and self._short is not None:
            held = sum(len(s.table.pages) for s in batch if s.table is not None)
            urgent = len(self.running) - len(batch)
            if self.pool.available + held < self._short.pages + urgent:
                return False
        self._preempt(batch[-1])
        return True

    def _preempt(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self._give_up(sequence)
        sequence.states = None
        sequence.counters.preemptions += 1
        self.counters.preemptions += 1
        self.waiting.give_back(sequence)

    def _give_up(self, sequence: Sequence, sound: bool = True) -> None:
        assert sequence.table is not None
        if sound:
            sequence.table.publish(sequence.tokens)
            sequence.table.publish_tail(sequence.tokens)
        else:
            sequence.table.withdraw()
        sequence.table.close()
        sequence.table = None


@dataclass(frozen=True, slots=True)
class _Short:
    """Pages that must be available before it is worth looking again whether a request fits."""

    sequence: Sequence
    pages: int


def _rank(sequence: Sequence) -> tuple[bool, int]:
    return not sequence.urgent, sequence.order
