"""The sender as a process: it plays, it ignores Ctrl-C, it ends, and its death is noticed."""

from __future__ import annotations

import os
import signal
import time

import pytest

from specchat.bench.load.sender_process import Sender, SenderError
from specchat.bench.load.traffic import ClosedTraffic, Event, Played, Send

TRAFFIC = ClosedTraffic(2, ((0,), (1,)), seconds=0.1)


def play(sender: Sender, cell: int) -> tuple[list[Send], Played]:
    """Answers a whole traffic with one token a request."""
    asked = []
    sender.begin(cell, TRAFFIC)
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        message = sender.receive(0.1)
        if isinstance(message, Played):
            return asked, message
        if message is not None:
            asked.append(message)
            sender.answer(Event(cell, message.index, 1, "completed"))
    raise AssertionError("the traffic never ended")


def receive_forever(sender: Sender) -> None:
    while True:
        sender.receive(1.0)


def test_it_plays_one_traffic_after_the_other_and_ends() -> None:
    with Sender() as sender:
        assert sender.pid != os.getpid()
        for cell in (1, 2):
            asked, played = play(sender, cell)
            assert played.cell == cell
            assert len(asked) == played.sent > 2
    assert not sender.alive


def test_ctrl_c_is_left_to_the_engines_process() -> None:
    with Sender() as sender:
        os.kill(sender.pid, signal.SIGINT)
        play(sender, 1)
        os.kill(sender.pid, signal.SIGINT)
        play(sender, 2)
    assert not sender.alive


def test_nothing_to_receive_is_no_message() -> None:
    with Sender() as sender:
        assert sender.receive(0.01) is None


def test_its_death_is_said() -> None:
    with Sender() as sender:
        sender.begin(1, TRAFFIC)
        os.kill(sender.pid, signal.SIGKILL)
        with pytest.raises(SenderError, match=r"ended early \(exit code -9\)"):
            receive_forever(sender)
    assert not sender.alive
