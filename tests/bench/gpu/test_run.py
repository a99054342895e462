"""`specchat bench gpu` at its tiny size, on CPU: every section for real, kernels interpreted."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from specchat.bench.gpu import kernel_sections, model_sections
from specchat.bench.gpu.context import GpuBench, OutOfTimeError, Report
from specchat.bench.gpu.run import gpu_text, run_gpu_bench
from specchat.bench.prompts import BenchPrompt
from specchat.bench.race_series import RacePlan
from specchat.commands.bench.gpu import gpu_app
from specchat.engine.cuda import kernels
from specchat.engine.model.runner import ModelRunner
from specchat.engine.model.step_output import StepOutput

ROOT = Path(__file__).resolve().parents[3]
TINY = ["--tiny", "--device", "cpu"]


def test_every_section_runs_and_the_report_says_where(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    result = CliRunner().invoke(gpu_app, [*TINY, "--out", str(out), "--commit", "abc1234"])
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    sections = report["sections"]
    assert list(sections) == [
        "copy speed", "kernels against float64", "kernel speed", "bundled family",
        "stand-in with the shape of a tiny test model",
    ]  # fmt: skip
    assert all(section["ok"] for section in sections.values())
    assert report["environment"]["commit"] == "abc1234"
    assert report["environment"]["torch"] == torch.__version__
    assert sections["kernels against float64"]["result"]["sampled_alike"] == 1.0
    standin = sections["stand-in with the shape of a tiny test model"]["result"]
    assert standin["stand_in"] is True
    for part in (standin, sections["bundled family"]["result"]):
        assert [race["concurrency"] for race in part["races"]] == [1, 2]
        assert all(race["identical"] == race["pairs"] for race in part["races"])
        assert part["summary"]["plain_tpot_ms"] > 0
        assert part["memory_bytes"]["weights"] > 0
    assert report["targets"] == []  # a tiny run on a CPU proves nothing
    assert "They are not those models" in result.stdout


def test_a_failing_section_is_recorded_and_the_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(bench: GpuBench, report: Report) -> None:
        raise RuntimeError("the GPU is on fire")

    monkeypatch.setattr(kernel_sections, "kernel_speed", fail)
    report = run_gpu_bench(device="cpu", minutes=5, tiny=True, out=None, only=("copy", "kernel s"))
    assert report["sections"]["kernel speed"]["error"] == "RuntimeError: the GPU is on fire"
    assert report["sections"]["copy speed"]["ok"]
    assert not report["ok"]
    assert "FAILED: RuntimeError: the GPU is on fire" in gpu_text(report)


def test_what_there_is_no_time_for_is_said() -> None:
    report = run_gpu_bench(device="cpu", minutes=0, tiny=True, out=None, only=("kernel s", "stand"))
    sections = report["sections"]
    assert sections.pop("copy speed")["ok"]  # others are held against it
    assert len(sections) == 2
    for section in sections.values():
        assert section["error"].startswith("out of time")


def test_what_was_measured_before_a_failure_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, race = tmp_path / "gpu.json", model_sections.run_race

    def fail_at_two(engine: Any, prompts: Any, plan: RacePlan) -> Any:
        if plan.concurrency > 1:
            raise RuntimeError("the GPU is on fire")
        return race(engine, prompts, plan)

    monkeypatch.setattr(model_sections, "run_race", fail_at_two)
    run_gpu_bench(device="cpu", minutes=5, tiny=True, out=out, only=("bundled",))
    section = json.loads(out.read_text())["sections"]["bundled family"]
    assert section["error"] == "RuntimeError: the GPU is on fire"
    assert [race["concurrency"] for race in section["result"]["races"]] == [1]
    assert section["result"]["steps"]
    assert section["result"]["summary"]["plain_tpot_ms"] > 0


@pytest.mark.parametrize("wrong", [math.nan, 3.0])
def test_wrong_kernels_fail_the_command(monkeypatch: pytest.MonkeyPatch, wrong: float) -> None:
    attend = kernels.attend

    def attend_badly(*args: Any, **options: Any) -> torch.Tensor:
        return attend(*args, **options) + wrong

    monkeypatch.setattr(kernels, "attend", attend_badly)
    report = run_gpu_bench(device="cpu", minutes=5, tiny=True, out=None, only=("kernels",))
    assert "from float64" in report["sections"]["kernels against float64"]["error"]
    assert not report["ok"]


def test_steps_that_differ_from_gathered_pages_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = ModelRunner.forward

    def forward_badly(runner: ModelRunner, parts: Any) -> StepOutput:
        out = forward(runner, parts)
        return out._replace(logits=out.logits.flip(-1))

    monkeypatch.setattr(ModelRunner, "forward", forward_badly)
    report = run_gpu_bench(device="cpu", minutes=5, tiny=True, out=None, only=("bundled",))
    section = report["sections"]["bundled family"]
    assert "from gathered pages" in section["error"]
    assert section["result"]["steps"]


def test_figures_of_a_gpu_are_held_against_what_they_should_be() -> None:
    bench = GpuBench(torch.device("cuda"), torch.bfloat16, False, 0.0, print)
    bench.target("speed", 2.0, "at least 2.5", met=False)
    assert bench.targets == [
        {"name": "speed", "value": 2.0, "wanted": "at least 2.5", "met": False}
    ]
    with pytest.raises(OutOfTimeError, match="needed"):
        bench.need(1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--device", "cpu"], "only --tiny is of use"),
        (["--device", "mps"], "got 'mps'"),
        ([*TINY, "--out", "/nowhere/x.json"], "/nowhere/x.json"),
    ],
)
def test_a_mistake_is_explained(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(gpu_app, arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_no_gpu_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = CliRunner().invoke(gpu_app, [])
    assert result.exit_code == 2
    assert "must be a usable CUDA GPU" in result.stderr


def test_the_questions_are_distinct_and_encoded(tiny_model_dir: Path) -> None:
    from transformers import AutoTokenizer

    from specchat.bench.gpu.models import Measured

    nothing: Any = None
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    prompts = Measured("x", nothing, nothing, tokenizer, nothing, 0).prompts(128)
    assert all(isinstance(prompt, BenchPrompt) and prompt.ids for prompt in prompts)
    assert len({prompt.ids for prompt in prompts}) == 128


BLOCKED = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    names = {"gradio", "plotly", "sqlalchemy", "alembic", "pydantic", "pydantic_settings",
             "platformdirs", "phonenumbers", "starlette"}
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import specchat.bench.gpu.run, specchat.commands.bench.gpu, specchat.bench.gpu.__main__
"""


def test_it_needs_only_what_the_engine_needs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], cwd=ROOT, env=dict(os.environ), capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
