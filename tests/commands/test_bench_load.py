"""`specchat bench load` on a real engine with a tiny random model and a real sender."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner, Result

from specchat.bench.load import recorded_runs
from specchat.commands import main

ROOT = Path(__file__).resolve().parents[2]
HEARS_CTRL_C = """  # as in a terminal; what a shell runs in its background ignores it
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("specchat", run_name="__main__", alter_sys=True)
"""
QUESTIONS = ("Where is my refund?", "cancel cancel cancel my order my order", "order order order")


@pytest.fixture(autouse=True)
def _small_and_eager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPECCHAT_COMPILE", "false")
    monkeypatch.setenv("SPECCHAT_SPECULATORS", "ngram")
    monkeypatch.setenv("SPECCHAT_KV_MEMORY", "8MiB")
    monkeypatch.setattr("specchat.bench.load.plan.WARM_UP_S", 0.1)
    monkeypatch.setattr(recorded_runs, "own_runs_directory", lambda: tmp_path / "kept")


@pytest.fixture
def prompts_file(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.jsonl"
    rows = (
        {"id": f"q{i}", "messages": [{"role": "user", "content": text}]}
        for i, text in enumerate(QUESTIONS)
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def load(*arguments: object) -> Result:
    return CliRunner().invoke(main.app, ["bench", "load", *map(str, arguments)])


def test_plain_speculative_and_null_under_both_kinds_of_load(
    tiny_model_dir: Path, prompts_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "load.json"
    loads = ("--concurrency", "2", "--rates", "4", "--null", "--seconds", 0.4, "--repeats", 1)
    options = ("--max-tokens", 8, "--model", tiny_model_dir, "--out", out, "--json")
    result = load(prompts_file, *loads, *options)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report == json.loads(out.read_text())
    assert [run.report for run in recorded_runs.load_runs() if run.own] == [report]
    points = {(p["arm"], p["users"], p["rate"]): p for p in report["points"]}
    arms, traffics = ("plain", "speculative", "plain again"), ((2, None), (None, 4.0))
    assert set(points) == {(arm, *traffic) for arm in arms for traffic in traffics}
    assert all(point["miscounted"] == 0 for point in points.values())
    assert {c["arm"] for c in report["comparisons"]} == {"speculative", "plain again"}
    kv = report["settings"]["kv"]
    assert kv["bytes"] == 8 * 2**20
    assert kv["tokens"] == kv["pages"] * kv["page_size"]
    assert report["environment"]["hardware"]


def test_an_ablation_on_conversations_from_the_faq(tiny_model_dir: Path) -> None:
    loads = ("--ablation", "--concurrency", 2, "--seconds", 0.3, "--repeats", 1, "--limit", 30)
    options = ("--max-tokens", 4, "--model", tiny_model_dir, "--reserve-tokens", 2_000)
    result = load(*loads, *options)
    assert result.exit_code == 0, result.output
    for arm in ("sequential", "contiguous", "paged", "plain", "speculative"):
        assert f"\n{arm}" in result.stdout
    (run,) = [run for run in recorded_runs.load_runs() if run.own]
    assert run.report["settings"]["prompts"] == "conversations from the FAQ"
    slots = {arm["name"]: arm["slots"] for arm in run.report["settings"]["arms"]}
    tokens = run.report["settings"]["kv"]["tokens"]
    assert (slots["sequential"], slots["contiguous"]) == (1, tokens // 2_000)
    assert slots["paged"] is slots["plain"] is slots["speculative"] is None


def test_prompts_that_do_not_fit_are_left_out_and_a_packed_file_is_read(
    tiny_model_dir: Path, prompts_file: Path, tmp_path: Path
) -> None:
    long = {"id": "long", "messages": [{"role": "user", "content": "order " * 3_000}]}
    packed = tmp_path / "prompts.jsonl.gz"
    packed.write_bytes(gzip.compress(prompts_file.read_bytes() + json.dumps(long).encode()))
    loads = ("--concurrency", 1, "--seconds", 0.2, "--repeats", 1)
    result = load(packed, *loads, "--max-tokens", 4, "--model", tiny_model_dir, "--json")
    assert result.exit_code == 0, result.output
    settings = json.loads(result.stdout)["settings"]
    assert (settings["prompts_used"], settings["prompts_left_out"]) == (3, 1)
    assert "1 of 4 prompts are left out" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jsonl"], "cannot read none.jsonl"),
        (["--concurrency", "0,2"], "--concurrency must be positive numbers such as 1,2,4, got"),
        (["--concurrency", "two"], "--concurrency must be positive numbers such as 1,2,4, got"),
        (["--rates", "nan"], "--rates must be positive numbers such as 1,2,4, got 'nan'"),
        (["--kv-memory", "much"], "--kv-memory must be an amount of memory"),
        (["--concurrency", "999"], "--concurrency must be at most 320 (running and waiting)"),
        (["--reserve-tokens", "9999"], "--reserve-tokens must be at most the context of 2048"),
        (["--kv-memory", "200KiB", "--reserve-tokens", "999"], "at most the context of 400"),
        (["--max-tokens", "2047"], "no prompt fits into 1 tokens beside an answer of 2047"),
        (["--speculators", "none"], "no speculator is loaded; choose one with --speculators"),
        (["--out", "no/such/load.json"], "there is no directory no/such"),
    ],
)
def test_a_mistake_is_explained_and_exits_2(
    tiny_model_dir: Path, arguments: list[str], message: str
) -> None:
    result = load(*arguments, "--limit", 3, "--model", tiny_model_dir)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_ctrl_c_ends_both_processes(tiny_model_dir: Path, tmp_path: Path) -> None:
    arguments = ("--concurrency", "2", "--seconds", "600", "--max-tokens", "8")
    command = [sys.executable, "-c", HEARS_CTRL_C, "bench", "load", *arguments]
    process = subprocess.Popen(
        [*command, "--model", str(tiny_model_dir)],
        cwd=ROOT,
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        assert process.stderr is not None
        said = ""
        while "2 users" not in said:  # the bar says what it measures
            piece = process.stderr.read(1)
            assert piece, said
            said += piece
        children = psutil.Process(process.pid).children(recursive=True)
        assert any("spawn_main" in " ".join(child.cmdline()) for child in children)
        os.killpg(process.pid, signal.SIGINT)  # what a terminal does: everyone gets it
        _, rest = process.communicate(timeout=600)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in said + rest
    _, alive = psutil.wait_procs(children, timeout=240)
    assert not alive
    assert not (tmp_path / "specchat").exists()  # nothing was kept
