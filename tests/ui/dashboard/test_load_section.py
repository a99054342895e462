"""The dashboard's section on load tests draws what a report says, and no more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from specchat.bench.load import recorded_runs
from specchat.bench.load.plan import NULL, PAGED, PLAIN, SEQUENTIAL, SPECULATIVE, contiguous_arm
from specchat.bench.load.recorded_runs import LoadRun
from specchat.bench.report import Report, to_json
from specchat.ui.dashboard.load_charts import LOOKS, load_figures
from specchat.ui.dashboard.load_section import PLOTS, _chosen, _opened, run_html
from tests.bench.load.made_up_load import cell, record, report
from tests.ui.conftest import WAIT_MS, Site

LATE = tuple(record(i, ttft_ms=5_000.0) for i in range(20))
ARMS = (SEQUENTIAL, contiguous_arm(4_096, 2_048), PAGED, PLAIN, SPECULATIVE, NULL)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the user's runs lie; there are no recorded ones."""
    monkeypatch.setattr(recorded_runs, "own_runs_directory", lambda: tmp_path / "kept")
    monkeypatch.setattr(recorded_runs, "RECORDED", tmp_path / "none")
    return tmp_path / "kept"


def made(*, opened: bool = False) -> Report:
    """As it is read from a file: users 1 and 4, one at a time fails at 4."""
    cells = [
        cell(arm, users, 1_000 * users, LATE if (arm, users) == (SEQUENTIAL, 4) else None)
        for arm in ARMS
        for users in (1, 4)
    ]
    if opened:
        cells += [cell(arm, rate=rate) for arm in (PLAIN, SPECULATIVE) for rate in (2.0, 4.0)]
    return json.loads(to_json(report(cells)))  # type: ignore[no-any-return]


def test_every_arm_is_told_apart_by_more_than_colour() -> None:
    assert len({(look.dash, look.symbol) for look in LOOKS.values()}) == len(LOOKS)
    assert {arm.name for arm in ARMS} == set(LOOKS)


def test_every_figure_prints_n_and_where_it_was_measured() -> None:
    figures = load_figures(made(opened=True))
    assert len(figures) == 7 <= PLOTS
    for figure in figures:
        printed = f"{figure.layout.title.text} {figure.layout.xaxis.title.text}"
        printed = printed.replace("<br>", " ").replace("\u00a0", " ")
        assert "n = " in printed
        for word in ("made up, 2 threads", "2026-01-02", "commit abc1234", "64 MiB"):
            assert word in figure.layout.meta["source"]


def test_users_sustained_are_those_of_the_report() -> None:
    bars = {bar.y[0]: (bar.x[0], bar.text[0]) for bar in load_figures(made())[0].data}
    assert bars["one at a time, contiguous"] == (1, "1 (not 4)")
    assert bars["+ speculation"] == (4, "4 or more")


def test_throughput_is_drawn_by_arm_and_users() -> None:
    lines = {line.name: line for line in load_figures(made())[1].data}
    assert list(lines["+ speculation"].x) == ["1", "4"]
    assert list(lines["+ speculation"].y) == [250.0, 1_000.0]


def test_without_enough_answers_no_p95_is_drawn() -> None:
    few = json.loads(to_json(report([cell(PLAIN, 1, records=LATE[:19])])))
    assert [list(line.y) for line in load_figures(few)[2].data] == [[]]


def test_a_recorded_run_is_called_recorded_and_texts_are_escaped() -> None:
    run = made()
    run["environment"]["hardware"] = "<script>"
    said = run_html(LoadRun("load-users", False, run))
    assert "not on this one" in said
    assert "+ speculation: 4 users within the objective, 4 times one at a time" in said
    assert "<script>" not in said
    assert "Measured by you" in run_html(LoadRun("load-1", True, run))


def test_opening_without_runs_says_what_to_do(kept: Path) -> None:
    menu, words, *plots = _opened(None)
    assert not menu["visible"]
    assert "specchat bench load" in words
    assert [plot["visible"] for plot in plots] == [False] * PLOTS


def test_opening_draws_the_newest_run_and_choosing_another(kept: Path) -> None:
    file = recorded_runs.keep_run(made())
    (kept / "load-20250101000000.json").write_bytes(file.read_bytes())
    menu, words, *plots = _opened(None)
    assert menu["value"] == file.stem
    assert [name for _, name in menu["choices"]] == [file.stem, "load-20250101000000"]
    assert "Measured by you" in words
    assert [plot["visible"] for plot in plots] == [True] * 5 + [False] * (PLOTS - 5)
    assert _opened("load-20250101000000")[0]["value"] == "load-20250101000000"
    assert "Measured by you" in _chosen("load-20250101000000")[0]


def test_a_report_that_is_not_as_expected_is_said(kept: Path) -> None:
    damaged = made()
    del damaged["points"][0]["tokens_per_s"]
    recorded_runs.keep_run(damaged)
    _, words, *plots = _opened(None)
    assert "cannot be drawn" in words
    assert not any(plot["visible"] for plot in plots)


def test_a_person_opens_the_section(page: Page, site: Site, kept: Path) -> None:
    recorded_runs.keep_run(made())
    page.goto(f"{site.url}/demo")
    page.get_by_role("tab", name="Dashboard").click()
    page.get_by_role("tab", name="Under load").click()
    expect(page.locator("#sc-load-words")).to_contain_text("4 users within the objective")
    expect(page.locator("#sc-load .js-plotly-plot")).to_have_count(5, timeout=WAIT_MS)
