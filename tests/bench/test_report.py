"""Reports: the names are a contract, the numbers medians and intervals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from specchat.bench.audit import run_audit
from specchat.bench.environment import describe_environment
from specchat.bench.prompts import BenchPrompt
from specchat.bench.race_series import RacePlan, run_race
from specchat.bench.report import (
    Report,
    ReportError,
    audit_report,
    audit_text,
    check_writable,
    race_report,
    race_text,
    to_json,
    write_report,
)
from specchat.engine.request import SamplingParams
from tests.bench.double import FakeEngine

PROMPTS = [BenchPrompt(f"p{i}", (i, i + 1)) for i in range(8)]


def _race(max_tokens: int = 10, prompts: list[BenchPrompt] = PROMPTS, **engine: int) -> Report:
    fake = FakeEngine(**engine)  # type: ignore[arg-type]
    plan = RacePlan(SamplingParams(max_tokens=max_tokens))
    pairs = run_race(fake, prompts, plan)
    return race_report(describe_environment(fake), plan, pairs, "p.jsonl")


def test_the_race_report_has_the_names_other_tools_read() -> None:
    report = json.loads(to_json(_race()))
    assert set(report) == {"environment", "settings", "pairs", "summary"}
    assert {"hardware", "threads", "torch", "transformers", "commit", "backend"} <= set(
        report["environment"]
    )
    pair = report["pairs"][0]
    assert set(pair) == {"id", "tokens", "identical", "plain", "speculative"}
    times = {"ttft_ms", "tpot_ms", "e2e_ms"}
    assert set(pair["plain"]) == times
    assert set(pair["speculative"]) == times | {
        "steps",
        "drafted",
        "accepted",
        "accepted_by_depth",
    }
    assert set(report["summary"]) == {
        "pairs",
        "identical",
        "speedup_tpot",
        "speedup_e2e",
        "mean_acceptance_length",
        "draft_acceptance_rate",
        "plain_tpot_ms",
        "speculative_tpot_ms",
    }


def test_the_summary_counts_and_compares() -> None:
    summary = _race()["summary"]
    assert (summary["pairs"], summary["identical"]) == (8, 8)
    assert summary["plain_tpot_ms"] == pytest.approx(4.0)
    assert summary["speculative_tpot_ms"] == pytest.approx(5 / 3, abs=1e-3)
    assert summary["speedup_tpot"]["median"] == pytest.approx(2.4, abs=1e-3)
    assert summary["speedup_tpot"]["ci95"] == pytest.approx([2.4, 2.4], abs=1e-3)
    assert summary["mean_acceptance_length"] == pytest.approx(3.0)
    assert summary["draft_acceptance_rate"] == pytest.approx(1.0)


def test_a_different_answer_is_counted() -> None:
    report = _race(wrong_at=3)
    assert report["summary"]["identical"] == 0
    assert not report["pairs"][0]["identical"]


def test_a_number_that_does_not_exist_is_null() -> None:
    report = json.loads(to_json(_race(max_tokens=1)))
    assert report["pairs"][0]["plain"]["tpot_ms"] is None
    assert report["summary"]["speedup_tpot"] == {"median": None, "ci95": [None, None]}
    assert report["summary"]["speedup_e2e"]["median"] == pytest.approx(1.0)


def test_the_text_of_a_race_names_speedup_and_hardware() -> None:
    text = race_text(_race())
    assert "8 prompts, 8 with identical tokens" in text
    assert "TPOT speedup 2.40x" in text
    assert "no machine, 2 threads" in text
    assert "too few prompts" in race_text(_race(prompts=PROMPTS[:2]))


def test_the_audit_report_lists_divergences() -> None:
    params = SamplingParams(max_tokens=8)
    engine = FakeEngine(wrong_at=5)
    result = run_audit(engine, PROMPTS[:2], params)
    report = audit_report(describe_environment(engine), params, result, "p.jsonl")
    assert report["summary"] == {
        "prompts": 2,
        "tokens": 12,
        "identical": 0,
        "ties": 0,
        "lossless": False,
    }
    assert report["divergences"][0]["position"] == 5
    assert "LOSS: p0 at token 5" in audit_text(report)
    json.loads(to_json(report))


def test_a_report_is_written_whole(tmp_path: Path) -> None:
    out = tmp_path / "race.json"
    check_writable(out)
    write_report(out, _race())
    assert json.loads(out.read_text())["summary"]["pairs"] == 8
    assert list(tmp_path.iterdir()) == [out]


def test_a_place_that_cannot_be_written_is_found_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="is a directory"):
        check_writable(tmp_path)
    with pytest.raises(ReportError, match="there is no directory"):
        check_writable(tmp_path / "none" / "race.json")
    with pytest.raises(ReportError, match="cannot write"):
        write_report(tmp_path / "none" / "race.json", {})


def test_json_of_any_text_is_read_back_as_it_was() -> None:
    report = {
        "a": ["[\n1,\n  2]", "{\n}"],
        "b": {"c": [1, 2], "d": {}, "e\n": [[1.5], []]},
        "é": ["long"] * 99,
    }
    assert json.loads(to_json(report)) == report
    assert '"c": [1, 2]' in to_json(report)
