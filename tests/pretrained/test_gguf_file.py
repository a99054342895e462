"""GGUF files load as models; what cannot be read is refused before anything is converted."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from specchat.engine.errors import ModelLoadError
from specchat.engine.request import Request, SamplingParams
from specchat.loader import LoadOptions, load, resolve

HIDDEN, INNER, HEADS = 64, 96, 4
WORDS = ["<|endoftext|>", *"abcdefghijklmnopqrstuvwxyz", "Ġ", "th", "the"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specchat.pretrained.cache.cache_folder", lambda: tmp_path / "models")
    monkeypatch.setattr("specchat.pretrained.gguf_file.cache_folder", lambda: tmp_path / "models")


def write(path: Path, family: str = "llama") -> Path:
    """A random model of one layer, its products in Q4_1 and its embedding in Q8_0."""
    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, family)
    writer.add_block_count(1)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(WORDS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(WORDS)
    writer.add_token_types([3, *[1] * (len(WORDS) - 1)])
    writer.add_token_merges(["t h", "th e"])
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(0)
    products = {
        "attn_q": (HIDDEN, HIDDEN), "attn_k": (HIDDEN, HIDDEN), "attn_v": (HIDDEN, HIDDEN),
        "attn_output": (HIDDEN, HIDDEN), "ffn_gate": (INNER, HIDDEN), "ffn_up": (INNER, HIDDEN),
        "ffn_down": (HIDDEN, INNER),
    }  # fmt: skip

    def add(name: str, shape: tuple[int, ...], kind: gguf.GGMLQuantizationType) -> None:
        numbers = rng.standard_normal(shape, dtype=np.float32) / 8
        writer.add_tensor(name, gguf.quants.quantize(numbers, kind), raw_dtype=kind)

    for name, shape in products.items():
        add(f"blk.0.{name}.weight", shape, gguf.GGMLQuantizationType.Q4_1)
    add("token_embd.weight", (len(WORDS), HIDDEN), gguf.GGMLQuantizationType.Q8_0)
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(HIDDEN, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("quantize", [None, "int8", "int4"])
def test_a_gguf_file_answers(tmp_path: Path, quantize: str | None) -> None:
    file = write(tmp_path / "tiny.gguf")
    options = LoadOptions(
        model=str(file), speculators=("ngram",), compile=False, kv_memory_bytes=2**20,
        device="cpu", quantize=quantize,
    )  # fmt: skip
    loaded = load(options)
    try:
        assert loaded.tokenizer.encode("the", add_special_tokens=False) == [WORDS.index("the")]
        request = Request((5, 6, 7), SamplingParams(max_tokens=4, ignore_eos=True))
        assert sum(len(delta.tokens) for delta in loaded.engine.submit(request)) == 4
    finally:
        loaded.engine.close()


def test_its_weights_are_those_of_the_file(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    file = write(tmp_path / "tiny.gguf")
    weights = load_file(resolve(str(file)) / "model.safetensors")
    tensor = next(t for t in gguf.GGUFReader(file).tensors if t.name == "blk.0.ffn_down.weight")
    wanted = torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type))
    assert torch.equal(weights["model.layers.0.mlp.down_proj.weight"], wanted.bfloat16())


def test_a_file_is_converted_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    file = write(tmp_path / "tiny.gguf")
    first = resolve(str(file))
    made = (first / "complete").stat().st_mtime_ns
    assert resolve(str(file)) == first
    assert (first / "complete").stat().st_mtime_ns == made
    file.write_bytes(file.read_bytes() + bytes(32))
    assert resolve(str(file)) != first


def test_a_file_of_another_family_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "tiny.gguf", "mamba")
    with pytest.raises(ModelLoadError, match=r"family 'mamba'; GGUF files are read of llama"):
        resolve(str(file))


def test_what_is_no_gguf_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"there is no file .*none\.gguf"):
        resolve(str(tmp_path / "none.gguf"))
    (tmp_path / "text.gguf").write_text("hello")
    with pytest.raises(ModelLoadError, match="is no GGUF file"):
        resolve(str(tmp_path / "text.gguf"))
    (tmp_path / "cut.gguf").write_bytes(write(tmp_path / "tiny.gguf").read_bytes()[:90])
    with pytest.raises(ModelLoadError, match="is damaged"):
        resolve(str(tmp_path / "cut.gguf"))
