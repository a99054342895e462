"""What the dashboard asks: metrics, races, audits, filters, and how fast."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, insert
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from storage import RaceArm, Store, TurnFilter
from storage.database import connect
from storage.models import Metrics, Turn
from tests.storage.stored_examples import audit, metrics, race, turn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def four_turns(store: Store) -> Store:
    """Turns a to d at noon and each hour after it."""
    kinds = (
        ("a", metrics(mode="plain", model="care"), "chat"),
        ("b", metrics(mode="speculative", model="care"), "chat"),
        ("c", metrics(mode="speculative", model="granite"), "audit"),
        ("d", metrics(mode="plain", model="granite"), "audit"),
    )
    for hour, (turn_id, measured, kind) in enumerate(kinds):
        at = NOON + timedelta(hours=hour)
        store.record_turn(turn(None, turn_id=turn_id, metrics=measured, kind=kind, created_at=at))
    assert store.flush()
    return store


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (TurnFilter(), "dcba"),
        (TurnFilter(limit=2), "dc"),
        (TurnFilter(mode="plain"), "da"),
        (TurnFilter(model="care"), "ba"),
        (TurnFilter(kind="audit", mode="plain"), "d"),
        (TurnFilter(since=NOON + timedelta(hours=2)), "dc"),
        (TurnFilter(until=NOON + timedelta(hours=2)), "ba"),
        (TurnFilter(since=datetime(2026, 3, 1, 13)), "dcb"),
        (TurnFilter(since=(NOON + timedelta(hours=3)).astimezone()), "d"),
        (TurnFilter(model="no such model"), ""),
    ],
)
def test_metrics_are_filtered_newest_first(
    four_turns: Store, which: TurnFilter, expected: str
) -> None:
    assert "".join(row.turn_id for row in four_turns.metrics(which)) == expected


def test_facets_are_the_values_that_occur(four_turns: Store) -> None:
    facets = four_turns.facets()

    assert facets.models == ("care", "granite")
    assert facets.modes == ("plain", "speculative")
    assert facets.kinds == ("audit", "chat")


def test_an_empty_store_has_no_facets(store: Store) -> None:
    assert store.facets().models == store.facets().modes == store.facets().kinds == ()


def test_a_race_comes_back_with_both_arms(store: Store) -> None:
    record = race(prompt="p" * 1000, identical=False)
    store.record_race(record)
    store.record_race(record)
    assert store.flush()

    (row,) = store.races()

    assert (row.race_id, row.identical, row.first) == (record.race_id, False, "speculative")
    assert row.prompt == "p" * 200
    assert (row.plain.mode, row.plain.tpot_ms) == ("plain", 3.0)
    assert (row.speculative.mode, row.speculative.tpot_ms) == ("speculative", 1.5)
    assert row.speculative.turn_id == record.speculative.turn_id
    assert {each.turn_id for each in store.metrics(TurnFilter(kind="race"))} == {
        record.plain.turn_id,
        record.speculative.turn_id,
    }


def test_races_are_filtered_by_time_and_model(store: Store) -> None:
    for day, model in enumerate(("care", "granite", "care")):
        arm = RaceArm(answer="", metrics=metrics(model=model))
        at = NOON + timedelta(days=day)
        store.record_race(race(race_id=str(day), speculative=arm, created_at=at))
    assert store.flush()

    assert [row.race_id for row in store.races()] == ["2", "1", "0"]
    assert [row.race_id for row in store.races(TurnFilter(model="care", limit=1))] == ["2"]
    assert [row.race_id for row in store.races(TurnFilter(until=NOON + timedelta(days=1)))] == ["0"]


def test_an_audit_comes_back_as_it_was_recorded(store: Store) -> None:
    record = audit()
    store.record_audit(record)
    store.record_audit(record)
    assert store.flush()

    assert store.audits() == [record]


def test_ten_thousand_turns_are_read_in_a_few_statements(store: Store, url: str) -> None:
    _fill(url, 10_000)
    said: list[str] = []

    def listen(connection: object, cursor: object, statement: str, *rest: object) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        rows = store.metrics()
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
    assert len(rows) == 10_000
    assert 0 < len([statement for statement in said if "turn" in statement]) <= 3


def _fill(url: str, count: int) -> None:
    at = [NOON + timedelta(seconds=number) for number in range(count)]
    turns = [
        {
            "id": f"t{number}",
            "kind": "chat",
            "status": "completed",
            "question": "q" * 80,
            "answer": "a" * 400,
            "removed": False,
            "created_at": at[number],
        }
        for number in range(count)
    ]
    source = metrics(accepted_lengths=(3,) * 40)
    columns = [column.key for column in Metrics.__table__.columns if column.key != "turn_id"]
    values = {name: getattr(source, name) for name in columns}
    database = connect(url)
    with Session(database.writer) as session, session.begin():
        session.execute(insert(Turn), turns)
        session.execute(insert(Metrics), [{"turn_id": each["id"]} | values for each in turns])
    database.dispose()
