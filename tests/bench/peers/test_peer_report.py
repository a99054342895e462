"""The report compares on the same prompts and says whose tokens differ; the table shows it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from specchat.bench.peers.contest import ContestPlan, ContestResult
from specchat.bench.peers.peer_report import NamedArm, peers_report
from specchat.bench.peers.pinned import OWN, Peer, PeerArm
from specchat.bench.peers.table import peers_text
from specchat.bench.peers.worker_process import Answer
from specchat.bench.prompts import BenchPrompt
from specchat.bench.report import to_json

PROMPTS = [BenchPrompt(f"p{n}", tuple(range(100))) for n in range(8)]
IDS = (5, 6, 7, 8, 9)


def arm(peer: str, name: str, *, speculative: bool = False, quantised: bool = False) -> NamedArm:
    return NamedArm(Peer(peer, "w.py", ()), PeerArm(name, "directory", speculative, quantised))


OURS = arm(OWN, "plain")
FASTER = arm(OWN, "speculative", speculative=True)
THEIRS = arm("other", "Q4", quantised=True)
BROKEN = arm("broken", "plain")


def answer(tpot_ms: float, first_ms: float = 50.0, ids: tuple[int, ...] = IDS) -> Answer:
    last_ms = first_ms + tpot_ms * (len(ids) - 1)
    return Answer(ids, first_ms, last_ms, last_ms + 1)


def report(theirs: Answer | None = None, prompts: int = 8) -> dict[str, Any]:
    """Ours takes 10 and 5 ms a token, theirs 20 unless it is given."""
    result = ContestResult(failures={BROKEN.name: "no such package"})
    answers = {
        OURS.name: answer(10.0),
        FASTER.name: answer(5.0),
        THEIRS.name: theirs or answer(20.0, 100.0),
    }
    for each, given in answers.items():
        result.checked[each] = {prompt.prompt_id: given for prompt in PROMPTS[:prompts]}
        result.measured[each] = {prompt.prompt_id: [given, given] for prompt in PROMPTS[:prompts]}
    settings = {"prompts": "care.jsonl", "raw": False}
    environment = {"model": "small.gguf", "hardware": "a processor", "threads": 2}
    plan = ContestPlan(max_tokens=5, repeats=2, seed=0)
    arms = [OURS, FASTER, THEIRS, BROKEN]
    return peers_report(environment, settings, plan, PROMPTS[:prompts], arms, result)


def of(told: dict[str, Any], each: NamedArm) -> dict[str, Any]:
    return next(row for row in told["arms"] if row["arm"] == each.name)


def test_times_are_medians_over_prompts() -> None:
    theirs = of(report(), THEIRS)
    assert theirs["tpot_ms"] == 20.0
    assert theirs["ttft_ms"] == 100.0
    assert theirs["prompt_tokens_per_s"] == 1000.0
    assert theirs["total_ms"] == 181.0


def test_ratios_are_theirs_over_ours_on_the_same_prompts() -> None:
    ratios = of(report(), THEIRS)["ratios"]
    assert ratios["plain"]["tpot_ms"] == {"median": 2.0, "ci95": [2.0, 2.0], "prompts": 8}
    assert ratios["speculative"]["tpot_ms"]["median"] == 4.0
    assert ratios["plain"]["ttft_ms"]["median"] == 2.0


def test_few_prompts_give_no_interval() -> None:
    ratio = of(report(prompts=5), THEIRS)["ratios"]["plain"]["tpot_ms"]
    assert ratio["median"] == 2.0
    assert all(map(math.isnan, ratio["ci95"]))


def test_tokens_are_compared_with_our_plain_ones() -> None:
    told = report(answer(20.0, ids=(5, 6, 7, 8, 1)))
    assert (of(told, FASTER)["identical"], of(told, FASTER)["compared"]) == (8, 8)
    assert (of(told, THEIRS)["identical"], of(told, THEIRS)["compared"]) == (0, 8)


def test_an_answer_of_one_token_has_no_time_per_token() -> None:
    theirs = of(report(answer(20.0, ids=(5,))), THEIRS)
    assert math.isnan(theirs["tpot_ms"])
    assert theirs["ratios"]["plain"]["tpot_ms"]["prompts"] == 0
    assert theirs["ratios"]["plain"]["total_ms"]["prompts"] == 8


def test_an_arm_without_an_answer_is_in_the_report_and_not_in_the_table() -> None:
    told = report()
    assert of(told, BROKEN)["compared"] == 0
    assert told["failures"] == [{"arm": "broken, plain", "error": "no such package"}]
    lines = peers_text(told).splitlines()
    assert "broken, plain failed: no such package" in lines
    assert sum(line.startswith("broken") for line in lines) == 1


def test_the_table_has_a_line_for_each_arm() -> None:
    lines = peers_text(report()).splitlines()
    assert lines[0].split("  ")[0] == "arm"
    assert lines[3].split() == [
        "other,", "Q4", "8", "of", "8", "*", "20.00", "100", "1000", "181",
        "2.00", "[2.00,", "2.00]", "4.00", "[4.00,", "4.00]",
    ]  # fmt: skip


def test_the_table_of_a_contest_that_ours_lost_says_what_is_not_known() -> None:
    told = report()
    for row in told["arms"]:
        row["ratios"] = {kind: {"tpot_ms": {"median": math.nan}} for kind in row["ratios"]}
        row["compared"] = 0
    assert peers_text(told).splitlines()[3].split()[-6:] == [
        "20.00",
        "100",
        "1000",
        "181",
        "?",
        "?",
    ]


@pytest.mark.parametrize("prompts", [1, 8])
def test_the_report_is_standard_json(prompts: int) -> None:
    told = json.loads(to_json(report(prompts=prompts)))
    assert told["settings"]["streams"] == 1
    assert told["prompts"][0]["answers"]["other, Q4"]["tokens"] == 5
