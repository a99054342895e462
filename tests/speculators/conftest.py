"""The tiny random model, as a target and as a drafter of its own family."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from specchat.engine.options import MAX_NODES
from specchat.engine.policy.policy import Policy, Prices
from specchat.engine.policy.profitability import Worth
from tests.engine.running import Engines
from tests.speculators.eagle3.reference import Tensors, make_tensors


@pytest.fixture(scope="session")
def tiny_tokenizer(tiny_model_dir: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model_dir)


@pytest.fixture
def tiny_model(tiny_model_dir: Path) -> Any:
    """The target, whose attention becomes paged."""
    return AutoModelForCausalLM.from_pretrained(tiny_model_dir, dtype=torch.float32).eval()


@pytest.fixture(scope="session")
def eager_model(tiny_model_dir: Path) -> Any:
    """The same weights with transformers' own attention, to compare with."""
    return AutoModelForCausalLM.from_pretrained(
        tiny_model_dir, dtype=torch.float32, attn_implementation="eager"
    ).eval()


@pytest.fixture(scope="session")
def small_model_dir(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any) -> Path:
    """A random draft model of the tiny model's vocabulary, without a tokenizer of its own."""
    directory = tmp_path_factory.mktemp("family") / "draft"
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        initializer_range=0.3,
        pad_token_id=0,
        eos_token_id=4,
        bos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        LlamaForCausalLM(config).save_pretrained(directory)
    return directory


@pytest.fixture
def engines(tiny_model: Any, tiny_tokenizer: Any) -> Iterator[Engines]:
    """Makes engines and closes them after the test."""
    factory = Engines(tiny_model, tiny_tokenizer)
    yield factory
    factory.close()


@pytest.fixture
def keep_all_drafts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy verifies whatever is drafted, up to a whole tree of 63 nodes."""

    def prices(self: Policy, requests: int, rows: int, ms: float, nodes: int) -> Prices:
        self.max_nodes = MAX_NODES
        return Prices(array("d", [-1e-6 * n for n in range(nodes + 1)]), 0.0, 1.0)

    monkeypatch.setattr(Policy, "prices", prices)
    monkeypatch.setattr(Worth, "allow", lambda self: True)


@pytest.fixture
def tensors() -> Tensors:
    """A small EAGLE-3 head."""
    return make_tensors()
