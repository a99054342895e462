"""The sender of a load test: the body of a process that shares nothing with the engine's."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from specchat.bench.load.traffic import (
    Begin,
    ClosedTraffic,
    Event,
    OpenTraffic,
    Outcome,
    Played,
    RequestRecord,
    Send,
    Traffic,
)


def send_traffic(link: Connection) -> None:
    """Plays one traffic after the other until the other end of `link` is closed.

    Ctrl-C is left to the process at the other end, which then closes the link.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            message = link.recv()
            if isinstance(message, Begin):  # anything else belongs to a cell that is over
                link.send(play(link, message.cell, message.traffic))
    except (EOFError, OSError):
        return


def play(link: Connection, cell: int, traffic: Traffic) -> Played:
    """Sends the traffic's requests and times what comes back with this process's own clock."""
    if isinstance(traffic, ClosedTraffic):
        return _play_closed(_Player(link, cell), traffic)
    return _play_open(_Player(link, cell), traffic)


@dataclass(slots=True)
class _Pending:
    """A request under way."""

    index: int
    prompt: int
    sent: float
    tokens: int = 0
    first: float | None = None
    last: float | None = None
    longest_gap: float = 0.0

    def add(self, tokens: int, now: float) -> None:
        if not tokens:
            return
        if self.last is None:
            self.first = now
        else:
            self.longest_gap = max(self.longest_gap, now - self.last)
        self.last = now
        self.tokens += tokens

    def record(self, outcome: Outcome, now: float) -> RequestRecord:
        return RequestRecord(
            index=self.index,
            prompt=self.prompt,
            tokens=self.tokens,
            outcome=outcome,
            ttft_ms=None if self.first is None else 1000 * (self.first - self.sent),
            last_token_ms=None if self.last is None else 1000 * (self.last - self.sent),
            e2e_ms=1000 * (now - self.sent),
            longest_gap_ms=1000 * self.longest_gap,
        )


@dataclass(slots=True)
class _Window:
    """The time in which tokens count."""

    opened: float = 0.0
    cpu: float = 0.0
    tokens: int = 0
    open: bool = False

    def begin(self, now: float) -> None:
        self.opened, self.cpu, self.open = now, time.process_time(), True


@dataclass(slots=True)
class _Player:
    """Sends requests and gathers what comes back."""

    link: Connection
    cell: int
    pending: dict[int, _Pending] = field(default_factory=dict)
    window: _Window = field(default_factory=_Window)
    sent: int = 0

    def send(self, prompt: int, pass_: int, due: float) -> int:
        index = self.sent
        self.sent += 1
        self.pending[index] = _Pending(index, prompt, due)
        self.link.send(Send(self.cell, index, prompt, pass_))
        return index

    def receive(self, until: float) -> list[RequestRecord]:
        """Waits for events, at most until that moment; returns the requests that ended."""
        if not self.link.poll(max(0.0, until - time.perf_counter())):
            return []
        events: Sequence[Event] = self.link.recv()
        now = time.perf_counter()
        ended = []
        for event in events:
            request = self.pending.get(event.index)
            if event.cell != self.cell or request is None:
                continue
            request.add(event.tokens, now)
            if self.window.open:
                self.window.tokens += event.tokens
            if event.end is not None:
                ended.append(self.pending.pop(event.index).record(event.end, now))
        return ended

    def played(self, records: Sequence[RequestRecord], seconds: float, warm: bool) -> Played:
        share = (time.process_time() - self.window.cpu) / seconds
        return Played(
            self.cell, tuple(records), self.sent, seconds, self.window.tokens, share, warm
        )


def _play_closed(player: _Player, traffic: ClosedTraffic) -> Played:
    turns = _sessions(traffic.sessions)
    playing = [next(turns) for _ in range(traffic.users)]
    owner: dict[int, int] = {}

    def ask(user: int) -> None:
        turn = next(playing[user], None)
        if turn is None:
            playing[user] = next(turns)
            turn = next(playing[user])
        owner[player.send(*turn, time.perf_counter())] = user

    records: list[RequestRecord] = []
    unanswered = set(range(traffic.users))
    warm = False
    end = time.perf_counter() + traffic.warm_up_s
    for user in range(traffic.users):
        ask(user)
    while True:
        now = time.perf_counter()
        if not player.window.open and (not unanswered or now >= end):
            player.window.begin(now)
            warm, end = not unanswered, now + traffic.seconds
        if player.window.open and now >= end:
            return player.played(records, now - player.window.opened, warm)
        for record in player.receive(end):
            user = owner.pop(record.index)
            unanswered.discard(user)
            if player.window.open:
                records.append(record)
            ask(user)


def _play_open(player: _Player, traffic: OpenTraffic) -> Played:
    rng = random.Random(traffic.seed)
    begun = time.perf_counter()
    opening = begun + traffic.warm_up_s
    closing = opening + traffic.seconds
    due = begun + rng.expovariate(traffic.rate)
    count = len(traffic.prompts)
    counted: set[int] = set()
    records: list[RequestRecord] = []
    tokens, used = 0, 0.0
    while True:
        now = time.perf_counter()
        if not player.window.open and opening <= now < closing:
            player.window.begin(now)
        while due <= now and due < closing:
            pass_, place = divmod(player.sent, count)
            index = player.send(traffic.prompts[place], pass_, due)
            if due >= opening:
                counted.add(index)
            due += rng.expovariate(traffic.rate)
        if now < closing:
            tokens, used = player.window.tokens, time.process_time() - player.window.cpu
        waiting = counted & player.pending.keys()
        if now >= closing and (not waiting or now >= closing + traffic.drain_s):
            records += [player.pending[i].record("unfinished", now) for i in sorted(waiting)]
            share = used / traffic.seconds
            return Played(
                player.cell, tuple(records), player.sent, traffic.seconds, tokens, share, True
            )
        until = min(due, closing) if now < closing else closing + traffic.drain_s
        records += [r for r in player.receive(until) if r.index in counted]


def _sessions(sessions: Sequence[Sequence[int]]) -> Iterator[Iterator[tuple[int, int]]]:
    """Sessions without end, each as its turns: (prompt, pass over the prompts)."""
    pass_ = 0
    while True:
        for session in sessions:
            yield iter([(prompt, pass_) for prompt in session])
        pass_ += 1
