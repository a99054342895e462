"""Made models appear whole, once, whatever else happens."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from specchat.engine.errors import ModelLoadError
from specchat.pretrained import cache


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path / "models")


def write(folder: Path) -> None:
    (folder / "weights").write_text("w")


def test_a_model_is_made_once() -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        write(folder)

    first, second = cache.kept("a/model", make), cache.kept("a/model", make)
    assert first == second
    assert (first / "weights").read_text() == "w"
    assert len(made) == 1


def test_a_failed_make_leaves_nothing_and_is_tried_again() -> None:
    def fail(folder: Path) -> None:
        write(folder)
        raise ModelLoadError("no")

    with pytest.raises(ModelLoadError, match="no"):
        cache.kept("model", fail)
    assert [p.name for p in cache.cache_folder().iterdir()] == ["model.lock"]
    assert (cache.kept("model", write) / "weights").exists()


def test_what_was_never_finished_is_made_anew() -> None:
    half = cache.cache_folder() / "model"
    half.mkdir(parents=True)
    (half / "rest").touch()
    found = cache.kept("model", write)
    assert {p.name for p in found.iterdir()} == {"weights", cache.COMPLETE}


def test_two_that_ask_at_once_wait_for_each_other() -> None:
    made: list[int] = []

    def make(folder: Path) -> None:
        time.sleep(0.05)
        made.append(1)
        write(folder)

    threads = [threading.Thread(target=cache.kept, args=("model", make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_cache_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path / "file")
    with pytest.raises(ModelLoadError, match="cannot be written"):
        cache.kept("model", write)


def test_only_the_newest_are_kept() -> None:
    for name in ("one", "two", "three"):
        cache.kept(name, write)
        time.sleep(0.01)
    cache.keep_newest(cache.cache_folder(), 2)
    assert {p.name for p in cache.cache_folder().iterdir() if p.is_dir()} == {"two", "three"}
