"""The traffic of a load test, and what its sender measured.

Imports nothing heavy: the sender runs in a process of its own that has to start quickly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["completed", "refused", "unfinished"]


@dataclass(frozen=True, slots=True)
class ClosedTraffic:
    """So many users, each of whom sends the next question when the last answer is there.

    A user plays a session's prompts in order and takes the next session then. The window in which
    things count opens when every user has had an answer (or after `warm_up_s`).
    """

    users: int
    sessions: tuple[tuple[int, ...], ...]  # indices of prompts; dealt in order, then anew
    seconds: float  # length of the window
    warm_up_s: float = 30.0  # at the most


@dataclass(frozen=True, slots=True)
class OpenTraffic:
    """Requests that arrive as a Poisson process, whatever the server is doing.

    Requests that arrive in the window count, also those that are answered after it.
    """

    rate: float  # requests per second
    prompts: tuple[int, ...]  # indices, sent in order, then anew
    seconds: float  # length of the window
    seed: int  # equal seeds arrive at equal moments
    warm_up_s: float = 1.0  # arrivals before the window
    drain_s: float = 10.0  # how long answers are waited for after the window


Traffic = ClosedTraffic | OpenTraffic


@dataclass(frozen=True, slots=True)
class Begin:
    """To the sender: play this traffic. Cells are numbered so that late events are recognised."""

    cell: int
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class Send:
    """From the sender: a request. In each `pass_` over the prompts a prompt occurs once."""

    cell: int
    index: int  # names the request within its cell
    prompt: int
    pass_: int


@dataclass(frozen=True, slots=True)
class Event:
    """To the sender: tokens of a request, or its end."""

    cell: int
    index: int
    tokens: int
    end: Outcome | None = None


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request as its sender saw it; times in milliseconds since it was sent (or was due)."""

    index: int
    prompt: int
    tokens: int
    outcome: Outcome
    ttft_ms: float | None  # None without a token
    last_token_ms: float | None
    e2e_ms: float  # to the end, or to the moment when nobody waited any longer
    longest_gap_ms: float  # between two arrivals of tokens

    @property
    def tpot_ms(self) -> float | None:
        """Time per output token after the first; None under two tokens."""
        if self.tokens < 2 or self.ttft_ms is None or self.last_token_ms is None:
            return None
        return (self.last_token_ms - self.ttft_ms) / (self.tokens - 1)


@dataclass(frozen=True, slots=True)
class Played:
    """From the sender: the traffic is over."""

    cell: int
    records: tuple[RequestRecord, ...]  # those that count
    sent: int  # requests in all, with those of the warm-up
    window_s: float
    window_tokens: int  # that arrived in the window
    cpu_share: float  # of one core, that the sender itself used in the window
    warm: bool  # every user had had an answer before the window opened
