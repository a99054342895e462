"""A recorded GPU run on the dashboard; nothing where none is recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

from specchat.ui.dashboard.gpu_section import build_gpu_section, gpu_html, recorded_run


def report(started: str = "2026-11-21T10:00:00+00:00", device: str = "cuda") -> dict[str, Any]:
    summary = {
        "plain_tpot_ms": 4.321,
        "plain_tpot_over_weights": 1.2,
        "eight_rows_over_one": None,
        "speedup_by_concurrency": {"1": 2.75, "32": 1.4},
    }
    result = {"label": "stand-in with the shape of <b>X</b>", "summary": summary}
    return {
        "kind": "gpu",
        "environment": {
            "hardware": "A card", "device": device, "dtype": "bfloat16", "torch": "2.11",
            "triton": "3.6", "transformers": "5.17", "commit": "abc1234", "started_at": started,
        },
        "note": "They are not those models.",
        "sections": {
            "copy speed": {"ok": True, "result": {"gb_s": 4300}},
            "X": {"ok": True, "result": result},
            "Y": {"ok": False, "error": "out of time"},
        },
    }  # fmt: skip


def test_a_run_is_shown_with_its_card_date_commit_and_versions() -> None:
    html = gpu_html(report())
    for said in ("A card", "2026-11-21", "abc1234", "torch 2.11", "triton 3.6", "4.32",
                 "1: 2.75, 32: 1.40", "not measured", "not those models"):  # fmt: skip
        assert said in html
    assert "<b>X</b>" not in html


def test_the_newest_real_run_is_taken_and_damaged_files_are_not(tmp_path: Path) -> None:
    assert recorded_run(tmp_path) is None
    runs = {
        "gpu-1": json.dumps(report("2026-11-20T10:00:00+00:00")),
        "gpu-2": json.dumps(report("2026-11-22T10:00:00+00:00", device="cpu")),
        "gpu-3": "{",
        "gpu-4": "[]",
        "gpu-5": json.dumps({"kind": "gpu"}),
    }
    for name, text in runs.items():
        (tmp_path / f"{name}.json").write_text(text)
    found = recorded_run(tmp_path)
    assert found is not None
    assert found["environment"]["started_at"] == "2026-11-20T10:00:00+00:00"


def test_there_is_a_section_only_where_a_run_is_recorded(tmp_path: Path) -> None:
    with gr.Blocks():
        assert build_gpu_section(tmp_path) is None
        (tmp_path / "gpu-1.json").write_text(json.dumps(report()))
        assert build_gpu_section(tmp_path) is not None
