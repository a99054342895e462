"""The same requests given to the engine, and sent to the API in front of it, in turns."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import uvicorn

from specchat.bench.arms import arm_request, run_together
from specchat.bench.prompts import BenchPrompt
from specchat.engine.errors import EngineError
from specchat.engine.request import SamplingParams

if TYPE_CHECKING:
    from fastapi import FastAPI

    from specchat.engine.engine import Engine

Way = Literal["engine", "http"]
WAYS: tuple[Way, Way] = ("engine", "http")
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Wave:
    """So many requests that were sent at once, and what came of them one way."""

    tokens: int
    seconds: float
    first_ms: float  # median of the requests, as who asked saw it

    @property
    def tokens_per_second(self) -> float:
        """Over the whole wave."""
        return self.tokens / self.seconds


@dataclass(frozen=True, slots=True)
class Round:
    """The same wave both ways, one after the other."""

    engine: Wave
    http: Wave


@dataclass(frozen=True, slots=True)
class HttpPlan:
    """How to measure."""

    model: str  # as the API calls it
    params: SamplingParams
    streams: int = 16
    repeats: int = 3


class Client:
    """The other process."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "specchat.bench.http.client", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, bodies: Sequence[dict[str, Any]]) -> Wave:
        """Send all at once. Raises EngineError where one was not answered."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(bodies), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise EngineError("the client of the API ended early")
        found = json.loads(line)
        for answer in found["answers"]:
            if "error" in answer or answer["first_ms"] is None:
                raise EngineError(f"the API did not answer: {answer.get('error', 'no text')}")
        firsts = [answer["first_ms"] for answer in found["answers"]]
        tokens = sum(answer["tokens"] for answer in found["answers"])
        return Wave(tokens, found["ms"] / 1000, statistics.median(firsts))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The API on a free port of this machine, in a thread as the app serves it; its address."""
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="warning"))
    thread = threading.Thread(target=server.run, name="api", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise EngineError("the API could not be served on this machine")
            time.sleep(POLL_S)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def run_rounds(
    engine: Engine,
    client: Client,
    prompts: Sequence[BenchPrompt],
    plan: HttpPlan,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Round]:
    """Every prompt in a wave of `plan.streams`, `plan.repeats` times, in random order both ways.

    No request finds pages of another: each has a salt of its own, both ways.

    Raises:
        EngineError: a request was refused or ended early.
    """
    dice = random.Random(plan.params.seed)
    waves = [wave for _ in range(plan.repeats) for wave in _waves(len(prompts), plan.streams, dice)]
    for way in WAYS:
        _run(way, engine, client, [prompts[index] for index in waves[0]], plan)
    rounds = []
    for done, wave in enumerate(waves, 1):
        chosen = [prompts[index] for index in wave]
        found = {
            way: _run(way, engine, client, chosen, plan) for way in dice.sample(WAYS, len(WAYS))
        }
        rounds.append(Round(found["engine"], found["http"]))
        on_progress(done, len(waves))
    return rounds


def _waves(count: int, streams: int, dice: random.Random) -> Iterator[list[int]]:
    """All prompts in random order; the last wave is filled up from the first."""
    order = dice.sample(range(count), count)
    for start in range(0, count, streams):
        yield [order[place % count] for place in range(start, start + streams)]


def _run(
    way: Way, engine: Engine, client: Client, prompts: Sequence[BenchPrompt], plan: HttpPlan
) -> Wave:
    if way == "http":
        return client.ask([_body(prompt, plan, at) for at, prompt in enumerate(prompts)])
    requests = [
        arm_request(
            prompt.ids,
            replace(plan.params, seed=plan.params.seed + at),
            speculate=True,
            salt="bench",
        )
        for at, prompt in enumerate(prompts)
    ]
    start = time.perf_counter()
    results = run_together(engine, requests)
    seconds = time.perf_counter() - start
    firsts = [result.times_ms[0] for result in results]
    return Wave(sum(len(each.tokens) for each in results), seconds, statistics.median(firsts))


def _body(prompt: BenchPrompt, plan: HttpPlan, at: int) -> dict[str, Any]:
    return {
        "model": plan.model,
        "prompt": list(prompt.ids),
        "max_tokens": plan.params.max_tokens,
        "temperature": plan.params.temperature,
        "seed": plan.params.seed + at,
        "stream": True,
        "stream_options": {"include_usage": True},
        "cache_salt": uuid.uuid4().hex,
    }
