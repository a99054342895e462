"""What computes, and how much of it may be used."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from specchat.engine.hardware import describe_hardware, page_out, usable_cpus


@pytest.mark.parametrize(("text", "cpus"), [("100000 100000", 1), ("50000 100000", 1)])
def test_a_container_quota_limits_the_threads(tmp_path: Path, text: str, cpus: int) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    assert usable_cpus(quota) == cpus


@pytest.mark.parametrize("text", ["max 100000", "", "nonsense"])
def test_without_a_quota_all_cpus_are_used(tmp_path: Path, text: str) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    assert usable_cpus(quota) == usable_cpus(tmp_path / "absent") >= 1


def test_the_cpu_is_named_with_its_threads() -> None:
    assert describe_hardware(torch.device("cpu")).endswith(f"{torch.get_num_threads()} threads")


def test_tensors_that_are_paged_out_keep_their_numbers(tmp_path: Path) -> None:
    numbers = torch.arange(2**22, dtype=torch.float32)
    save_file({"numbers": numbers}, tmp_path / "numbers.safetensors")
    mapped = load_file(tmp_path / "numbers.safetensors")["numbers"]
    own = numbers.clone()
    before = psutil.Process().memory_info().rss if mapped.sum() else 0  # all of it was read
    page_out([mapped, own, own[1:2], torch.empty(0)])
    assert psutil.Process().memory_info().rss <= before + 2**20
    assert mapped.equal(numbers)
    assert own.equal(numbers)
