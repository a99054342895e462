"""The engine's side of one cell of a load test: one arm under one traffic."""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from specchat.bench.load.sender_process import Sender
from specchat.bench.load.traffic import Event, Outcome, Played, Send, Traffic
from specchat.bench.prompts import BenchPrompt
from specchat.engine.errors import EngineError, QueueFullError
from specchat.engine.request import FinishReason, Request, SamplingParams, TurnStats

if TYPE_CHECKING:
    from specchat.engine.engine import Engine
    from specchat.engine.sequence import TokenStream
    from specchat.engine.snapshot import EngineSnapshot

SAMPLE_S = 0.05
IDLE_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class LoadArm:
    """One way of serving. All arms use the same engine, kernels and KV bytes."""

    name: str
    speculate: bool
    prefix_cache: bool  # False: every request has a salt of its own, so that no page is found
    slots: int | None = None  # requests the engine is given at a time; the others wait in order


@dataclass(frozen=True, slots=True)
class Occupancy:
    """What the engine held while a cell ran, sampled every 50 ms."""

    pages_peak: int
    pages_mean: float
    running_peak: int
    waiting_peak: int  # admitted neither by the engine nor by the arm's slots
    preemptions: int
    steps: int
    cpu_s: float  # of the engine's process, over the whole cell
    tokens: int  # given over the whole cell


@dataclass(frozen=True, slots=True)
class CellResult:
    """What one cell gave: the sender's times and the engine's counters of the same requests."""

    played: Played
    stats: dict[int, TurnStats]  # by index of the request; the completed ones
    occupancy: Occupancy


class Gate:
    """Lets at most `slots` requests in at a time and the others after them, in order."""

    def __init__(self, slots: int | None) -> None:
        self._slots = slots
        self._inside = 0
        self._closed = False
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiting)

    def enter(self, start: Callable[[], None]) -> None:
        """Call `start`, now or when a slot is free; never after `close`."""
        with self._lock:
            if self._closed:
                return
            if self._slots is not None and self._inside >= self._slots:
                self._waiting.append(start)
                return
            self._inside += 1
        start()

    def leave(self) -> None:
        """A request is over; its slot goes to the one that waits longest."""
        with self._lock:
            if not self._waiting:
                self._inside -= 1
                return
            start = self._waiting.popleft()
        start()

    def close(self) -> None:
        """Forget those that wait."""
        with self._lock:
            self._closed = True
            self._waiting.clear()


class _Watch:
    """Samples the engine's state at a fixed pace, whatever happens in between."""

    def __init__(self, engine: Engine, gate: Gate) -> None:
        self._engine, self._gate = engine, gate
        self._first, self._cpu = engine.snapshot(), time.process_time()
        self._samples: list[EngineSnapshot] = []
        self._waiting_peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="specchat-load-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Sample no more."""
        self._over.set()
        self._thread.join()

    def occupancy(self, tokens: int) -> Occupancy:
        """What was seen until now; `tokens` were given in this time."""
        last, pages = self._engine.snapshot(), [sample.pages_held for sample in self._samples]
        return Occupancy(
            pages_peak=max(pages, default=0),
            pages_mean=sum(pages) / len(pages) if pages else 0.0,
            running_peak=max((sample.running for sample in self._samples), default=0),
            waiting_peak=self._waiting_peak,
            preemptions=last.preemptions - self._first.preemptions,
            steps=last.steps - self._first.steps,
            cpu_s=time.process_time() - self._cpu,
            tokens=tokens,
        )

    def _look(self) -> None:
        while not self._over.wait(SAMPLE_S):
            sample = self._engine.snapshot()
            self._samples.append(sample)
            self._waiting_peak = max(self._waiting_peak, sample.waiting + self._gate.waiting)


def run_cell(
    engine: Engine,
    sender: Sender,
    prompts: Sequence[BenchPrompt],
    params: SamplingParams,
    arm: LoadArm,
    traffic: Traffic,
    cell: int,
    customers: Mapping[int, int] | None = None,
) -> CellResult:
    """Has `sender` play `traffic` against the engine, as `arm` serves it.

    Prompt i is sampled with seed + i and belongs to the tenant `customers[i]`, or to one of its
    own. A prompt sent again is another tenant's, so that nothing (prefix pages, drafts from
    earlier answers) is known of its first answer. When it returns the engine is idle and has
    forgotten the cell's tenants.

    Raises:
        EngineError: a request was refused for what it is, or an answer ended early.
        SenderError: the sender's process ended.
    """
    answers = _Answers(engine, sender, prompts, params, arm, cell, customers or {})
    watch = _Watch(engine, answers.gate)
    sender.begin(cell, traffic)
    try:
        while True:
            message = sender.receive(SAMPLE_S)
            answers.check()
            if isinstance(message, Played):
                return CellResult(message, dict(answers.stats), watch.occupancy(answers.tokens))
            if message is not None:
                answers.start(message)
    finally:
        watch.close()
        answers.close()


class _Answers:
    """The requests of one cell, each read by a thread of its own, as a server would."""

    def __init__(
        self,
        engine: Engine,
        sender: Sender,
        prompts: Sequence[BenchPrompt],
        params: SamplingParams,
        arm: LoadArm,
        cell: int,
        customers: Mapping[int, int],
    ) -> None:
        self.gate = Gate(arm.slots)
        self.stats: dict[int, TurnStats] = {}
        self.tokens = 0  # given to the sender
        self._engine, self._sender, self._arm, self._cell = engine, sender, arm, cell
        self._prompts, self._customers = prompts, customers
        self._params = replace(params, speculate=arm.speculate)
        self._tenant = f"load/{uuid.uuid4().hex}"
        self._salts: set[str] = set()
        self._lock = threading.Lock()
        self._streams: dict[int, TokenStream] = {}
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._error: EngineError | None = None

    def start(self, message: Send) -> None:
        """Answer a request as soon as the arm lets it in."""
        request = self._request(message)

        def begin() -> None:
            thread = threading.Thread(
                target=self._answer, args=(message.index, request), daemon=True
            )
            with self._lock:
                if not self._closing:
                    self._threads.append(thread)
                    thread.start()

        self.gate.enter(begin)

    def check(self) -> None:
        """Raises what went wrong in a request's thread."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Cancel what still runs, wait for the engine to be idle, forget the tenants."""
        self.gate.close()
        with self._lock:
            self._closing = True
            streams = list(self._streams.values())
        for stream in streams:
            stream.cancel()
        for thread in list(self._threads):
            if thread.is_alive():  # Ctrl-C may have come while it was being started
                thread.join(IDLE_TIMEOUT_S)
        deadline = time.monotonic() + IDLE_TIMEOUT_S
        while (now := self._engine.snapshot()).running or now.waiting:
            if time.monotonic() > deadline:
                raise EngineError("the engine did not become idle after a load test's cell")
            time.sleep(0.002)
        for salt in self._salts:
            self._engine.evict_salt(salt)

    def _request(self, message: Send) -> Request:
        prompt = self._prompts[message.prompt]
        customer = self._customers.get(message.prompt, message.prompt)
        salt = f"{self._tenant}/{message.pass_}/{customer}"
        shared = prompt.public_tokens
        if not self._arm.prefix_cache:
            salt, shared = f"{salt}/{message.index}", 0
        self._salts.add(salt)
        params = replace(self._params, seed=self._params.seed + message.prompt)
        return Request(prompt.ids, params, salt=salt, public_tokens=shared)

    def _answer(self, index: int, request: Request) -> None:
        try:
            stream = self._engine.submit(request)
            with self._lock:
                self._streams[index] = stream
                closing = self._closing
            with stream:
                if not closing:
                    self._read(index, stream)
        except QueueFullError:
            self._tell(index, 0, "refused")
        except EngineError as error:
            self._error = error
        finally:
            self._streams.pop(index, None)
            self.gate.leave()

    def _read(self, index: int, stream: TokenStream) -> None:
        for delta in stream:
            if delta.finish is None:
                self._tell(index, len(delta.tokens))
            elif delta.finish in (FinishReason.STOP, FinishReason.LENGTH):
                assert delta.stats is not None
                self.stats[index] = delta.stats
                self._tell(index, len(delta.tokens), "completed")
            elif not self._closing:
                raise EngineError(f"an answer ended early ({delta.finish}); nothing to measure")

    def _tell(self, index: int, tokens: int, end: Outcome | None = None) -> None:
        with self._lock:
            self.tokens += tokens
        self._sender.answer(Event(self._cell, index, tokens, end))
