"""One arm under one traffic, on a real engine with a tiny random model and a real sender."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from specchat.bench.load.cell import CellResult, Gate, LoadArm, run_cell
from specchat.bench.load.plan import PAGED, PLAIN, SEQUENTIAL, SPECULATIVE, contiguous_arm
from specchat.bench.load.sender_process import Sender, SenderError
from specchat.bench.load.traffic import ClosedTraffic, OpenTraffic
from specchat.bench.prompts import BenchPrompt
from specchat.engine.engine import Engine
from specchat.engine.errors import RequestError
from specchat.engine.options import EngineOptions
from specchat.engine.request import Request, SamplingParams
from specchat.engine.sequence import TokenStream
from specchat.loader import LoadOptions, load

PARAMS = SamplingParams(max_tokens=6, ignore_eos=True)
SHARED = tuple(range(5, 25))  # a full page and a bit
PROMPTS = [BenchPrompt(f"p{i}", (*SHARED, 30 + i, 7, 8, 7, 8)) for i in range(4)]
SESSIONS = tuple((i,) for i in range(len(PROMPTS)))


@pytest.fixture(scope="module")
def engine(tiny_model_dir: Path) -> Iterator[Engine]:
    options = LoadOptions(
        str(tiny_model_dir),
        ("ngram",),
        compile=False,
        kv_memory_bytes=2**20,
        engine=EngineOptions(check_pages=True),
    )
    loaded = load(options)
    yield loaded.engine
    loaded.engine.close()


@pytest.fixture(scope="module")
def sender() -> Iterator[Sender]:
    with Sender() as started:
        yield started


def closed(users: int, seconds: float = 0.3) -> ClosedTraffic:
    return ClosedTraffic(users, SESSIONS, seconds)


def run(
    engine: Engine,
    sender: Sender,
    arm: LoadArm,
    traffic: ClosedTraffic,
    *,
    answers: int = 1,
    customers: dict[int, int] | None = None,
    prompts: list[BenchPrompt] = PROMPTS,
) -> CellResult:
    """A cell whose window is long enough for so many answers to count, however slow this is."""
    cell = 100
    while True:
        result = run_cell(engine, sender, prompts, PARAMS, arm, traffic, cell, customers)
        if len(result.played.records) >= answers:
            return result
        traffic, cell = replace(traffic, seconds=4 * traffic.seconds), cell + 1


def assert_idle(engine: Engine) -> None:
    snapshot = engine.snapshot()
    assert (snapshot.running, snapshot.waiting, snapshot.pages_held) == (0, 0, 0)
    assert snapshot.pages_cached <= 1  # the company's own words; the tenants are forgotten


def assert_counts_add_up(result: CellResult) -> None:
    assert result.played.records
    for record in result.played.records:
        if record.outcome == "completed":
            assert record.tokens == result.stats[record.index].completion_tokens


@pytest.mark.parametrize("arm", [PLAIN, SPECULATIVE, PAGED, SEQUENTIAL], ids=lambda arm: arm.name)
def test_the_sender_counts_what_the_engine_gave(
    engine: Engine, sender: Sender, arm: LoadArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    speculate = set()

    def submit(request: Request) -> TokenStream:
        speculate.add(request.params.speculate)
        return Engine.submit(engine, request)

    monkeypatch.setattr(engine, "submit", submit)
    result = run(engine, sender, arm, closed(3))
    assert_counts_add_up(result)
    assert result.occupancy.steps > 0
    assert result.occupancy.tokens >= result.played.window_tokens > 0
    assert 0 <= result.occupancy.pages_peak <= engine.snapshot().pages_total
    assert speculate == {arm.speculate}
    assert_idle(engine)


def test_arrivals_at_random_are_all_answered(engine: Engine, sender: Sender) -> None:
    traffic = OpenTraffic(20.0, (0, 1, 2, 3), 0.5, seed=1, warm_up_s=0.1, drain_s=30.0)
    result = run_cell(engine, sender, PROMPTS, PARAMS, SPECULATIVE, traffic, 2)
    assert_counts_add_up(result)
    assert {record.outcome for record in result.played.records} == {"completed"}
    assert_idle(engine)


def test_only_arms_with_a_prefix_cache_find_pages(engine: Engine, sender: Sender) -> None:
    """And then only those of the same customer."""
    same, different = {0: 0, 1: 0, 2: 0, 3: 0}, {}
    for arm, customers, found in (
        (PAGED, same, False),
        (PLAIN, different, False),
        (PLAIN, same, True),
    ):
        result = run(engine, sender, arm, closed(1), answers=4, customers=customers)
        assert (sum(result.stats[i].cached_tokens for i in range(4)) > 0) is found


def test_the_companys_own_words_are_found_by_every_customer(engine: Engine, sender: Sender) -> None:
    prompts = [replace(prompt, public_tokens=16) for prompt in PROMPTS]
    for arm, hits in ((PAGED, {0}), (PLAIN, {16})):
        result = run(engine, sender, arm, closed(1), prompts=prompts)
        later = [stats for index, stats in result.stats.items() if index]
        assert {stats.cached_tokens for stats in later} == hits


def test_slots_bound_what_runs_together(engine: Engine, sender: Sender) -> None:
    context = engine.info.context_length
    for arm, most in ((SEQUENTIAL, 1), (contiguous_arm(2 * context + 1, context), 2)):
        result = run(engine, sender, arm, closed(4))
        assert result.occupancy.running_peak <= most
        assert result.occupancy.waiting_peak >= 1
        assert_counts_add_up(result)


def test_a_prompt_sent_again_is_another_tenants(engine: Engine, sender: Sender) -> None:
    """One prompt round and round: no answer may profit from the one before it."""
    result = run(engine, sender, PLAIN, ClosedTraffic(1, ((0,),), 0.3), answers=2)
    assert len(result.stats) > 2
    assert {stats.cached_tokens for stats in result.stats.values()} == {0}


def test_a_request_that_cannot_be_answered_ends_the_cell(engine: Engine, sender: Sender) -> None:
    with pytest.raises(RequestError, match="token ids must be below"):
        run_cell(
            engine, sender, [BenchPrompt("bad", (10**6,))], PARAMS, PLAIN,
            ClosedTraffic(1, ((0,),), 0.2), 6,
        )  # fmt: skip
    assert_idle(engine)


def test_the_senders_death_ends_the_cell_and_leaves_the_engine_idle(engine: Engine) -> None:
    with Sender() as doomed:
        killer = threading.Timer(0.5, os.kill, (doomed.pid, signal.SIGKILL))
        killer.start()
        with pytest.raises(SenderError, match="ended early"):
            run_cell(engine, doomed, PROMPTS, PARAMS, PLAIN, closed(2, seconds=600), 7)
        killer.join()
    assert not doomed.alive
    assert_idle(engine)


def test_ctrl_c_while_a_request_is_being_started_ends_the_cell_as_ctrl_c(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(thread: threading.Thread) -> None:
        if thread.name.endswith("(_answer)"):
            raise KeyboardInterrupt
        start(thread)

    start = threading.Thread.start
    with Sender() as own, monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_cell(engine, own, PROMPTS, PARAMS, PLAIN, closed(2), 8)
    assert_idle(engine)


def test_a_gate_lets_in_by_slots_and_in_order() -> None:
    gate, entered = Gate(2), list[int]()
    for i in range(4):
        gate.enter(lambda i=i: entered.append(i))
    assert (entered, gate.waiting) == ([0, 1], 2)
    gate.leave()
    assert (entered, gate.waiting) == ([0, 1, 2], 1)
    gate.close()
    gate.leave()
    gate.enter(lambda: entered.append(9))
    assert entered == [0, 1, 2]


def test_a_gate_gives_slots_back() -> None:
    gate, entered = Gate(1), list[str]()
    gate.enter(lambda: entered.append("first"))
    gate.leave()
    gate.enter(lambda: entered.append("second"))
    assert entered == ["first", "second"]
