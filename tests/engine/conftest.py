"""Engines on the tiny random model, eager, with the pool's invariant checked after each step."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from specchat.engine.policy.policy import Policy, Prices
from specchat.engine.policy.profitability import Worth
from tests.engine.running import Engines


@pytest.fixture(scope="session")
def tiny_tokenizer(tiny_model_dir: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model_dir)


@pytest.fixture(scope="session")
def tiny_model(tiny_model_dir: Path) -> Any:
    """The model the engines run; its attention is paged."""
    return AutoModelForCausalLM.from_pretrained(tiny_model_dir, dtype=torch.float32).eval()


@pytest.fixture(scope="session")
def eager_model(tiny_model_dir: Path) -> Any:
    """The same weights with transformers' own attention, to compare with."""
    return AutoModelForCausalLM.from_pretrained(
        tiny_model_dir, dtype=torch.float32, attn_implementation="eager"
    ).eval()


@pytest.fixture
def engines(tiny_model: Any, tiny_tokenizer: Any) -> Iterator[Engines]:
    """Makes engines and closes them after the test."""
    factory = Engines(tiny_model, tiny_tokenizer)
    yield factory
    factory.close()


@pytest.fixture
def keep_all_drafts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy verifies whatever is drafted, up to its limit of nodes."""

    def prices(self: Policy, requests: int, rows: int, ms: float, nodes: int) -> Prices:
        return Prices(array("d", [-1e-6 * n for n in range(nodes + 1)]), 0.0, 1.0)

    monkeypatch.setattr(Policy, "prices", prices)
    monkeypatch.setattr(Worth, "allow", lambda self: True)
