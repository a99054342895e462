"""Filters the store does not know, comparisons, the calculator and exports, on stored turns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specchat.evidence.savings import Assumptions
from specchat.ui.dashboard import data
from specchat.ui.dashboard.compare import FEW, compare_html, configurations
from specchat.ui.dashboard.export import as_csv, as_json
from specchat.ui.dashboard.savings import savings_html
from specchat.ui.dashboard.tiles import live_html
from storage import RaceArm, Store, open_store
from tests.ui.double import ScriptedEngine
from tests.ui.made_up import metrics, race


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'dashboard.db'}") as opened:
        for i in range(6):
            opened.record_race(race(f"refund {i}", 1_500.0 + 100 * i))
            opened.record_race(race(f"parcel {i}", 500.0 + i))
        waited = RaceArm(answer="a", metrics=metrics(queue_ms=40.0, speculators=("ngram",)))
        opened.record_race(replace(race("hello"), speculative=waited))
        assert opened.flush()
        yield opened


@pytest.mark.parametrize(
    ("choice", "races"),
    [
        (data.Choice(), 13),
        (data.Choice(scenario="refund"), 6),
        (data.Choice(scenario="invoice"), 0),
        (data.Choice(speculator="ngram"), 1),
        (data.Choice(load="Had to wait"), 1),
        (data.Choice(load="Started at once"), 12),
    ],
)
def test_filters_keep_what_fits(store: Store, choice: data.Choice, races: int) -> None:
    assert len(data.gather(store, choice).races) == races


def test_a_scenario_keeps_both_sides_of_its_races(store: Store) -> None:
    rows = data.gather(store, data.Choice(scenario="refund")).rows
    assert sorted(row.mode for row in rows) == ["plain"] * 6 + ["speculative"] * 6


def test_every_scenario_that_was_raced_has_its_speedup(store: Store) -> None:
    rows = data.scenario_rows(data.gather(store, data.Choice()).races)
    assert [row.name for row in rows] == ["Refund (n = 6)", "Delivery (n = 6)", "Other (n = 1)"]
    assert rows[0].value > 1 > rows[1].value


def test_a_loss_raises_an_alarm(store: Store) -> None:
    assert not [a for a in data.gather(store, data.Choice()).alarms if a.kind == "loss"]
    (alarm,) = [
        a for a in data.gather(store, data.Choice(scenario="delivery")).alarms if a.kind == "loss"
    ]
    assert "at a loss with care, mlp: 0.69x" in alarm.message
    assert len(alarm.turn_ids) == 6


def test_two_configurations_are_compared_by_medians(store: Store) -> None:
    rows = data.gather(store, data.Choice()).rows
    labels = [found.label for found in configurations(rows)]
    assert len(labels) == 3
    plain = next(label for label in labels if "plain" in label)
    drafted = next(label for label in labels if "mlp" in label)
    said = compare_html(rows, plain, drafted)
    assert "n = 13" in said
    assert "n = 12" in said
    assert "not paired" in said
    assert compare_html(rows, plain, "unknown") == FEW


def test_the_calculator_calls_itself_an_extrapolation(store: Store) -> None:
    races = data.gather(store, data.Choice(scenario="refund")).races
    said = savings_html(races, Assumptions(1_000, 2, 3.6), "£", "care")
    assert "Extrapolation, not a measurement" in said
    assert "of waiting saved over 1,000 chats" in said
    assert "s sooner." in said
    assert "The machine time is worth £" in said
    assert "95 % interval" in said
    assert "Nothing to extrapolate" in savings_html([], Assumptions(), "£", "")
    with pytest.raises(ValueError, match="chats"):
        savings_html(races, Assumptions(-1), "£", "")


def test_exports_hold_every_turn_and_no_text(store: Store) -> None:
    found = data.gather(store, data.Choice())
    lines = list(csv.DictReader(io.StringIO(as_csv(found.rows))))
    assert len(lines) == len(found.rows) == 26
    assert json.loads(lines[0]["accepted_by_depth"]) is not None
    file = json.loads(as_json(found.rows, found.races))
    ids = {turn["turn_id"] for turn in file["turns"]}
    assert {race["plain"] for race in file["races"]} <= ids
    assert "refund" not in as_csv(found.rows) + as_json(found.rows, found.races)


def test_the_page_map_shows_all_four_kinds(store: Store) -> None:
    said = live_html(ScriptedEngine().snapshot(), store.health(), 12.5)
    for words in ("5 shared", "11 held", "40 cached", "200 free", "12.5", "one page"):
        assert words in said
    assert said.count('<i class="shared">') == 5 + 1  # and one in the legend


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "records written, none lost"),
        ({"lost": 2, "last_error": "disk full"}, "records written, 2 LOST: disk full"),
        ({"last_error": "locked"}, "records written; the database refuses: locked"),
        ({"journaled": 7, "last_error": "locked"}, "records written; 7 wait in a file: locked"),
    ],
)
def test_it_is_said_what_waits_and_what_is_lost(
    store: Store, changes: dict[str, Any], words: str
) -> None:
    health = replace(store.health(), **changes)
    assert words in live_html(ScriptedEngine().snapshot(), health)


def test_a_comparison_is_of_pairs_and_without_them_has_no_ratio(store: Store) -> None:
    """A ratio of answers to different questions would contradict the races."""
    found = data.gather(store, data.Choice())
    plain, mlp = (
        next(c.label for c in configurations(found.rows) if part in c.label)
        for part in (" plain ", " mlp ")
    )
    paired = compare_html(found.rows, plain, mlp, found.races)
    assert "12 pairs of races" in paired
    unpaired = compare_html(found.rows, plain, mlp)
    assert "there is no ratio" in unpaired
    assert "x</data>" not in unpaired
    assert "x</data>" in paired
