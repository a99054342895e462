"""The dashboard is drawn from the store alone, and is honest about what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from specchat.evidence.savings import Assumptions
from specchat.ui.dashboard import data
from specchat.ui.dashboard.export import as_json
from specchat.ui.dashboard.savings import savings_html
from specchat.ui.dashboard.tab import PLOTS, _drawn, _figures
from specchat.ui.dashboard.tiles import empty_html, headline_html, live_html, tiles_html
from specchat.ui.shared import charts
from storage import Store, TurnRecord, open_store
from tests.ui.double import ScriptedEngine
from tests.ui.made_up import metrics, race


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'dashboard.db'}") as opened:
        yield opened


def store_turn(store: Store, **changes: object) -> None:
    store.record_turn(
        TurnRecord(
            conversation_id=store.create_conversation("someone"),
            question="q",
            answer="a",
            status="completed",
            metrics=metrics(**changes),  # type: ignore[arg-type]
        )
    )
    assert store.flush()


def store_races(store: Store, *records: object) -> None:
    for record in records:
        store.record_race(record)  # type: ignore[arg-type]
    assert store.flush()


def test_an_empty_store_says_what_to_do(store: Store) -> None:
    evidence = data.gather(store, data.Choice())
    assert evidence.empty
    assert "Ask a question in Chat or run a race" in _drawn(store, data.Choice())[0]
    assert _figures(evidence) == [None] * PLOTS


def test_filters_that_exclude_everything_say_that(store: Store) -> None:
    store_turn(store)
    assert "No turn fits these filters" in _drawn(store, data.Choice(mode="plain"))[0]
    assert empty_html(True) != empty_html(False)


def test_turns_without_a_race_claim_no_speedup(store: Store) -> None:
    store_turn(store)
    evidence = data.gather(store, data.Choice())
    assert "No races yet" in headline_html(evidence)
    assert "faster" not in headline_html(evidence)


def test_few_prompts_get_a_median_but_no_interval(store: Store) -> None:
    store_races(store, race("one"), race("two"))
    said = headline_html(data.gather(store, data.Choice()))
    assert "2.60x faster" in said
    assert "needs at least 6 different prompts" in said
    assert "2 of 2 races gave the same answer" in said


def test_enough_prompts_get_an_interval(store: Store) -> None:
    store_races(store, *(race(f"prompt {i}", 1_500.0 + 100 * i) for i in range(8)))
    evidence = data.gather(store, data.Choice())
    assert "95 % interval" in headline_html(evidence)
    assert evidence.speedup.ci95.low < evidence.speedup.median < evidence.speedup.ci95.high


def test_races_with_different_answers_are_counted_but_not_timed(store: Store) -> None:
    store_races(store, race("one"), race("two", 90_000.0, identical=False))
    evidence = data.gather(store, data.Choice())
    said = headline_html(evidence)
    assert "2.60x faster" in said
    assert "1.2 s saved over 1 race" in said
    assert "1 of 2 races gave the same answer both ways; 1 left out of all times" in said
    assert len(data.race_points(evidence.races)) == 1
    assert [len(row.values) for row in data.speedup_rows(evidence.races)] == [1, 1, 1]
    assert [row.n for row in data.scenario_rows(evidence.races)] == [1]
    said = savings_html(evidence.races, Assumptions(1, 1, 0), "$", "")
    assert "From the median saving of 1 prompt" in said


def test_a_read_that_meets_its_limit_is_said(store: Store) -> None:
    store_turn(store)
    store_races(store, race("one"), race("two"))
    assert "newest" not in tiles_html(data.gather(store, data.Choice()))
    assert "newest 5 turns are counted" in tiles_html(data.gather(store, data.Choice(), 5))
    found = data.gather(store, data.Choice(), 2)
    assert "newest 2 turns and races are counted" in tiles_html(found)
    assert "newest 2" in as_json(found.rows, found.races, found.cut)


def test_without_a_race_to_compare_the_headline_says_why(store: Store) -> None:
    store_races(store, race("one", identical=False))
    said = headline_html(data.gather(store, data.Choice()))
    assert "No race to compare yet" in said
    assert "0 of 1 race gave the same answer both ways; 1 left out" in said


def test_a_loss_is_called_a_loss(store: Store) -> None:
    store_races(store, *(race(f"prompt {i}", 400.0) for i in range(6)))
    said = headline_html(data.gather(store, data.Choice()))
    assert "slower with speculation here" in said
    assert "lost over 6 races" in said


def test_the_fingerprint_changes_with_a_new_turn_and_with_a_filter(store: Store) -> None:
    before = data.fingerprint(store, data.Choice())
    assert data.fingerprint(store, data.Choice()) == before
    assert data.fingerprint(store, data.Choice(mode="plain")) != before
    store_turn(store)
    assert data.fingerprint(store, data.Choice()) != before


def test_the_table_holds_numbers_and_no_text_of_anybody(store: Store) -> None:
    store_turn(store)
    (row,) = data.table(data.gather(store, data.Choice()))
    assert len(row) == len(data.TABLE_HEADERS)
    assert (row[1:3], row[4], row[6], row[-2:]) == (
        ["Chat", "speculative"], None, 148, ["care", "completed"]
    )  # fmt: skip
    assert "q" not in row


def test_the_table_says_what_a_race_was_about_and_saved(store: Store) -> None:
    store_races(store, race("When do I get my refund?"))
    rows = data.table(data.gather(store, data.Choice()))
    saved = {row[2]: (row[1], row[4]) for row in rows}
    times = {row[2]: row[3] for row in rows}
    assert saved["plain"] == ("Refund", None)
    assert saved["speculative"] == ("Refund", times["plain"] - times["speculative"])


def test_every_chart_prints_n_and_where_it_comes_from(store: Store) -> None:
    store_turn(store)
    store_races(store, *(race(f"prompt {i}") for i in range(6)))
    for figure in _figures(data.gather(store, data.Choice())):
        printed = f"{figure.layout.title.text} {figure.layout.xaxis.title.text}"
        printed = printed.replace("<br>", " ").replace("\u00a0", " ")
        marks = " ".join(
            str(text) for trace in figure.data for text in (*(trace.text or ()), *trace.x)
        )
        assert "n = " in printed + marks
        assert "care" in figure.layout.meta["source"]
        assert "2 threads" in figure.layout.meta["source"]


def test_modes_differ_by_more_than_colour(store: Store) -> None:
    assert len(set(charts.MODE_DASHES.values())) == len(charts.MODE_DASHES)
    assert len(set(charts.MODE_SYMBOLS.values())) == len(charts.MODE_SYMBOLS)


def test_alarms_are_shown(store: Store) -> None:
    store_turn(store, drafted=1_000, accepted=1, accepted_by_depth=(1, 0, 0))
    assert "hardly any draft was accepted" in tiles_html(data.gather(store, data.Choice()))


def test_the_live_panel_shows_pages_and_backend(store: Store) -> None:
    said = live_html(ScriptedEngine().snapshot(), store.health())
    assert "Page map of the KV cache: 256 pages of 16 tokens" in said
    assert "compiled 7/7" in said
    assert "none lost" in said


@pytest.mark.parametrize(("depths", "below"), [(4, True), (31, False)])
def test_how_many_drafts_a_depth_had_stands_where_there_is_room(depths: int, below: bool) -> None:
    rows = [charts.Estimate(str(d), 0.5, 0.4, 0.6, 40 - d) for d in range(1, depths + 1)]
    figure = charts.acceptance_by_depth(rows, "where")
    assert ("n = 39" in figure.data[0].x[0]) == below
    assert ("39 down to 9" in figure.layout.title.text) == (not below)
    assert all("n = " in trace.hovertemplate for trace in figure.data)
