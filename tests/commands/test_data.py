"""`specchat data`: export, delete and purge on a real database file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from specchat.commands.main import app
from storage import FeedbackRecord, HandoffRecord, RaceArm, open_store
from tests.storage.stored_examples import metrics, race, turn

Run = Callable[..., Result]
MARK = "zanzibar-lamp-4711"
OTHER = "harmless-chair-0815"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The database that the settings of a test name."""
    return tmp_path / "specchat.db"


@pytest.fixture
def run() -> Run:
    return lambda *words, **more: CliRunner().invoke(app, ["data", *map(str, words)], **more)


def fill(path: Path, *, days_old: float = 0) -> dict[str, str]:
    """Two owners; ann's texts bear the mark. The ids of their conversations."""
    then = datetime.now(UTC) - timedelta(days=days_old)
    with open_store(f"sqlite:///{path}") as store:
        ids = {owner: store.create_conversation(owner) for owner in ("ann", "bob")}
        for owner, text in (("ann", MARK), ("bob", OTHER)):
            store.record_turn(
                turn(
                    ids[owner], turn_id=f"turn-{owner}", question=text, answer=text, written=text,
                    created_at=then,
                )
            )  # fmt: skip
            store.record_race(
                race(
                    owner=owner, prompt=text, created_at=then,
                    plain=RaceArm(answer=text, metrics=metrics(mode="plain")),
                )
            )  # fmt: skip
            store.care.record_feedback(
                FeedbackRecord(
                    kind="csat", score=2, conversation_id=ids[owner], comment=text, created_at=then
                )
            )
            store.care.open_handoff(
                HandoffRecord(
                    conversation_id=ids[owner], ticket=f"T-{owner}", reason="asked", summary=text
                )
            )
        store.record_turn(turn(None, question="", answer="", created_at=then))
        assert store.flush()
    if days_old:
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE conversation SET updated_at = ?", [f"{then:%Y-%m-%d %X}"])
        connection.close()
    return ids


def holds(path: Path, text: str = MARK) -> list[str]:
    """The database's files with the text in their bytes."""
    files = path.parent.glob(f"{path.name}*")
    return [file.name for file in files if text.encode() in file.read_bytes()]


def log_of(path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as connection:
        names = "actor, conversations, turns, races, feedback, handoffs"
        rows = connection.execute(f"SELECT {names} FROM erasure ORDER BY created_at").fetchall()
    connection.close()
    return rows


def test_everything_is_exported_as_json(run: Run, path: Path) -> None:
    ids = fill(path)
    result = run("export")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert [each["owner"] for each in data["conversations"]] == ["ann", "bob"]
    ann = data["conversations"][0]
    assert ann["id"] == ids["ann"]
    assert ann["turns"][0]["question"] == MARK
    assert ann["turns"][0]["metrics"]["model"] == "care"
    assert ann["feedback"][0]["comment"] == ann["handoffs"][0]["summary"] == MARK
    assert data["races"][0]["plain_answer"] == MARK
    assert data["races"][0]["speculative"]["drafted"] == 120
    assert len(data["measurements"]) == 1


def test_one_owner_and_one_conversation_are_exported_alone(
    run: Run, path: Path, tmp_path: Path
) -> None:
    ids = fill(path)
    out = tmp_path / "ann.json"
    assert run("export", "--owner", "ann", "--out", out).exit_code == 0
    assert MARK in out.read_text()
    assert OTHER not in out.read_text()
    one = json.loads(run("export", "--conversation", ids["bob"]).stdout)
    assert [each["id"] for each in one["conversations"]] == [ids["bob"]]
    assert one["races"] == one["measurements"] == []


def test_an_export_can_be_read_by_people(run: Run, path: Path) -> None:
    fill(path)
    said = run("export", "--owner", "ann", "--format", "markdown").stdout
    assert f"**You:**\n\n> {MARK}" in said
    assert f"# Race: {MARK}" in said
    assert f"Score 2 of 5: {MARK}" in said
    assert "Hand-off T-ann (waiting)" in said


@pytest.mark.parametrize("of", ["--owner", "--conversation"])
def test_deleted_text_is_in_no_byte_of_the_files(run: Run, path: Path, of: str) -> None:
    ids = fill(path)
    assert holds(path)
    whose = "ann" if of == "--owner" else ids["ann"]
    if of == "--conversation":  # her race is not part of it
        with open_store(f"sqlite:///{path}") as store:
            store.delete_owner("nobody")
        with sqlite3.connect(path) as connection:
            connection.execute("DELETE FROM race")
            connection.execute("DELETE FROM turn WHERE conversation_id IS NULL")
        connection.close()

    result = run("delete", of, whose, "--yes")

    assert result.exit_code == 0, result.output
    assert "erased 1 conversation" in result.stdout
    assert not holds(path)
    assert holds(path, OTHER)
    turns = 3 if of == "--owner" else 1
    assert log_of(path) == [("operator", 1, turns, int(of == "--owner"), 1, 1)]


def test_deletion_asks_first(run: Run, path: Path) -> None:
    fill(path)
    refused = run("delete", "--owner", "ann", input="n\n")
    assert refused.exit_code == 1
    assert (
        "Erase 1 conversation, 1 race, 3 turns, 1 opinion, 1 hand-off for good?" in refused.output
    )
    assert holds(path)
    assert run("delete", "--owner", "ann", input="y\n").exit_code == 0
    assert not holds(path)


def test_a_dry_run_says_what_a_purge_then_erases(run: Run, path: Path) -> None:
    fill(path, days_old=40)
    with open_store(f"sqlite:///{path}") as store:
        new = store.create_conversation("cleo")
        store.record_turn(turn(new, question="yesterday"))
    before = path.read_bytes()

    dry = run("purge", "--older-than", 30, "--dry-run")
    assert dry.exit_code == 0, dry.output
    what = "2 conversations, 2 races, 7 turns, 2 opinions, 2 hand-offs, older than 30 days"
    assert f"would erase {what}" in dry.stdout
    assert path.read_bytes() == before
    assert "would erase nothing" in run("purge", "--older-than", 41, "--dry-run").stdout

    assert f"erased {what}" in run("purge").stdout
    assert not holds(path)
    assert not holds(path, OTHER)
    assert holds(path, "yesterday")
    assert log_of(path) == [("operator", 2, 7, 2, 2, 2)]
    assert json.loads(run("purge", "--json").stdout)["turns"] == 0
    assert len(log_of(path)) == 1, "nothing was erased, so there is nothing to record"


def test_the_age_is_the_settings_unless_it_is_said(
    run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path, days_old=10)
    assert "nothing, older than 30 days" in run("purge", "--dry-run").stdout
    monkeypatch.setenv("SPECCHAT_RETENTION_DAYS", "7")
    assert "2 conversations" in run("purge", "--dry-run").stdout


def test_what_is_kept_for_good_is_not_purged_unless_an_age_is_said(
    run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path, days_old=40)
    monkeypatch.setenv("SPECCHAT_RETENTION_DAYS", "0")
    for words in (["purge"], ["purge", "--dry-run"]):
        result = run(*words)
        assert result.exit_code == 2
        assert "SPECCHAT_RETENTION_DAYS is 0" in result.stderr
        assert "--older-than DAYS" in result.stderr
    assert holds(path)
    assert "2 conversations" in run("purge", "--older-than", 30).stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["export", "--owner", "eve"], "nothing is stored of owner 'eve'"),
        (["export", "--conversation", "x1"], "there is no conversation 'x1'"),
        (["export", "--owner", "ann", "--conversation", "x"], "cannot be combined"),
        (["export", "--format", "xml"], "'xml' is not one of"),
        (["export", "--out", "no/such/folder/a.json"], "cannot write no/such/folder/a.json"),
        (["delete"], "say whose data is to be deleted"),
        (["delete", "--conversation", "x1", "--yes"], "there is no conversation 'x1'"),
        (["delete", "--owner", "eve", "--yes"], "nothing is stored of owner 'eve'"),
        (["purge", "--older-than", "0"], "'--older-than'"),
        (["purge", "--older-than", "soon"], "'--older-than'"),
    ],
)
def test_a_mistake_is_explained_and_exits_2(
    run: Run, path: Path, words: list[str], message: str
) -> None:
    fill(path)
    result = run(*words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.output


@pytest.mark.parametrize("words", [["export"], ["delete", "--owner", "a"], ["purge"]])
def test_a_database_that_is_not_there_is_not_made(run: Run, path: Path, words: list[str]) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert f"there is no database '{path}'" in result.stderr
    assert not path.exists()


def test_a_locked_database_is_explained(
    run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path)
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_MS", 50)
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    result = run("purge")
    other.close()
    assert result.exit_code == 2
    assert "locked" in result.stderr
