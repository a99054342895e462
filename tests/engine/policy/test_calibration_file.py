"""What drafts were worth, from one run to the next."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.policy.calibration import Calibration
from specchat.engine.policy.calibration_file import restore_calibration, save_calibration
from tests.engine.running import Engines, Oracle, ask, prompts

SURE = 0.99


def learned() -> Calibration:
    calibration = Calibration()
    for n in range(200):
        calibration.observe(DraftTree.chain([1], "x", [SURE]), [1] if n % 4 == 0 else [2], True)
    return calibration


def test_what_was_learned_is_there_again(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "calibration.json"
    save_calibration(file, learned())
    again = Calibration()
    assert restore_calibration(file, again)
    said = (("x", SURE),)
    assert again.chance(said, True) == learned().chance(said, True) < 0.4
    assert again.chance(said, False) == Calibration().chance(said, False)


def test_nothing_learned_leaves_no_file(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    save_calibration(file, Calibration())
    assert not file.exists()
    assert not restore_calibration(file, Calibration())


def changed(**changes: Any) -> Any:
    def change(stored: dict[str, Any]) -> str:
        stored["learned"][0].update(changes)
        return json.dumps(stored)

    return change


@pytest.mark.parametrize(
    "damage",
    [
        lambda stored: "",
        lambda stored: json.dumps(stored)[:40],
        lambda stored: json.dumps([1, 2]),
        lambda stored: json.dumps({**stored, "format": "specchat calibration 1"}),
        changed(weights=[1.0]),
        changed(weights=["a", 1.0]),
        changed(weights=[0.0, 1e9]),
        changed(squares=[0.0, 1.0]),
        changed(squares=[float("nan")] * 2),
        changed(stand=[]),
        changed(stand=[["x"]]),
        changed(stand=[["x", 0]]),
        changed(stand=[[3, True]]),
        changed(greedy="yes"),
    ],
)
def test_a_damaged_or_foreign_file_is_left_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Any
) -> None:
    file = tmp_path / "calibration.json"
    save_calibration(file, learned())
    file.write_text(damage(json.loads(file.read_text())))
    fresh = Calibration()
    with caplog.at_level(logging.WARNING):
        assert not restore_calibration(file, fresh)
    assert fresh.learned() == []
    assert "is not used" in caplog.text


def test_an_engine_keeps_it_when_it_closes_and_reads_it_when_it_starts(
    engines: Engines, tmp_path: Path
) -> None:
    prompt, file = prompts(1)[0], tmp_path / "calibration.json"
    answer = ask(engines(), prompt, max_tokens=24, ignore_eos=True).tokens
    first = engines(Oracle({prompt: answer}), calibration_file=file)
    ask(first, prompt, max_tokens=24, ignore_eos=True, adaptive=False)
    first.close()
    second = engines(Oracle({prompt: answer}), calibration_file=file)
    (kept,) = second._drafting.policy.calibration.learned()
    assert kept.stand == (("oracle", 1),)
    assert kept.weights > (0.0, 1.0)
