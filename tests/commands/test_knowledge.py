"""`specchat knowledge` on a real database file, beside an app that has it open."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from specchat.chat.company.profile import load_company
from specchat.chat.knowledge import Knowledge
from specchat.commands.main import app
from storage import open_store

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command without sentence vectors, which need seconds to load."""
    monkeypatch.setattr("specchat.pretrained.sentence_vectors.DISTRIBUTION", "no-such-model")
    return lambda *words: CliRunner().invoke(app, ["knowledge", *map(str, words)])


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "cats.md").write_text("# Cats\n\nWhiskers are washed on Sundays.\n")
    (folder / "faq.csv").write_text("question,answer\nAre hats sold?,No hats are sold.\n")
    return folder


def test_documents_come_and_go(run: Run, documents: Path) -> None:
    imported = run("import", documents)
    assert imported.exit_code == 0, imported.output
    assert imported.stdout.splitlines() == ["cats.md: 1 passages", "faq.csv: 1 passages"]
    listed = json.loads(run("list", "--json").stdout)
    assert [(each["source"], each["passages"]) for each in listed] == [
        ("cats.md", 1),
        ("faq.csv", 1),
    ]
    assert run("remove", "cats.md").stdout == "cats.md removed\n"
    assert len(json.loads(run("list", "--json").stdout)) == 1


def test_an_app_that_runs_sees_an_import(run: Run, documents: Path, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'specchat.db'}") as store:
        knowledge = Knowledge(store, load_company(), None)
        assert knowledge.search("washed whiskers", 1) == []
        assert run("import", documents / "cats.md").exit_code == 0
        assert knowledge.search("washed whiskers", 1)[0].passage.source == "cats.md"


def test_a_search_shows_what_an_answer_would_be_taken_from(run: Run, documents: Path) -> None:
    run("import", documents)
    found = run("search", "are whiskers washed", "--json")
    assert "found by their words alone" in found.stderr
    (first, *_) = json.loads(found.stdout)["found"]
    assert (first["source"], first["chosen"]) == ("cats.md", True)
    shown = run("search", "are whiskers washed")
    assert "Whiskers are washed on Sundays." in shown.stdout


def test_what_nobody_knows_is_said(run: Run) -> None:
    found = run("search", "zyzzyva blorf")
    assert found.exit_code == 0
    assert "not known" in found.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("import", "nowhere"), "there is no such file or folder"),
        (("remove", "nothing.md"), "no document 'nothing.md' is imported; there is nothing"),
        (("search", " "), "the question is empty"),
    ],
)
def test_mistakes_are_explained(run: Run, words: tuple[str, ...], message: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert message in result.stderr
