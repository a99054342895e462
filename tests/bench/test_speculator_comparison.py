"""The comparison of speculators: which arms there are, how they run, and what is reported."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from specchat.bench import speculator_comparison as bench
from specchat.bench.environment import describe_environment
from specchat.bench.prompts import BenchPrompt
from specchat.bench.report import to_json
from specchat.commands.main import app
from specchat.engine.request import SamplingParams
from tests.bench.double import FakeEngine

PROMPTS = [BenchPrompt(f"p{i}", (i + 1, 3)) for i in range(7)]
PARAMS = SamplingParams(max_tokens=10)


def report(repeats: int = 2) -> tuple[FakeEngine, dict[str, Any]]:
    engine = FakeEngine()
    arms = bench.drafting_arms(("mlp", "suffix"))
    runs = bench.run_arms(engine, PROMPTS, arms, PARAMS, repeats)  # type: ignore[arg-type]
    environment = describe_environment(engine)  # type: ignore[arg-type]
    made = bench.speculators_report(environment, arms, PARAMS, repeats, "file", runs)
    return engine, json.loads(to_json(made))


def test_every_speculator_runs_alone_then_all_merged_then_the_policy() -> None:
    arms = bench.drafting_arms(("mlp", "suffix"))
    assert [(arm.name, arm.speculators, arm.adaptive) for arm in arms] == [
        ("plain", (), True),
        ("mlp", ("mlp",), True),
        ("suffix", ("suffix",), True),
        ("merged", ("mlp", "suffix"), False),
        ("policy", ("mlp", "suffix"), True),
    ]
    assert [arm.name for arm in bench.drafting_arms(("mlp",))] == ["plain", "mlp", "policy"]


def test_sizes_of_the_history_are_compared_alone_and_with_what_is_there_without_it() -> None:
    arms = bench.history_arms(("mlp", "suffix", "suffix@0", "suffix@300"), (0, 300))
    assert [(arm.speculators, arm.history) for arm in arms] == [
        ((), None),
        (("mlp", "suffix@0"), 0),
        (("suffix@300",), 300),
        (("mlp", "suffix@300"), 300),
    ]


def test_all_arms_run_the_same_work_in_mixed_order() -> None:
    engine, made = report()
    sent = [request.params.speculators for request in engine.requests]
    assert sent.count(()) == 4 + 2 * 7  # warm-up and repeats
    assert len(set(map(tuple, zip(*[iter(sent)] * 5, strict=True)))) > 3  # orders of five arms
    assert len({request.salt for request in engine.requests}) == len(sent)
    assert all(arm["identical"] == 7 for arm in made["arms"])


def test_the_report_says_what_drafts_brought() -> None:
    _, made = report()
    arms = {arm["name"]: arm for arm in made["arms"]}
    assert arms["plain"]["mean_acceptance_length"] == 1.0
    assert arms["policy"]["mean_acceptance_length"] == 3.0
    assert arms["policy"]["speedup"]["median"] == pytest.approx(4 * 9 / 15, rel=1e-3)
    assert arms["policy"]["nodes_per_step"] == 2.0
    assert (made["kind"], made["settings"]["count"]) == ("speculators", 7)
    assert len(to_json(made)) < 20_000


def test_the_text_has_a_line_for_every_arm() -> None:
    _, made = report()
    lines = bench.speculators_text(made).splitlines()
    starts = Counter(line.split(" ")[0] for line in lines)
    assert all(starts[name] == 1 for name in ("plain", "mlp", "suffix", "merged", "policy"))


def test_sizes_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    prompts = tmp_path / "p.jsonl"
    prompts.write_text('{"id": "a", "messages": [{"role": "user", "content": "hi"}]}')
    result = CliRunner().invoke(
        app, ["bench", "speculators", str(prompts), "--history-sizes", "0,many"]
    )
    assert result.exit_code == 2
    assert "--history-sizes must be numbers such as 0,300,1000, got '0,many'" in result.output
