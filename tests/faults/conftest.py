"""A shop on a tiny real model whose KV cache is small, so that requests press on each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from specchat.engine.options import EngineOptions
from specchat.loader import LoadedModel, LoadOptions, load
from specchat.training.tokenizer import train_tokenizer
from tests.chat.conftest import TEXTS
from tests.chat.test_real_engine import save_tiny_care


@pytest.fixture(scope="package")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadedModel]:
    """The engine checks its pages after every step; they are just enough for one long request."""
    directory = tmp_path_factory.mktemp("tiny-care")
    save_tiny_care(directory, train_tokenizer(TEXTS, 420))
    model = load(
        LoadOptions(
            model=str(directory),
            speculators=("ngram", "suffix"),
            device="cpu",
            dtype="float32",
            kv_memory_bytes=2**16,
            compile=False,
            engine=EngineOptions(check_pages=True),
        )
    )
    yield model
    model.engine.close()
