"""What computes, and how much of it may be used."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from specchat.engine.hardware import describe_hardware, usable_cpus


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
