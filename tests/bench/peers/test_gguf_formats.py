"""A GGUF file in another number format: the same names, settings and, in BF16, numbers."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize, quantize

from specchat.bench.peers import gguf_formats
from specchat.bench.peers.gguf_formats import in_format, rewrite

Q4_1 = gguf.GGMLQuantizationType.Q4_1


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A matrix in Q4_1 and a vector."""
    file = tmp_path / "tiny.gguf"
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_uint32("llama.block_count", 1)
    writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
    matrix = rng.standard_normal((4, 64)).astype(np.float32)
    writer.add_tensor("token_embd.weight", quantize(matrix, Q4_1), raw_dtype=Q4_1)
    writer.add_tensor("output_norm.weight", rng.standard_normal(64).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _weights(file: Path) -> dict[str, np.ndarray]:
    tensors = gguf.GGUFReader(file).tensors
    return {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in tensors}


@pytest.mark.parametrize(("number_format", "error"), [("BF16", 2**-8), ("Q8_0", 2**-6)])
def test_a_file_in_another_format_holds_the_same_model(
    packed: Path, tmp_path: Path, number_format: str, error: float
) -> None:
    out = tmp_path / "out.gguf"
    rewrite(packed, out, number_format)
    before, after = _weights(packed), _weights(out)
    matrix, vector = "token_embd.weight", "output_norm.weight"
    assert before.keys() == after.keys()
    assert np.array_equal(before[vector], after[vector])
    assert np.abs(before[matrix] - after[matrix]).max() <= error * np.abs(before[matrix]).max()
    reader = gguf.GGUFReader(out)
    assert reader.tensors[0].tensor_type.name == number_format
    assert reader.fields["llama.block_count"].contents() == 1
    assert reader.fields["tokenizer.ggml.tokens"].contents() == ["a", "b"]


def test_a_file_is_written_once(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = in_format(packed, "Q8_0")
    monkeypatch.setattr(gguf_formats, "rewrite", None)
    assert in_format(packed, "Q8_0") == found


def test_a_file_that_has_the_format_is_used_as_it_is() -> None:
    file = Path("Some-Model.Q4_1.gguf")
    assert in_format(file, "Q4_1") == file
