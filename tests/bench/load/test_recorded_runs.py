"""Stored load tests: those of the user and those recorded with the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from specchat.bench.load import recorded_runs
from specchat.bench.load.plan import PLAIN
from tests.bench.load.made_up_load import cell, report


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, Path]:
    """The folders of the user's runs and of the recorded ones."""
    own, recorded = tmp_path / "data" / "benchmarks", tmp_path / "recorded"
    recorded.mkdir()
    monkeypatch.setattr(recorded_runs, "own_runs_directory", lambda: own)
    monkeypatch.setattr(recorded_runs, "RECORDED", recorded)
    return own, recorded


def test_a_run_that_is_kept_is_found_before_the_recorded_ones(places: tuple[Path, Path]) -> None:
    file = recorded_runs.keep_run(report([cell(PLAIN, 1)]))
    (places[1] / "load-users.json").write_bytes(file.read_bytes())
    found = recorded_runs.load_runs()
    assert [(run.name, run.own) for run in found] == [
        ("load-20260102030405", True), ("load-users", False),
    ]  # fmt: skip
    assert found[0].report["points"][0]["users"] == 1


def test_without_any_run_there_is_none(places: tuple[Path, Path]) -> None:
    assert recorded_runs.load_runs() == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "load"}', '{"kind": "race"}'])
def test_a_damaged_file_is_left_out(places: tuple[Path, Path], text: str) -> None:
    (places[1] / "load-bad.json").write_text(text)
    assert recorded_runs.load_runs() == []
