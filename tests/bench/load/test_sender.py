"""The sender's traffic, played in a thread against a scripted server at the other end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import pytest

from specchat.bench.load.sender import play, send_traffic
from specchat.bench.load.traffic import (
    Begin,
    ClosedTraffic,
    Event,
    OpenTraffic,
    Played,
    Send,
    Traffic,
)

CELL = 7
SESSIONS = ((0, 1), (2,), (3, 4, 5))


@dataclass
class Server:
    """Answers each request with `answer`, and notes what was asked."""

    link: Connection
    answer: Callable[[Send], list[Event]]
    asked: list[Send] = field(default_factory=list)
    played: Played | None = None

    def serve(self) -> None:
        while True:
            message = self.link.recv()
            if isinstance(message, Played):
                self.played = message
                return
            self.asked.append(message)
            if events := self.answer(message):
                self.link.send(events)


def two_tokens(asked: Send) -> list[Event]:
    return [Event(CELL, asked.index, 1), Event(CELL, asked.index, 1, "completed")]


def played_by(traffic: Traffic, answer: Callable[[Send], list[Event]] = two_tokens) -> Server:
    """The server after the sender has played `traffic` against it."""
    with _link() as (ours, theirs):
        server = Server(ours, answer)
        thread = threading.Thread(target=server.serve)
        thread.start()
        theirs.send(play(theirs, CELL, traffic))
        thread.join()
    assert server.played is not None
    return server


@contextmanager
def _link() -> Iterator[tuple[Connection, Connection]]:
    ours, theirs = Pipe()
    try:
        yield ours, theirs
    finally:
        ours.close()
        theirs.close()


def test_a_user_has_one_request_under_way_at_a_time() -> None:
    held: list[Send] = []
    most = 0

    def answer(asked: Send) -> list[Event]:
        nonlocal most
        held.append(asked)
        most = max(most, len(held))
        # The third request to come in lets the oldest go.
        return two_tokens(held.pop(0)) if len(held) == 3 else []

    played_by(ClosedTraffic(3, SESSIONS, seconds=0.1, warm_up_s=0.2), answer)
    assert most == 3


def test_a_user_plays_a_sessions_turns_in_order_and_then_the_next_session() -> None:
    traffic = ClosedTraffic(1, SESSIONS, seconds=0.1)
    while len((server := played_by(traffic)).asked) < 12:  # a slow machine gets more time
        traffic = replace(traffic, seconds=4 * traffic.seconds)
    asked = [(send.prompt, send.pass_) for send in server.asked]
    assert asked[:12] == [(i, 0) for i in range(6)] + [(i, 1) for i in range(6)]
    assert [send.index for send in server.asked] == list(range(len(asked)))


def test_only_the_window_counts() -> None:
    server = played_by(ClosedTraffic(2, SESSIONS, seconds=0.1))
    played = server.played
    assert played is not None
    assert played.warm
    assert played.sent == len(server.asked)
    indices = {record.index for record in played.records}
    assert not indices & {0}  # some user's first answer: the warm-up
    assert len(indices) == len(played.records) <= played.sent - 2
    assert sum(record.tokens for record in played.records) <= played.window_tokens + 2
    assert played.window_s >= 0.1


def test_times_are_in_order_and_tokens_are_counted() -> None:
    played = played_by(ClosedTraffic(1, SESSIONS, seconds=0.1)).played
    assert played is not None
    for record in played.records:
        assert record.tokens == 2
        assert 0 <= record.ttft_ms <= record.last_token_ms <= record.e2e_ms
        assert record.tpot_ms == pytest.approx(record.last_token_ms - record.ttft_ms)


def test_a_server_that_never_answers_ends_the_warm_up_by_time() -> None:
    played = played_by(
        ClosedTraffic(2, SESSIONS, seconds=0.05, warm_up_s=0.05), lambda _: []
    ).played
    assert played is not None
    assert not played.warm
    assert (played.records, played.window_tokens, played.sent) == ((), 0, 2)


def test_events_of_another_cell_are_nobodys() -> None:
    def answer(asked: Send) -> list[Event]:
        return [Event(CELL - 1, asked.index, 50, "completed"), *two_tokens(asked)]

    played = played_by(ClosedTraffic(1, SESSIONS, seconds=0.05), answer).played
    assert played is not None
    assert {record.tokens for record in played.records} == {2}


def open_traffic(seed: int = 3, **changes: float) -> OpenTraffic:
    values = {"rate": 200.0, "seconds": 0.2, "warm_up_s": 0.1, "drain_s": 0.1, **changes}
    return OpenTraffic(prompts=(4, 2, 0), seed=seed, **values)


def test_arrivals_go_round_the_prompts() -> None:
    asked = played_by(open_traffic()).asked
    assert [send.prompt for send in asked[:6]] == [4, 2, 0, 4, 2, 0]
    assert [send.pass_ for send in asked[:6]] == [0, 0, 0, 1, 1, 1]


def test_equal_seeds_arrive_as_often_whatever_the_server_does() -> None:
    quick, stuck = played_by(open_traffic()), played_by(open_traffic(), lambda _: [])
    assert len(quick.asked) == len(stuck.asked)
    assert len(quick.asked) != len(played_by(open_traffic(seed=4)).asked)


def test_arrivals_of_the_window_count_also_unanswered() -> None:
    played = played_by(open_traffic(), lambda _: []).played
    assert played is not None
    assert 0 < len(played.records) < played.sent
    assert {record.outcome for record in played.records} == {"unfinished"}
    assert all(record.ttft_ms is None and record.tokens == 0 for record in played.records)


def test_a_refused_request_is_recorded_as_that() -> None:
    played = played_by(open_traffic(), lambda s: [Event(CELL, s.index, 0, "refused")]).played
    assert played is not None
    assert {record.outcome for record in played.records} == {"refused"}


def test_the_sender_ends_when_the_link_closes() -> None:
    ours, theirs = Pipe()
    answered = threading.Event()

    def server() -> None:
        ours.send([Event(1, 1, 1)])  # of a cell long over
        ours.send(Begin(CELL, ClosedTraffic(1, SESSIONS, seconds=0.05)))
        while not isinstance(message := ours.recv(), Played):
            ours.send(two_tokens(message))
        answered.set()
        ours.close()

    thread = threading.Thread(target=server)
    thread.start()
    before = signal.getsignal(signal.SIGINT)
    try:
        send_traffic(theirs)  # returns
    finally:
        signal.signal(signal.SIGINT, before)
    thread.join()
    assert answered.is_set()
