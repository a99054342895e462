"""Weights inside installed distributions: found, checked, never imported."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from specchat.engine.errors import ModelLoadError
from specchat.pretrained.installed import installed_file, installed_folder, installed_version

WEIGHTS = b"weights"


@pytest.fixture
def carrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder with the distribution `tiny-weights`, whose package must not be imported."""
    package = tmp_path / "tiny_weights"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "model.gguf").write_bytes(WEIGHTS)
    info = tmp_path / "tiny_weights-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return package


def test_a_file_is_found_without_importing_its_package(carrier: Path) -> None:
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    found = installed_file("tiny-weights", "tiny_weights/model.gguf", sha256=digest)
    assert found == carrier / "model.gguf"
    assert "tiny_weights" not in sys.modules


def test_what_is_not_installed_is_none() -> None:
    assert installed_file("no-such-weights", "no/model.gguf") is None
    assert installed_folder("no-such-weights", "no") is None
    assert installed_version("no-such-weights") is None


def test_a_damaged_file_is_named_with_the_way_to_mend_it(carrier: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"damaged.*force-reinstall tiny-weights==1\.2"):
        installed_file("tiny-weights", "tiny_weights/model.gguf", sha256="0" * 64)


def test_a_missing_file_is_named(carrier: Path) -> None:
    with pytest.raises(ModelLoadError, match="without tiny_weights/other"):
        installed_file("tiny-weights", "tiny_weights/other")
    with pytest.raises(ModelLoadError, match="without the folder tiny_weights/model"):
        installed_folder("tiny-weights", "tiny_weights/model")


def test_a_folder_and_a_version_are_found(carrier: Path) -> None:
    assert installed_folder("tiny-weights", "tiny_weights") == carrier
    assert installed_version("tiny-weights") == "1.2"
