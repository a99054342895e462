"""Cells of a load test made up for tests of what is computed from them."""

from __future__ import annotations

from specchat.bench.environment import Environment
from specchat.bench.load.cell import CellResult, LoadArm, Occupancy
from specchat.bench.load.plan import LoadCell, LoadPlan
from specchat.bench.load.report import KvCapacity, LoadSource, load_report
from specchat.bench.load.traffic import ClosedTraffic, OpenTraffic, Outcome, Played, RequestRecord
from specchat.bench.report import Report
from specchat.engine.request import SamplingParams
from specchat.evidence.load import Objective
from tests.ui.made_up import plain_stats, stats

OBJECTIVE = Objective(ttft_ms=1000.0, tpot_ms=50.0)
CAPACITY = KvCapacity(64 * 2**20, 5_456, 341, 16, 2_048, 2_048)
SOURCE = LoadSource("prompts.jsonl", 60, 2)
ENVIRONMENT = Environment(
    "made up, 2 threads", 2, "2.13", "5.17", "3.11", "Linux", "0.1.0", "abc1234", "care", 20,
    "float32", "cpu", ("mlp",), "native", True, "2026-01-02T03:04:05+00:00",
)  # fmt: skip


def record(
    index: int, ttft_ms: float = 40.0, tpot_ms: float = 5.0, outcome: Outcome = "completed"
) -> RequestRecord:
    """An answer of 11 tokens."""
    last = ttft_ms + 10 * tpot_ms
    return RequestRecord(index, 0, 11, outcome, ttft_ms, last, last + 1, 2 * tpot_ms)


def cell(
    arm: LoadArm,
    users: int = 0,
    tokens: int = 1_000,
    records: tuple[RequestRecord, ...] | None = None,
    *,
    rate: float = 0.0,
    repeat: int = 0,
    pages_peak: int = 30,
    preemptions: int = 0,
) -> LoadCell:
    """One cell with a window of 4 s; 20 answers of 11 tokens unless `records` says otherwise."""
    known = tuple(record(i) for i in range(20)) if records is None else records
    made = stats(11) if arm.speculate else plain_stats(11)
    held = Occupancy(pages_peak, pages_peak / 2, users, 0, preemptions, 500, 2.0, tokens)
    played = Played(1, known, len(known) + users, 4.0, tokens, 0.03, True)
    counted = {r.index: made for r in known if r.outcome == "completed"}
    traffic = ClosedTraffic(users, ((0,),), 4.0) if users else OpenTraffic(rate, (0,), 4.0, 1)
    return LoadCell(arm, traffic, repeat, CellResult(played, counted, held))


def report(cells: list[LoadCell]) -> Report:
    """The report of these cells."""
    arms = tuple({each.arm.name: each.arm for each in cells}.values())
    plan = LoadPlan(SamplingParams(), arms, (1,), (), ((0,),), 4.0, 1, 0)
    return load_report(ENVIRONMENT, plan, OBJECTIVE, CAPACITY, SOURCE, cells)
