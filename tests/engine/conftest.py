"""Engines on the tiny random model, eager, with the pool's invariant checked after each step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from specchat.engine.draft import DraftTree
from specchat.engine.payoff import Payoff, Worth
from specchat.engine.policy import Choice, Policy

from .running import Engines


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

    def choose(self: Policy, trees: list[DraftTree], *args: Any, **kwargs: Any) -> Choice:
        nodes = [list(range(min(len(tree), self.max_nodes))) for tree in trees]
        kept = [tree.select(own) for tree, own in zip(trees, nodes, strict=True)]
        return Choice(kept, nodes, tokens=1.0, prompt_rows=0, ms=1.0)

    monkeypatch.setattr(Policy, "choose", choose)
    for pause in (Payoff, Worth):
        monkeypatch.setattr(pause, "allow", lambda self: True)
