"""The engine's state of one request, and the stream its owner reads."""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

import torch

from specchat.engine.drafting.aux_states import AuxTape
from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.errors import (
    EngineClosedError,
    QueueFullError,
    RequestError,
    ServerError,
)
from specchat.engine.kv.page_table import PageTable
from specchat.engine.output.commit import OutputText
from specchat.engine.request import (
    DraftTrace,
    FinishReason,
    Request,
    Token,
    TokenDelta,
    TurnStats,
)
from specchat.engine.sampling.noise import NoiseTape
from specchat.engine.sampling.sampler import takes_largest


class TokenStream(Iterator[TokenDelta]):
    """What `Engine.submit` returns: deltas as they are committed, the last one with statistics.

    Safe to cancel from any thread; also a context manager that cancels on exit.
    """

    def __init__(self, request_id: str, cancel: Callable[[str], None]) -> None:
        self.request_id = request_id
        self._cancel = cancel
        self._deltas: queue.SimpleQueue[TokenDelta | BaseException] = queue.SimpleQueue()
        self._over = False
        self._ready: Callable[[], None] | None = None

    def __next__(self) -> TokenDelta:
        """The next delta; waits for it.

        Raises:
            EngineClosedError: the engine stopped before the answer was complete.
            QueueFullError, RequestError: a server, not our own engine, refuses the request.
        """
        if self._over:
            raise StopIteration
        return self._taken(self._deltas.get())

    def next_within(self, timeout_s: float) -> TokenDelta | None:
        """The next delta, or None when it takes longer than `timeout_s`. Raises as `next`."""
        if self._over:
            raise StopIteration
        try:
            return self._taken(self._deltas.get(timeout=timeout_s))
        except queue.Empty:
            return None

    def notify(self, ready: Callable[[], None]) -> None:
        """Have `ready` called once now and after every delta that comes, for readers that do not
        block: they take what is there with `next_within(0)`. It is called by the thread that gives
        deltas, so it must return at once and raise nothing."""
        self._ready = ready
        ready()

    def _taken(self, delta: TokenDelta | BaseException) -> TokenDelta:
        if isinstance(delta, BaseException):
            self._over = True
            if isinstance(delta, (QueueFullError, RequestError, ServerError)):
                raise delta
            raise EngineClosedError(str(delta)) from delta
        self._over = delta.finish is not None
        return delta

    def cancel(self) -> None:
        """Ask the engine to stop; the stream then ends with a `cancelled` delta."""
        self._cancel(self.request_id)

    def close(self) -> None:
        """Cancel when not over yet, and read no further."""
        if not self._over:
            self.cancel()
        self._over = True

    def __enter__(self) -> TokenStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def put(self, delta: TokenDelta | BaseException) -> None:
        """Called by the engine thread."""
        self._deltas.put(delta)
        if self._ready is not None:
            self._ready()


@dataclass(slots=True)
class Counters:
    """Running statistics of one request; becomes `TurnStats`."""

    submitted: float = field(default_factory=time.perf_counter)
    scheduled: float | None = None
    first_token: float | None = None
    last_token: float | None = None
    cached_tokens: int = 0
    lengths: list[int] = field(default_factory=list)  # draft tokens that each step committed
    depths: list[int] = field(default_factory=list)  # of each step's tree
    drafted: list[str] = field(default_factory=list)  # sources of all nodes
    accepted: list[str] = field(default_factory=list)  # and of those that were committed
    draft_ms: float = 0.0
    verify_ms: float = 0.0
    peak_pages: int = 0
    preemptions: int = 0
    plain_steps: int = 0
    asked: list[tuple[str, float]] = field(default_factory=list)
    """Each time a speculator was asked: which one, and this request's part of the milliseconds."""

    def since_submit(self, moment: float | None) -> float:
        """Milliseconds from submit to `moment`; nan when it never came."""
        return float("nan") if moment is None else 1000 * (moment - self.submitted)

    def verified(self, tree: DraftTree, nodes: list[int]) -> None:
        """Take in a step's tree and its nodes that were committed."""
        self.lengths.append(len(nodes))
        self.depths.append(tree.max_depth)
        if tree.tokens:
            self.drafted += tree.sources
            self.accepted += [tree.sources[node] for node in nodes]

    def stats(self, prompt_tokens: int, completion_tokens: int) -> TurnStats:
        """The finished request's statistics."""
        deepest = max(self.depths, default=0)
        ms_by_speculator: dict[str, float] = {}
        for speculator, ms in self.asked:
            ms_by_speculator[speculator] = ms_by_speculator.get(speculator, 0.0) + ms
        return TurnStats(
            prompt_tokens=prompt_tokens,
            cached_tokens=self.cached_tokens,
            completion_tokens=completion_tokens,
            queue_ms=self.since_submit(self.scheduled),
            ttft_ms=self.since_submit(self.first_token),
            e2e_ms=self.since_submit(self.last_token),
            steps=len(self.lengths),
            drafted=len(self.drafted),
            accepted=len(self.accepted),
            drafted_by_depth=_reaching(self.depths, deepest),
            accepted_by_depth=_reaching(self.lengths, deepest),
            drafted_by_source=dict(Counter(self.drafted)),
            accepted_by_source=dict(Counter(self.accepted)),
            accepted_lengths=tuple(self.lengths),
            draft_ms=self.draft_ms,
            verify_ms=self.verify_ms,
            peak_pages=self.peak_pages,
            preemptions=self.preemptions,
            plain_steps=self.plain_steps,
            asked_by_speculator=dict(Counter(speculator for speculator, _ in self.asked)),
            draft_ms_by_speculator=ms_by_speculator,
        )


def _reaching(reached: list[int], deepest: int) -> tuple[int, ...]:
    """How many are at least 1, 2, ..., `deepest`."""
    counts = [0] * (deepest + 1)
    for depth in reached:
        counts[depth] += 1
    return tuple(accumulate(reversed(counts[1:])))[::-1]


@dataclass(slots=True, eq=False)
class Sequence:
    """One request in the engine. Its rows [0, table.length) are in the cache; `tokens` behind
    that still have to be computed: one when it decodes, more when it is (re)filling."""

    request: Request
    stream: TokenStream
    tokens: list[int]
    output: OutputText
    max_new_tokens: int  # what the context leaves of max_tokens
    noise: NoiseTape | None  # what chooses the target's tokens; None when greedy
    order: int  # arrival, for fairness
    urgent: bool = True  # goes before batch work
    prompt_name: bytes = b""  # what its prompt is remembered under when a step fails
    counters: Counters = field(default_factory=Counters)
    table: PageTable | None = None
    states: torch.Tensor | None = None  # [rows, hidden_size] of the latest step's rows
    state: int = 0  # of these, the one that produced the last token
    aux: AuxTape = field(default_factory=AuxTape)  # filled where the runner collects states
    plain: bool = field(init=False)  # its tokens are those of the largest logits, no more is wanted
    prompt_length: int = field(init=False)

    def __post_init__(self) -> None:
        self.plain = takes_largest(self.request.params)
        self.prompt_length = len(self.request.prompt_ids)

    @property
    def hidden(self) -> torch.Tensor | None:
        """[hidden_size] state that produced the last token. A call of PyTorch, so not made for
        drafters that do not read it."""
        return None if self.states is None else self.states.select(0, self.state)

    @property
    def pending(self) -> int:
        """Tokens that are not in the cache yet."""
        return len(self.tokens) - (self.table.length if self.table else 0)

    @property
    def answered(self) -> bool:
        """True once the first token of the answer is there."""
        return len(self.tokens) > self.prompt_length

    @property
    def decodes(self) -> bool:
        """True when the latest token of the answer is all that still has to be computed."""
        length = len(self.tokens)
        return (
            length > self.prompt_length
            and self.table is not None
            and (length - self.table.length == 1)
        )

    @property
    def remaining(self) -> int:
        """Tokens that may still be generated."""
        return self.max_new_tokens - (len(self.tokens) - self.prompt_length)

    def final_delta(
        self, reason: FinishReason, emitted: tuple[Token, ...], draft: DraftTrace | None = None
    ) -> TokenDelta:
        """The stream's last delta: `emitted`, text that was held back, and the statistics."""
        counters = self.counters
        if counters.last_token is None:
            counters.last_token = time.perf_counter()
        return TokenDelta(
            self.request.request_id,
            (*emitted, *self.output.flush()),
            counters.since_submit(time.perf_counter()),
            reason,
            counters.stats(self.prompt_length, self.output.count),
            draft,
        )
