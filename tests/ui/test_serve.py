"""Starting: what can go wrong is said in one sentence before anything is loaded."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import app
from specchat.chat.company.profile import load_company
from specchat.settings import Settings
from specchat.ui import serve
from specchat.ui.serve import SESSIONS, address, blocked_paths, compose, launch_options
from tests.ui.conftest import free_port


def test_a_port_in_use_ends_with_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("SPECCHAT_PORT", str(port))
        assert app.main([]) == 2
    said = capsys.readouterr().err
    assert f"127.0.0.1:{port} is already in use" in said
    assert f"SPECCHAT_PORT={port + 1}" in said


def test_a_database_that_cannot_be_written_ends_with_a_message(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SPECCHAT_PORT", str(free_port()))
    monkeypatch.setenv("SPECCHAT_DATABASE_URL", f"sqlite:///{tmp_path / 'file' / 'x.db'}")
    assert app.main([]) == 2
    assert "x.db" in capsys.readouterr().err


def test_an_unknown_model_ends_with_a_message(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPECCHAT_PORT", str(free_port()))
    monkeypatch.setenv("SPECCHAT_MODEL", str(tmp_path / "nothing"))
    assert app.main([]) == 2
    assert "nothing" in capsys.readouterr().err


def test_a_bad_speculator_costs_its_speed_and_not_the_chat(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    settings = Settings(
        model=str(tiny_model_dir),
        speculators=("eagle9", "mlp:/no/such", "draft", "ngram"),
        compile=False,
        database_url=f"sqlite:///{tmp_path / 'x.db'}",
    )
    parts = compose(settings)
    try:
        assert parts.loaded.engine.info.speculators == ("ngram",)
        said = [p["props"]["value"] for p in parts.page.config["components"] if _is_problem(p)]
        assert len(said) == 1  # in the demo alone
        for entry in ("eagle9", "mlp:/no/such", "draft"):
            assert f"Speculator {entry} is not used" in said[0]
        assert 'role="status"' in said[0]
    finally:
        parts.close()


def _is_problem(component: dict[str, Any]) -> bool:
    return component["props"].get("elem_id") == "sc-problems"


def test_an_invalid_setting_ends_with_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPECCHAT_PORT", "many")
    assert app.main([]) == 2
    assert "SPECCHAT_PORT must be" in capsys.readouterr().err


def test_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["--port", "1"]) == 2
    assert "SPECCHAT_" in capsys.readouterr().err


def test_on_a_space_everybody_is_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "somebody/specchat")
    options = launch_options(Settings(), load_company())
    assert options["server_name"] == "0.0.0.0"
    assert options["ssr_mode"] is False


def test_nothing_is_kept_in_the_browser_or_sent_away() -> None:
    options = launch_options(Settings(), load_company())
    assert options["run_history"] is False
    assert options["enable_monitoring"] is False


def test_the_database_is_never_served() -> None:
    paths = blocked_paths("sqlite:////data/specchat.db")
    assert paths[0] == "/data/specchat.db"
    assert "/data/specchat.db-wal" in paths
    assert blocked_paths(None) == blocked_paths("postgresql://host/db") == []


def test_the_address_that_is_printed_can_be_opened() -> None:
    assert address(Settings(host="0.0.0.0", port=8000)) == "http://localhost:8000"


@pytest.mark.parametrize("engine_lost", [True, False])
def test_a_lost_engine_ends_the_process_with_a_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, engine_lost: bool
) -> None:
    done: list[object] = []
    parts = SimpleNamespace(
        page=SimpleNamespace(is_running=engine_lost),
        loaded=SimpleNamespace(engine=SimpleNamespace(alive=not engine_lost)),
        company=None,
        api=SimpleNamespace(access=SimpleNamespace(rule="closed")),
        routes=list,
        close=lambda patience_s: done.append("closed"),
    )
    monkeypatch.setattr(serve, "compose", lambda settings: parts)
    monkeypatch.setattr(serve, "listen", lambda *given: None)
    monkeypatch.setattr(serve, "_end_on_sigterm", lambda: None)
    monkeypatch.setattr("os._exit", done.append)
    serve.launch(Settings(port=free_port()))
    assert done == (["closed", 75] if engine_lost else ["closed"])


def test_what_is_kept_of_each_tab_is_bounded() -> None:
    """Else every visitor costs memory for good: make soak has shown it."""
    assert launch_options(Settings(), load_company())["state_session_capacity"] == SESSIONS <= 200
