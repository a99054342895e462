"""What the dashboard says of speculators: what is stored, what was recorded, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from specchat.ui.dashboard.speculators_section import (
    NOTHING,
    growth_figure,
    recorded_html,
    recorded_runs,
    stored_html,
)
from storage import Store, TurnRecord, open_store
from tests.ui.made_up import metrics


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'section.db'}") as opened:
        yield opened


def keep(store: Store, mode: str, **changes: Any) -> None:
    store.record_turn(
        TurnRecord(
            conversation_id=None, question="", answer="", status="completed",
            metrics=metrics(mode, **changes),  # type: ignore[arg-type]
        )
    )  # fmt: skip
    store.flush()


def test_without_drafts_there_is_nothing_to_say(store: Store) -> None:
    keep(store, "plain")
    assert stored_html(store) == NOTHING


def test_each_speculator_is_told_with_its_earnings_and_its_price(store: Store) -> None:
    keep(store, "plain", tpot_ms=4.0)
    keep(
        store, "speculative", steps=40, plain_steps=10,
        drafted_by_source={"mlp": 50, "<b>": 5}, accepted_by_source={"mlp": 25, "<b>": 0},
        asked_by_speculator={"mlp": 30, "<b>": 30},
        draft_ms_by_speculator={"mlp": 15.0, "<b>": 3.0},
    )  # fmt: skip
    html = stored_html(store)
    assert "25 % ran plain" in html
    assert "4.00 ms" in html
    row = html[html.index("<td>mlp</td>") :].partition("</tr>")[0]
    figures = ('<data value="0.5">0.5</data>', '<data value="0.6">0.6</data>', "yes")
    assert "".join(f"<td>{figure}</td>" for figure in figures) in row
    assert "<b>" not in html
    assert "none accepted" in html
    assert "no: slower than plain" in html


def test_without_a_plain_answer_no_worth_is_claimed(store: Store) -> None:
    keep(
        store, "speculative", drafted_by_source={"mlp": 5}, accepted_by_source={"mlp": 5},
        asked_by_speculator={"mlp": 5}, draft_ms_by_speculator={"mlp": 1.0},
    )  # fmt: skip
    assert "<td>not known</td>" in stored_html(store)


def arm(name: str, tau: float, history: int | None = None, *, drafts: bool = True) -> Any:
    return {
        "name": name, "history": history, "drafts": drafts, "mean_acceptance_length": tau,
        "nodes_per_step": 5.0, "draft_ms_per_step": 0.2, "verify_ms_per_step": 2.0,
        "tpot_ms": 1.5, "speedup": {"median": 2.0, "ci95": [1.9, 2.1]},
    }  # fmt: skip


def report(*arms: Any) -> dict[str, Any]:
    return {
        "kind": "speculators",
        "environment": {
            "hardware": "a machine & more", "model": "care", "dtype": "float32",
            "backend": "native", "started_at": "2026-01-02T03:04:05", "commit": "abcdef0123456",
        },
        "settings": {"count": 12, "repeats": 1, "temperature": 0.0},
        "arms": list(arms),
    }  # fmt: skip


def test_a_recorded_run_names_machine_date_and_commit() -> None:
    html = recorded_html(report(arm("plain", 1.0, drafts=False), arm("mlp", 3.5)))
    for part in ("a machine &amp; more", "2026-01-02", "abcdef012", "2.00x (1.90 to 2.10)", "12 "):
        assert part in html


def test_growth_is_drawn_where_sizes_were_compared() -> None:
    made = report(
        arm("plain", 1.0, drafts=False), arm("suffix@0 with the others", 3.0, 0),
        arm("suffix@300 alone", 2.0, 300), arm("suffix@300 with the others", 4.0, 300),
    )  # fmt: skip
    figure = growth_figure(made)
    assert figure is not None
    drawn = {trace.name: (list(trace.x), list(trace.y)) for trace in figure.data}
    assert drawn == {
        "the store alone": (["300"], [2.0]),
        "the store with the others": (["0", "300"], [3.0, 4.0]),
    }
    assert growth_figure(report(arm("mlp", 3.5))) is None


def test_files_that_are_no_report_are_left_out(tmp_path: Path) -> None:
    good = report(arm("mlp", 3.5))
    (tmp_path / "speculators.json").write_text(json.dumps(good))
    (tmp_path / "speculators-history.json").write_text(json.dumps({"kind": "load"}))
    (tmp_path / "speculators-x.json").write_text("{")
    assert recorded_runs(tmp_path) == [good]
