"""The report of a load test, from cells made up so that its numbers are known."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from specchat.bench.load.plan import NULL, PAGED, PLAIN, SEQUENTIAL, SPECULATIVE, contiguous_arm
from specchat.bench.load.text import load_text
from specchat.bench.report import Report, to_json
from tests.bench.load.made_up_load import cell, record, report

FAST = [record(i) for i in range(30)]
SLOW = [record(i, ttft_ms=5_000.0) for i in range(30, 40)]


def point_of(made: Report, arm: str, users: int) -> Report:
    (point,) = [p for p in made["points"] if (p["arm"], p["users"]) == (arm, users)]
    return point


def test_a_point_gathers_the_repeats_of_an_arm_at_a_load() -> None:
    cells = [cell(PLAIN, 4, tokens, repeat=i) for i, tokens in enumerate((1_000, 1_200, 800))]
    (point,) = report(cells)["points"]
    assert point["tokens_per_s"] == 250.0  # the median of 1000, 1200 and 800 in 4 s
    assert point["tokens_per_s_each"] == [250.0, 300.0, 200.0]
    assert (point["requests"], point["completed"], point["ttft_ms"]["n"]) == (60, 60, 60)
    assert (point["ttft_ms"]["p50"], point["tpot_ms"]["p95"]) == (40.0, 5.0)
    assert point["miscounted"] == 0
    assert point["cpu_ms_per_token"] == 2.0  # 2 s for 1000 tokens


def test_goodput_counts_answers_within_the_objective() -> None:
    (point,) = report([cell(PLAIN, 4, records=tuple(FAST + SLOW))])["points"]
    assert point["requests_per_s"] == 10.0
    assert point["goodput_per_s"] == 7.5


def test_refused_and_unfinished_requests_are_counted_and_have_no_latency() -> None:
    refused, unfinished = record(98, outcome="refused"), record(99, outcome="unfinished")
    (point,) = report([cell(PLAIN, rate=2.0, records=(*FAST, refused, unfinished))])["points"]
    assert (point["refused"], point["unfinished"], point["completed"]) == (1, 1, 30)
    assert (point["rate"], point["users"], point["ttft_ms"]["n"]) == (2.0, None, 30)


def test_a_wrong_token_count_is_reported() -> None:
    wrong = replace(record(0), tokens=10)
    (point,) = report([cell(PLAIN, 4, records=(wrong, *FAST[1:]))])["points"]
    assert point["miscounted"] == 1


def test_speculation_is_compared_with_the_plain_arm_next_to_it_and_so_is_the_null() -> None:
    cells = [
        made
        for i in range(3)
        for made in (
            cell(PLAIN, 4, 1_000 + 100 * i, repeat=i),
            cell(SPECULATIVE, 4, 2_000 + 200 * i, repeat=i),
            cell(NULL, 4, 1_000 + 100 * i, repeat=i),
        )
    ]
    by_arm = {each["arm"]: each for each in report(cells)["comparisons"]}
    assert (by_arm["speculative"]["over"], by_arm["speculative"]["users"]) == ("plain", 4)
    assert by_arm["speculative"]["median"] == 2.0
    assert by_arm["speculative"]["cpu_per_token"] == 0.5  # 2 s of CPU for twice the tokens
    assert by_arm["plain again"]["median"] == 1.0
    assert by_arm["plain again"]["pairs"] == 3


def test_the_worst_ratio_over_plain_is_found() -> None:
    cells = [
        made
        for users, faster in ((1, 2_000), (4, 1_100), (8, 970))
        for made in (cell(PLAIN, users, 1_000), cell(SPECULATIVE, users, faster))
    ]
    made_report = report(cells)
    worst = made_report["summary"]["worst_ratio"]
    assert worst == {"speculative": {"ratio": 0.97, "users": 8}}
    assert "speculative at its worst: 0.970 of plain's tokens/s, at 8 users" in load_text(
        made_report
    )


def test_users_sustained_and_what_bounds_an_arm() -> None:
    late = tuple(SLOW + [record(i, ttft_ms=5_000.0) for i in range(20)])
    cells = [
        cell(SEQUENTIAL, 1, 1_000), cell(SEQUENTIAL, 4, 1_000, late),
        cell(contiguous_arm(4_096, 2_048), 1, 1_000), cell(contiguous_arm(4_096, 2_048), 4, 1_010),
        cell(PAGED, 1, 1_000), cell(PAGED, 4, 1_010, pages_peak=341),
        cell(PLAIN, 1, 1_000), cell(PLAIN, 4, 1_010),
        cell(SPECULATIVE, 1, 1_000), cell(SPECULATIVE, 4, 3_000),
    ]  # fmt: skip
    whole = report(cells)
    arms = whole["summary"]["arms"]
    assert "paged: 4 users within the objective (the most that was tried), 4 times" in load_text(
        whole
    )
    assert {name: arm["users_sustained"] for name, arm in arms.items()} == {
        "sequential": 1, "contiguous": 4, "paged": 4, "plain": 4, "speculative": 4,
    }  # fmt: skip
    assert arms["sequential"]["fails_at"] == 4
    assert arms["sequential"]["users_sustained_normalized"] == 1  # 5 s of waiting for 11 tokens
    assert arms["plain"]["ran_together"] == 4
    assert {name: arm["bound_by"] for name, arm in arms.items()} == {
        "sequential": "one at a time", "contiguous": "reservations", "paged": "pages",
        "plain": "compute", "speculative": None,
    }  # fmt: skip


def test_too_few_answers_are_said_to_be_too_few() -> None:
    made = report([cell(PLAIN, 1, records=tuple(FAST[:19]))])
    assert made["summary"]["arms"]["plain"]["unknown_at"] == 1
    assert "too few answers at 1 for a p95" in load_text(made)


def test_the_report_is_standard_json_and_small() -> None:
    arms = (SEQUENTIAL, contiguous_arm(4_096, 2_048), PAGED, PLAIN, SPECULATIVE)
    levels = [(users, repeat) for users in (1, 2, 4, 8, 16, 32) for repeat in (0, 1, 2)]
    cells = [cell(arm, users, repeat=repeat) for arm in arms for users, repeat in levels]
    text = to_json(report(cells))
    assert json.loads(text)["kind"] == "load"
    assert len(text) < 40_000


@pytest.mark.parametrize("words", ["250", "1 user within the objective", "care, float32, native"])
def test_a_person_reads_the_points_the_users_and_the_machine(words: str) -> None:
    assert words in load_text(report([cell(PLAIN, 1), cell(SPECULATIVE, 1)]))
