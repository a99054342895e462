"""Texts become vectors: as the reference pools them, whatever shares a batch."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from specchat.engine.errors import ModelLoadError
from specchat.pretrained.adapter import merge_into
from specchat.pretrained.installed import installed_version
from specchat.pretrained.sentence_vectors import (
    DISTRIBUTION,
    SentenceVectors,
    load_encoder,
    load_sentence_vectors,
)
from specchat.training.retrieval.lora import add_lora, save_lora
from tests.pretrained.tiny_bert import save_tiny_bert

TEXTS = ["how long does delivery take?", "refund", "where is my refund " * 40, ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def vectors(folder: Path) -> SentenceVectors:
    loaded = load_sentence_vectors(str(folder))
    assert loaded is not None
    return loaded


def reference(folder: Path, text: str) -> np.ndarray:
    """Mean pooling as the model's page describes it, one text at a time."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length=64)
    with torch.no_grad():
        hidden = model(**tokens).last_hidden_state[0]
    mean = hidden.mean(0)
    return (mean / mean.norm()).numpy()


def test_vectors_are_the_references(folder: Path, vectors: SentenceVectors) -> None:
    found = vectors.encode(TEXTS)
    assert (found.shape, found.dtype) == ((4, 16), np.float32)
    for row, text in zip(found, TEXTS, strict=True):
        np.testing.assert_allclose(row, reference(folder, text), atol=1e-5)


def test_what_shares_a_batch_changes_nothing(vectors: SentenceVectors) -> None:
    together = vectors.encode(TEXTS * 20)
    np.testing.assert_allclose(together[:4], vectors.encode(TEXTS), atol=1e-5)
    np.testing.assert_allclose(together[1], vectors.encode([TEXTS[1]])[0], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_no_text_has_no_vectors(vectors: SentenceVectors) -> None:
    assert vectors.encode([]).shape == (0, 16)


def test_threads_encode_at_once(vectors: SentenceVectors) -> None:
    expected, found = vectors.encode(TEXTS), []
    threads = [
        threading.Thread(target=lambda: found.append(vectors.encode(TEXTS))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for each in found:
        np.testing.assert_allclose(each, expected, atol=1e-6)


def saved_adapter(folder: Path, into: Path) -> torch.Tensor:
    """An adapter that changes something; returns the weight of one layer that it leads to."""
    model = load_encoder(folder)
    for number, weight in enumerate(add_lora(model, (1,), rank=2, alpha=4.0)):
        torch.manual_seed(number)
        torch.nn.init.normal_(weight, std=0.1)
    save_lora(model, into, "tiny")
    layer = model.encoder.layer[1].attention.self.query
    return layer.base.weight + layer.scale * layer.up.half().float() @ layer.down.half().float()


def test_an_adapter_is_merged(folder: Path, tmp_path: Path) -> None:
    expected = saved_adapter(folder, tmp_path)
    model = load_encoder(folder)
    merge_into(model, tmp_path)
    merged = model.encoder.layer[1].attention.self.query.weight
    torch.testing.assert_close(merged, expected)


def test_an_adapter_changes_questions_and_no_texts(
    folder: Path, vectors: SentenceVectors, tmp_path: Path
) -> None:
    saved_adapter(folder, tmp_path)
    adapted = load_sentence_vectors(str(folder), tmp_path)
    assert adapted is not None
    assert adapted.name == vectors.name
    np.testing.assert_array_equal(adapted.encode(TEXTS), vectors.encode(TEXTS))
    assert np.abs(adapted.encode_questions(TEXTS) - vectors.encode(TEXTS)).max() > 1e-3
    np.testing.assert_array_equal(vectors.encode_questions(TEXTS), vectors.encode(TEXTS))


def test_an_adapter_of_another_model_is_named(folder: Path, tmp_path: Path) -> None:
    saved_adapter(folder, tmp_path)
    model = load_encoder(folder)
    del model.encoder.layer[1]
    with pytest.raises(ModelLoadError, match=r"changes encoder\.layer\.1.*lacks"):
        merge_into(model, tmp_path)


def test_files_that_are_missing_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"there is no model\.safetensors"):
        load_sentence_vectors(str(tmp_path))
    with pytest.raises(ModelLoadError, match=r"the adapter in .* cannot be read"):
        load_sentence_vectors(str(folder), tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ModelLoadError, match="cannot be read"):
        load_sentence_vectors(str(tmp_path))


def test_without_the_installed_model_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specchat.pretrained.sentence_vectors.DISTRIBUTION", "no-such-model")
    assert load_sentence_vectors() is None


@pytest.mark.skipif(installed_version(DISTRIBUTION) is None, reason=f"{DISTRIBUTION} is away")
def test_the_real_model_knows_what_is_meant() -> None:
    vectors = load_sentence_vectors()
    assert vectors is not None
    assert (vectors.name, vectors.dimensions) == ("all-MiniLM-L6-v2", 384)
    asked, near, far = vectors.encode(
        ["When will my parcel come?", "Delivery takes two days.", "Our stores sell lamps."]
    )
    assert asked @ near > asked @ far + 0.1
