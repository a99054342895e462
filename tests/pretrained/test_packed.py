"""Weights packed in int8 come out as an ordinary model directory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from specchat.engine.errors import ModelLoadError
from specchat.pretrained import cache
from specchat.pretrained.packed import PACKED, WEIGHTS, pack, unpacked


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path / "models")


@pytest.fixture
def weights(tmp_path: Path) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    folder = tmp_path / "family" / "target"
    folder.mkdir(parents=True)
    found = {
        "layer.weight": torch.randn(24, 40).bfloat16(),
        "zeros.weight": torch.zeros(3, 40).bfloat16(),
        "norm.weight": torch.randn(40).bfloat16(),
    }
    save_file(found, folder / WEIGHTS)
    (folder / "config.json").write_text("{}")
    return found


def test_packed_weights_come_back_within_half_a_step_of_their_row(
    weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    folder = tmp_path / "family" / "target"
    pack(folder)
    assert not (folder / WEIGHTS).exists()
    made = unpacked(folder)
    assert (made / "config.json").read_text() == "{}"
    assert not (made / PACKED).exists()
    found = load_file(made / WEIGHTS)
    assert found.keys() == weights.keys()
    assert torch.equal(found["norm.weight"], weights["norm.weight"])
    assert not found["zeros.weight"].any()
    row = weights["layer.weight"].float()
    step = row.abs().amax(1, keepdim=True) / 127
    rounded = 2.0**-8 * row.abs()  # the scale's and the weight's own, in bf16
    error = (found["layer.weight"].float() - row).abs()
    assert (error <= 0.5 * step + 2 * rounded).all()


def test_a_folder_with_ordinary_weights_is_left_as_it_is(
    weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    assert unpacked(tmp_path / "family" / "target") == tmp_path / "family" / "target"


def test_it_is_unpacked_once(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    folder = tmp_path / "family" / "target"
    pack(folder)
    made = unpacked(folder)
    before = (made / WEIGHTS).stat().st_mtime_ns
    assert unpacked(folder) == made
    assert (made / WEIGHTS).stat().st_mtime_ns == before


def test_damaged_weights_are_named(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    folder = tmp_path / "family" / "target"
    pack(folder)
    (folder / PACKED).write_bytes(b"nothing")
    with pytest.raises(ModelLoadError, match=PACKED):
        unpacked(folder)


def test_a_cache_that_cannot_be_written_costs_only_time(
    weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    (tmp_path / "models").write_text("a file where the cache should be")
    folder = tmp_path / "family" / "target"
    pack(folder)
    made = unpacked(folder)
    assert load_file(made / WEIGHTS).keys() == weights.keys()
    assert tmp_path not in made.parents
