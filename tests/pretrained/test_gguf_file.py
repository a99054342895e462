"""GGUF files load as models; what cannot be read is refused before anything is converted."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoConfig, LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from specchat.engine.errors import ModelLoadError
from specchat.engine.request import Request, SamplingParams
from specchat.loader import LoadOptions, load, resolve

HIDDEN, INNER, HEADS = 64, 96, 4
MARKS = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]  # of Gemma
HEAD = {"gemma2": 256, "gemma3": 256}  # of other families HIDDEN / HEADS
WORDS = ["<|endoftext|>", *"abcdefghijklmnopqrstuvwxyz", "Ġ", "th", "the"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specchat.pretrained.cache.cache_folder", lambda: tmp_path / "models")
    monkeypatch.setattr("specchat.pretrained.gguf_file.cache_folder", lambda: tmp_path / "models")


def write(
    path: Path,
    family: str = "llama",
    head: int | None = None,
    factors: np.ndarray | None = None,
    scaling: str | None = None,
) -> Path:
    """A random model of one layer, its products in Q4_1 and its embedding in Q8_0. `factors` are
    what the frequencies of its positions are divided by, `scaling` is what it says of that."""
    rng = np.random.default_rng(1)
    words = [*WORDS, *MARKS] if family in HEAD else WORDS
    wide = HEADS * (head or HEAD.get(family, HIDDEN // HEADS))
    writer = gguf.GGUFWriter(path, family)
    writer.add_block_count(1)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(words))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_types([3, *[1] * (len(words) - 1)])
    writer.add_token_merges(["t h", "th e"])
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(0)
    if scaling is not None:
        writer.add_rope_scaling_type(gguf.RopeScalingType(scaling))
    products = {
        "attn_q": (wide, HIDDEN), "attn_k": (wide, HIDDEN), "attn_v": (wide, HIDDEN),
        "attn_output": (HIDDEN, wide), "ffn_gate": (INNER, HIDDEN), "ffn_up": (INNER, HIDDEN),
        "ffn_down": (HIDDEN, INNER),
    }  # fmt: skip
    norms = {"blk.0.attn_norm": HIDDEN, "blk.0.ffn_norm": HIDDEN, "output_norm": HIDDEN}
    if family in HEAD:
        writer.add_key_length(wide // HEADS)
        writer.add_sliding_window(64)
        norms |= {"blk.0.post_attention_norm": HIDDEN, "blk.0.post_ffw_norm": HIDDEN}
    if family == "gemma3":
        norms |= {"blk.0.attn_q_norm": wide // HEADS, "blk.0.attn_k_norm": wide // HEADS}

    def add(name: str, shape: tuple[int, ...], kind: gguf.GGMLQuantizationType) -> None:
        numbers = rng.standard_normal(shape, dtype=np.float32) / 8
        writer.add_tensor(name, gguf.quants.quantize(numbers, kind), raw_dtype=kind)

    for name, shape in products.items():
        add(f"blk.0.{name}.weight", shape, gguf.GGMLQuantizationType.Q4_1)
    add("token_embd.weight", (len(words), HIDDEN), gguf.GGMLQuantizationType.Q8_0)
    for name, size in norms.items():
        writer.add_tensor(f"{name}.weight", np.ones(size, dtype=np.float32))
    if factors is not None:
        writer.add_tensor("rope_freqs.weight", factors.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("family", "quantize"),
    [("llama", None), ("llama", "int8"), ("llama", "int4"), ("gemma2", None), ("gemma3", None)],
)
def test_a_gguf_file_answers(tmp_path: Path, family: str, quantize: str | None) -> None:
    file = write(tmp_path / "tiny.gguf", family)
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


def test_the_positions_of_llama_3_are_those_that_its_factors_give(tmp_path: Path) -> None:
    config = LlamaConfig(hidden_size=HIDDEN, num_attention_heads=HEADS)
    plain = LlamaRotaryEmbedding(config).inv_freq
    rope = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 32.0, "low_freq_factor": 1.0}
    rope |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    config.rope_parameters = rope
    scaled = LlamaRotaryEmbedding(config).inv_freq
    file = write(tmp_path / "tiny.gguf", factors=(plain / scaled).numpy())
    found = AutoConfig.from_pretrained(resolve(str(file)))
    torch.testing.assert_close(LlamaRotaryEmbedding(found).inv_freq, scaled, rtol=1e-4, atol=0)


def test_what_would_be_left_out_without_a_word_is_refused(tmp_path: Path) -> None:
    unknown = write(tmp_path / "a.gguf", factors=np.array([1, 2, 9, 4, 5, 6, 7, 8]))
    linear = write(tmp_path / "b.gguf", "gemma3", scaling="linear")
    other = write(tmp_path / "c.gguf", "gemma2", head=128)
    for file in (unknown, linear):
        with pytest.raises(ModelLoadError, match="scales its positions, which cannot be read"):
            resolve(str(file))
    with pytest.raises(ModelLoadError, match="has heads of another size than 256"):
        resolve(str(other))


@pytest.mark.parametrize("length", [2**40, 2**63, 2**64 - 1])
@pytest.mark.parametrize("kind", [0, 7, 8, 9], ids=["numbers", "flags", "texts", "lists"])
def test_a_list_that_would_end_behind_the_file_is_refused(
    tmp_path: Path, kind: int, length: int
) -> None:
    """The reader would go on with nothing until the memory is full."""
    data = bytearray(write(tmp_path / "tiny.gguf").read_bytes())
    at = data.index(b"tokenizer.ggml.token_type") + len(b"tokenizer.ggml.token_type") + 4
    data[at : at + 12] = struct.pack("<IQ", kind, length)
    file = tmp_path / "damaged.gguf"
    file.write_bytes(data)
    with pytest.raises(ModelLoadError, match=r"is damaged: a list of \d+ at byte \d+ would end"):
        resolve(str(file))


@pytest.mark.parametrize("place", [8, 16], ids=["tensors", "entries"])
def test_more_than_fits_into_the_file_is_refused(tmp_path: Path, place: int) -> None:
    file = write(tmp_path / "tiny.gguf")
    data = bytearray(file.read_bytes())
    data[place : place + 8] = struct.pack("<Q", 2**50)
    file.write_bytes(data)
    with pytest.raises(ModelLoadError, match=r"is damaged: \d+ (tensors|entries) at byte 24"):
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
