"""Where weights go and how many pages fit, over made-up GPUs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from specchat.engine.errors import ModelLoadError
from specchat.engine.kv.memory_plan import GIB, Device, page_count, place, weights_bytes, work_bytes

A, B = torch.device("cuda", 0), torch.device("cuda", 1)


@pytest.fixture(autouse=True)
def _no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")


def gpus(*free_gib: float) -> list[Device]:
    return [Device(torch.device("cuda", i), int(free * GIB)) for i, free in enumerate(free_gib)]


def test_weights_go_to_the_one_gpu_with_most_room() -> None:
    assert place("m", 16 * GIB, gpus(20, 40)) == {"device_map": {"": B}}


def test_weights_too_large_for_one_gpu_are_spread() -> None:
    placed = place("m", 50 * GIB, gpus(40, 40))
    assert placed["device_map"] == "auto"
    assert placed["max_memory"] == {0: int(36 * GIB), 1: int(36 * GIB)}


@pytest.mark.parametrize(("free", "short"), [((40,), "10.0"), ((20, 20), "10.0")])
def test_weights_that_fit_nowhere_say_by_how_much(free: tuple[float, ...], short: str) -> None:
    with pytest.raises(ModelLoadError, match=rf"50.0 GiB, 40.0 GiB .*GPU 0.*{short} GiB too"):
        place("m", 50 * GIB, gpus(*free))


def test_the_headers_tell_the_weights_size(tiny_model_dir: Path) -> None:
    file = tiny_model_dir / "model.safetensors"
    stored = file.stat().st_size  # float32, and a header of a few kilobytes
    assert 0.9 * stored < weights_bytes(tiny_model_dir, torch.float32) < stored
    half = weights_bytes(tiny_model_dir, torch.bfloat16)
    assert 2 * half == weights_bytes(tiny_model_dir, torch.float32)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0[]"])
def test_a_damaged_file_has_no_size(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    assert weights_bytes(tmp_path, torch.float32) == 0


def test_a_share_is_taken_of_what_is_free_besides_the_work() -> None:
    count = page_count({A: GIB}, gpus(50), work=10 * GIB, wanted_bytes=None, share=0.5)
    assert count == 20


def test_the_fuller_gpu_limits_the_pages_of_layers_on_two() -> None:
    count = page_count({A: GIB, B: GIB}, gpus(20, 11), work=GIB, wanted_bytes=None, share=1.0)
    assert count == 10


def test_bytes_that_do_not_fit_beside_the_work_say_by_how_much() -> None:
    with pytest.raises(ModelLoadError, match=r"of 18.0 GiB does not fit: GPU 0 has 15.0.* 3.0 GiB"):
        page_count({A: GIB}, gpus(20), work=5 * GIB, wanted_bytes=18 * GIB, share=0.5)


def test_a_full_gpu_has_no_room_for_two_pages() -> None:
    with pytest.raises(ModelLoadError, match=r"at least \d+ bytes \(two pages\), got 50% of 0.0"):
        page_count({A: GIB}, gpus(4), work=5 * GIB, wanted_bytes=None, share=0.5)


def test_what_grows_with_the_cache_is_counted_beside_it() -> None:
    gpu, wanted = gpus(50), 20 * GIB
    count = page_count({A: GIB}, gpu, work=0, wanted_bytes=None, share=0.5, beside=0.25)
    assert count == 20
    assert page_count({A: GIB}, gpu, work=0, wanted_bytes=wanted, share=0.5, beside=1.5) == 20
    with pytest.raises(ModelLoadError, match=r"does not fit"):
        page_count({A: GIB}, gpu, work=0, wanted_bytes=wanted, share=0.5, beside=1.6)


def test_work_grows_with_the_rows_and_the_vocabulary() -> None:
    sizes = {"hidden": 4096, "inner": 14336, "layers": 32, "dtype": torch.bfloat16}
    small = work_bytes([1, 64], vocab=4096, **sizes)  # type: ignore[arg-type]
    large = work_bytes([1, 64, 512], vocab=128256, **sizes)  # type: ignore[arg-type]
    assert small < large < 2 * GIB
