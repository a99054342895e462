"""An environment is made once for its versions, and made anew where they change."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from specchat.bench.peers import environments, preparation
from specchat.bench.peers.environments import InstallError, environment_of
from specchat.bench.peers.pinned import OWN, Peer, PeerArm
from specchat.bench.peers.preparation import Machine, Weights, prepare
from specchat.engine.errors import ModelLoadError

PEER = Peer("fast", "run_fast.py", (PeerArm("plain", "Q8_0", False, True),), ("fast==1.0",))
OURS = Peer(OWN, "own", (PeerArm("plain", "directory", False, False),))
MACHINE = Machine(2, False, (9,), 64)
WEIGHTS = Weights(Path("model-q8_0.gguf"), Path("model"))


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The commands that were run; none is."""
    commands: list[list[str]] = []

    def note(command: Sequence[str]) -> str:
        commands.append(list(command))
        if command[1:3] == ["-m", "venv"]:
            Path(command[-1]).mkdir()
        return "fast==1.0\n"

    monkeypatch.setattr(environments, "_ran", note)
    monkeypatch.setattr(preparation.platformdirs, "user_cache_dir", lambda name: str(tmp_path))
    return commands


def test_an_environment_is_made_once(ran: list[list[str]], tmp_path: Path) -> None:
    python = environment_of(PEER, tmp_path)
    assert ran[0][:3] == [sys.executable, "-m", "venv"]
    assert ran[1][0] == str(python)
    assert ran[1][-1] == "fast==1.0"
    ran.clear()
    assert environment_of(PEER, tmp_path) == python
    assert not ran


def test_of_a_complete_list_nothing_else_is_installed(ran: list[list[str]], tmp_path: Path) -> None:
    environment_of(PEER, tmp_path)
    assert "--no-deps" not in ran[1]
    ran.clear()
    environment_of(replace(PEER, name="whole", complete=True), tmp_path)
    assert "--no-deps" in ran[1]


def test_another_version_takes_the_place_of_the_earlier_one(
    ran: list[list[str]], tmp_path: Path
) -> None:
    earlier = environment_of(PEER, tmp_path).parents[1]
    later = environment_of(replace(PEER, requirements=("fast==2.0",)), tmp_path).parents[1]
    assert later.exists()
    assert not earlier.exists()


def test_what_the_installer_said_is_told() -> None:
    with pytest.raises(InstallError, match=r"^no luck$"):
        environments._ran([sys.executable, "-c", "import sys; sys.exit('no luck')"])


def test_one_that_was_not_finished_is_made_again(ran: list[list[str]], tmp_path: Path) -> None:
    (environment_of(PEER, tmp_path).parents[1] / environments.COMPLETE).unlink()
    ran.clear()
    environment_of(PEER, tmp_path)
    assert len(ran) == 2


def test_each_arm_gets_its_weights_and_its_peers_python(
    ran: list[list[str]], tmp_path: Path
) -> None:
    prepared = prepare([OURS, PEER], WEIGHTS, MACHINE)
    ours, fast = prepared.launches.values()
    assert ours.python == Path(sys.executable)
    assert ours.config["model"] == "model"
    assert fast.python.is_relative_to(tmp_path / "peers")
    assert fast.config["model"] == "model-q8_0.gguf"
    assert fast.worker.name == "run_fast.py"
    assert prepared.installed == {"fast": ["fast==1.0"]}


def test_a_peer_that_cannot_be_installed_leaves_the_others(
    ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(peer: Peer, folder: Path) -> Path:
        raise InstallError("no such version")

    monkeypatch.setattr(preparation, "environment_of", fail)
    prepared = prepare([PEER, OURS], WEIGHTS, MACHINE)
    assert prepared.failures == {"fast, plain": "cannot be installed: no such version"}
    assert list(prepared.launches) == ["specchat, plain"]


def test_weights_that_cannot_be_had_are_the_arms_failure(
    ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(file: Path, number_format: str) -> Path:
        raise ModelLoadError(f"no {number_format} of {file}")

    monkeypatch.setattr(preparation, "in_format", fail)
    assert prepare([PEER], WEIGHTS, MACHINE).failures == {
        "fast, plain": "no Q8_0 of model-q8_0.gguf"
    }
