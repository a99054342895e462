"""From a name to a running engine; every wrong name, file or limit is named in the message."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from specchat import loader
from specchat.engine.errors import ModelLoadError
from specchat.engine.kv.memory_plan import Device, weights_bytes
from specchat.engine.request import Request, SamplingParams
from specchat.loader import BUNDLED, LoadedModel, LoadOptions, load, resolve
from specchat.pretrained.packed import unpacked

Loader = Callable[..., LoadedModel]


@pytest.fixture
def loaded(tiny_model_dir: Path):  # type: ignore[no-untyped-def]
    """Loads the tiny model, eager, with these options changed; closes its engine."""
    engines = []

    def run(**changed: Any) -> LoadedModel:
        defaults = {"model": str(tiny_model_dir), "speculators": ("ngram",), "compile": False}
        model = load(LoadOptions(**{"kv_memory_bytes": 2**20, **defaults, **changed}))
        engines.append(model.engine)
        return model

    yield run
    for engine in engines:
        engine.close()


@pytest.fixture
def copied(tiny_model_dir: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may damage."""
    return Path(shutil.copytree(tiny_model_dir, tmp_path / "family" / "target"))


def save_mlp(directory: Path, vocab_size: int, hidden_size: int) -> Path:
    """A random MLP speculator of one stage."""
    directory.mkdir(parents=True)
    config = {
        "model_type": "mlp_speculator", "vocab_size": vocab_size, "emb_dim": hidden_size,
        "inner_dim": 8, "n_predict": 1, "tie_weights": False, "scale_input": False,
    }  # fmt: skip
    (directory / "config.json").write_text(json.dumps(config))
    tensors = {
        "emb.0.weight": torch.randn(vocab_size, 8),
        "proj.0.weight": torch.randn(8, hidden_size),
        "head.0.weight": torch.randn(vocab_size, 8),
        "ln.0.weight": torch.ones(8),
        "ln.0.bias": torch.zeros(8),
    }
    save_file({f"speculator.{k}": v for k, v in tensors.items()}, directory / "model.safetensors")
    return directory


def vocab_of(directory: Path) -> int:
    return int(json.loads((directory / "config.json").read_text())["vocab_size"])


def test_a_directory_is_loaded_and_answers(loaded: Loader, tiny_model_dir: Path) -> None:
    model = loaded()
    info = model.engine.info
    assert (info.name, info.device, info.dtype) == (str(tiny_model_dir), "cpu", "float32")
    assert info.vocab_size == vocab_of(tiny_model_dir)
    assert info.context_length == 2048
    assert info.speculators == ("ngram",)
    assert model.directory == str(tiny_model_dir)
    stream = model.engine.submit(Request((5, 6, 7), SamplingParams(max_tokens=4, ignore_eos=True)))
    assert sum(len(delta.tokens) for delta in stream) == 4


def test_the_end_token_of_the_tokenizer_ends_an_answer(loaded: Loader) -> None:
    model = loaded()
    eos = model.tokenizer.eos_token_id
    params = SamplingParams(max_tokens=5, logit_bias={eos: 100.0})
    deltas = list(model.engine.submit(Request((5, 6), params)))
    assert deltas[-1].finish == "stop"


def test_the_end_of_a_turn_in_the_template_ends_an_answer(loaded: Loader, copied: Path) -> None:
    """No file calls it an end of text: without this the model goes on with the next turn."""
    tokenizer = AutoTokenizer.from_pretrained(copied)
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|user|>", "<|over|>"]})
    tokenizer.chat_template = (
        "{% for m in messages %}<|user|>{{ m.content }}{{ '<|over|>' if m.role != 'user' }}"
        "{% endfor %}"
    )
    model = AutoModelForCausalLM.from_pretrained(copied)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(copied)
    tokenizer.save_pretrained(copied)
    over = tokenizer.convert_tokens_to_ids("<|over|>")
    assert over != tokenizer.eos_token_id
    params = SamplingParams(max_tokens=5, logit_bias={over: 100.0})
    deltas = list(loaded(model=str(copied)).engine.submit(Request((5, 6), params)))
    assert deltas[-1].finish == "stop"
    assert "".join(delta.text for delta in deltas) == ""


def test_the_longest_answer_leaves_room_for_a_question(loaded: Loader) -> None:
    assert loaded(answer_tokens=2048 - 256).engine.info.context_length == 2048
    with pytest.raises(ModelLoadError, match=r"at most 1792: the context holds 2048 .* got 1793"):
        loaded(answer_tokens=1793)


def test_a_context_is_no_longer_than_the_cache(loaded: Loader) -> None:
    assert loaded(kv_memory_bytes=2**18).engine.info.context_length < 2048
    with pytest.raises(ModelLoadError, match="max_tokens must be at most"):
        loaded(kv_memory_bytes=2**18, answer_tokens=2048 - 256)


def test_half_precision_runs_on_a_cpu_that_multiplies_it(
    loaded: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "multiplies_bf16", lambda: True)
    model = loaded(dtype="bfloat16")
    assert model.engine.info.dtype == "bfloat16"
    stream = model.engine.submit(Request((5, 6, 7), SamplingParams(max_tokens=4, ignore_eos=True)))
    assert sum(len(delta.tokens) for delta in stream) == 4


def test_an_mlp_speculator_beside_the_target_belongs_to_it(loaded: Loader, copied: Path) -> None:
    save_mlp(copied.parent / "mlp_speculator", vocab_of(copied), 64)
    model = loaded(model=str(copied), speculators=("mlp", "ngram"))
    assert model.engine.info.speculators == ("mlp", "ngram")


def test_auto_takes_what_belongs_to_the_model(loaded: Loader, copied: Path) -> None:
    assert loaded(model=str(copied), speculators=("auto",)).engine.info.speculators == (
        "suffix",
        "ngram",
    )
    save_mlp(copied.parent / "mlp_speculator", vocab_of(copied), 64)
    model = loaded(model=str(copied), speculators=("auto", "ngram"))
    assert model.engine.info.speculators == ("mlp", "suffix", "ngram")


def test_an_mlp_speculator_may_be_named(loaded: Loader, copied: Path, tmp_path: Path) -> None:
    directory = save_mlp(tmp_path / "mine", vocab_of(copied), 64)
    assert loaded(speculators=(f"mlp:{directory}",)).engine.info.speculators == ("mlp",)


def test_no_speculator_is_plain_decoding(loaded: Loader) -> None:
    assert loaded(speculators=()).engine.info.speculators == ()


def test_the_cache_is_as_large_as_the_memory_allows(loaded: Loader) -> None:
    page = 2 * 2 * 2 * 16 * 16 * 4  # keys and values, layers, heads, head size, tokens, bytes
    assert loaded(kv_memory_bytes=10 * page + 5).engine.snapshot().pages_total == 10


def test_the_memory_is_accounted_for(loaded: Loader) -> None:
    model = loaded(kv_memory_bytes=2**20)
    assert model.memory is not None
    assert model.memory.weights >= 4 * model.engine.info.parameters
    assert 0 < model.memory.pages <= 2**20


def test_a_share_of_the_memory_may_be_given(
    loaded: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = 2 * 2 * 2 * 16 * 16 * 4
    free = lambda device: [Device(device, 100 * page + 2**20)]  # noqa: E731
    monkeypatch.setattr("specchat.loader.devices", free)
    model = loaded(kv_memory_bytes=None, kv_memory_share=0.5)
    assert model.engine.snapshot().pages_total == (100 * page + 2**20) // 2 // page


def test_a_cache_that_does_not_fit_says_by_how_much(
    loaded: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specchat.loader.devices", lambda device: [Device(device, 2**20)])
    with pytest.raises(ModelLoadError, match=r"KV cache of 3.0 MiB does not fit: .*2.0 MiB too"):
        loaded(kv_memory_bytes=3 * 2**20)


def test_weights_that_do_not_fit_say_by_how_much(
    loaded: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "specchat.engine.model.pretrained.devices", lambda device: [Device(device, 9)]
    )
    with pytest.raises(ModelLoadError, match=r"weights take .* MiB, 0.0 MiB are free on .* little"):
        loaded()


@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_quantised_weights_answer_the_same_before_and_after_the_native_step_takes_over(
    loaded: Loader, kind: str
) -> None:
    request = Request((7, 8, 9), SamplingParams(max_tokens=12, ignore_eos=True))
    engine = loaded(quantize=kind).engine

    def answer() -> list[int]:
        return [token for delta in engine.submit(request) for token in delta.tokens]

    eager = answer()
    engine._runner.native.compile()
    assert engine.snapshot().backend == "native", engine._runner.native.reason
    assert answer() == eager


def test_weights_quantised_by_torchao_take_less_and_answer(loaded: Loader) -> None:
    pytest.importorskip("torchao", reason="needs the extra specchat[quantize]")
    full = loaded(dtype="bfloat16")
    half = loaded(dtype="bfloat16", quantize="fp8")
    assert full.memory is not None
    assert half.memory is not None
    assert half.memory.weights < 0.8 * full.memory.weights
    request = Request((7, 8, 9), SamplingParams(max_tokens=4, ignore_eos=True))
    deltas = list(half.engine.submit(request))
    assert sum(len(delta.tokens) for delta in deltas) == 4


def test_quantising_without_its_library_names_what_to_install(
    loaded: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    with pytest.raises(ModelLoadError, match=r"fp8 needs torchao; .*specchat\[quantize\]"):
        loaded(quantize="fp8")


def test_an_unknown_quantisation_is_named(loaded: Loader) -> None:
    with pytest.raises(ModelLoadError, match="quantize must be one of int8, int4, fp8, got 'int3'"):
        loaded(quantize="int3")


def test_a_bundled_name_wins_over_a_directory_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "care-mini").mkdir()
    assert resolve("care-mini") == unpacked(BUNDLED / "care-mini" / "target")


def no_base() -> Path:
    raise ModelLoadError("the assistant's base is not installed")


def test_where_the_assistant_cannot_be_had_the_small_model_answers_and_that_is_said(
    loaded: Loader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loader, "ADAPTER", tmp_path)
    monkeypatch.setattr("specchat.pretrained.adapter.base_directory", no_base)
    with pytest.raises(ModelLoadError, match="base is not installed"):
        loaded(model="care")
    model = loaded(model="care", skip_what_fails=True)
    assert model.engine.info.name == "care-mini"
    assert model.problems == (
        "The model care cannot be used: the assistant's base is not installed. "
        "care-mini answers instead.",
    )


@pytest.mark.parametrize(
    "name", ["/no/such/model", "no_such_model", "", "~nobody_here/model", "a/b/c", "a b/c"]
)
def test_an_unknown_model_is_named(loaded: Loader, name: str) -> None:
    with pytest.raises(ModelLoadError, match="is no bundled model") as error:
        loaded(model=name)
    assert repr(name) in str(error.value)


def test_a_hub_name_that_cannot_be_fetched_is_named(loaded: Loader) -> None:
    with pytest.raises(ModelLoadError, match="'no-such-owner/no-such-model' is no directory here"):
        loaded(model="no-such-owner/no-such-model")


def test_an_empty_directory_is_named(loaded: Loader, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=str(tmp_path)):
        loaded(model=str(tmp_path))


def test_a_model_without_weights_is_named(loaded: Loader, copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    with pytest.raises(ModelLoadError, match=r"target holds no .safetensors weights"):
        loaded(model=str(copied))


@pytest.mark.parametrize("keep", [0, 5, 1000, -64])
def test_damaged_weights_are_named(loaded: Loader, copied: Path, keep: int) -> None:
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(ModelLoadError, match=r"target cannot be loaded: ."):
        loaded(model=str(copied))


def test_weights_that_lack_a_tensor_are_refused_instead_of_made_up(
    loaded: Loader, copied: Path
) -> None:
    weights = copied / "model.safetensors"
    tensors = load_file(weights)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"lack model.layers.1.mlp.up_proj.weight"):
        loaded(model=str(copied))


def test_a_damaged_configuration_is_named(loaded: Loader, copied: Path) -> None:
    (copied / "config.json").write_text("{")
    with pytest.raises(ModelLoadError, match="target"):
        loaded(model=str(copied))


def test_a_damaged_tokenizer_is_named(loaded: Loader, copied: Path) -> None:
    (copied / "tokenizer.json").write_text('{"version": 12}')
    with pytest.raises(ModelLoadError, match=r"the tokenizer in .*target cannot be read"):
        loaded(model=str(copied))


def test_a_tokenizer_larger_than_the_model_is_refused_with_both_sizes(
    loaded: Loader, copied: Path
) -> None:
    model = loaded(model=str(copied))
    model.tokenizer.add_tokens(["one more", "and another"])
    model.tokenizer.save_pretrained(copied)
    vocab = vocab_of(copied)
    with pytest.raises(ModelLoadError, match=f"up to {vocab + 1}, but .* has {vocab}"):
        loaded(model=str(copied))


@pytest.mark.parametrize("entry", ["eagle9", "ngram:somewhere", "", "MLP", "draft:", "mlp:"])
def test_an_unknown_speculator_is_named(loaded: Loader, entry: str) -> None:
    with pytest.raises(ModelLoadError, match=r"speculator must be .*'ngram'") as error:
        loaded(speculators=(entry,))
    assert repr(entry) in str(error.value)


def test_a_model_without_an_mlp_speculator_of_its_own_says_so(loaded: Loader) -> None:
    with pytest.raises(ModelLoadError, match="no MLP speculator is known for"):
        loaded(speculators=("mlp",))


def test_an_mlp_speculator_of_another_vocabulary_is_refused(loaded: Loader, tmp_path: Path) -> None:
    directory = save_mlp(tmp_path / "mine", 77, 64)
    with pytest.raises(ModelLoadError, match="vocabulary of 77"):
        loaded(speculators=(f"mlp:{directory}",))


def test_an_mlp_speculator_that_is_not_there_is_named(loaded: Loader) -> None:
    with pytest.raises(ModelLoadError, match="speculator '/no/such' is no"):
        loaded(speculators=("mlp:/no/such",))


def test_a_draft_model_beside_the_target_belongs_to_it(loaded: Loader, copied: Path) -> None:
    shutil.copytree(copied, copied.parent / "draft")
    model = loaded(model=str(copied), speculators=("draft",))
    assert model.engine.info.speculators == ("draft_model",)
    deltas = list(model.engine.submit(Request((5, 6, 7), SamplingParams(max_tokens=20))))
    assert deltas[-1].stats is not None
    assert deltas[-1].stats.accepted > 0


def test_a_draft_model_may_be_named(loaded: Loader, copied: Path) -> None:
    model = loaded(speculators=(f"draft:{copied}", "ngram"))
    assert model.engine.info.speculators == ("draft_model", "ngram")


def test_medusa_heads_may_lie_beside_the_target_or_be_named(loaded: Loader, copied: Path) -> None:
    heads = copied.parent / "medusa"
    heads.mkdir()
    (heads / "config.json").write_text("{}")
    save_file(
        {
            "0.0.linear.weight": torch.zeros(64, 64),
            "0.0.linear.bias": torch.zeros(64),
            "0.1.weight": torch.randn(vocab_of(copied), 64),
        },
        heads / "model.safetensors",
    )
    model = loaded(model=str(copied), speculators=("medusa",))
    assert model.engine.info.speculators == ("medusa",)
    assert loaded(speculators=(f"medusa:{heads}",)).engine.info.speculators == ("medusa",)
    with pytest.raises(ModelLoadError, match="no Medusa heads of its own found for"):
        loaded(speculators=("medusa",))


def test_a_model_without_a_draft_of_its_own_says_so(loaded: Loader) -> None:
    with pytest.raises(ModelLoadError, match="no draft model of its own found for"):
        loaded(speculators=("draft",))


def test_bad_speculators_may_be_skipped_and_are_then_reported(
    loaded: Loader, copied: Path, tmp_path: Path
) -> None:
    save_mlp(tmp_path / "mine", 77, 64)
    bad = ("eagle9", f"mlp:{tmp_path / 'mine'}", "draft")
    model = loaded(speculators=(*bad, "ngram"), skip_what_fails=True)
    assert model.engine.info.speculators == ("ngram",)
    assert len(model.problems) == 3
    for entry, problem in zip(bad, model.problems, strict=True):
        assert problem.startswith(f"Speculator {entry} is not used: ")
    stream = model.engine.submit(Request((5, 6, 7), SamplingParams(max_tokens=4, ignore_eos=True)))
    assert sum(len(delta.tokens) for delta in stream) == 4


def test_speculators_are_counted_before_the_pages(
    loaded: Loader, copied: Path, tiny_model_dir: Path
) -> None:
    save_mlp(copied.parent / "mlp_speculator", vocab_of(copied), 64)
    alone = loaded(model=str(copied), speculators=()).memory
    memory = loaded(model=str(copied), speculators=("mlp", "ngram")).memory
    assert alone is not None
    assert memory is not None
    assert alone.speculators == 0
    assert memory.speculators == 4 * (2 * vocab_of(copied) * 8 + 8 * 64 + 2 * 8)
    drafted = loaded(model=str(copied), speculators=(f"draft:{tiny_model_dir}",)).memory
    assert drafted is not None
    own = weights_bytes(tiny_model_dir, torch.float32)
    assert drafted.speculators == own + drafted.pages // 4
    assert "speculators" in str(drafted)


def test_a_speculator_that_does_not_fit_on_the_gpu_is_no_crash(
    loaded: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(entry: str, target: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 6.00 GiB\nsee more")

    monkeypatch.setattr(loader, "load_speculator", full)
    with pytest.raises(ModelLoadError, match="ngram does not fit beside the model: CUDA out of"):
        loaded()
    model = loaded(skip_what_fails=True)
    assert model.engine.info.speculators == ()
    assert "ngram does not fit" in model.problems[0]


@pytest.mark.parametrize(
    ("gpus", "wanted"), [([True], torch.bfloat16), ([False], torch.float16),
                         ([True, False], torch.float16)]
)  # fmt: skip
def test_a_gpu_without_bfloat16_computes_in_float16(
    monkeypatch: pytest.MonkeyPatch, tiny_model_dir: Path, gpus: list[bool], wanted: torch.dtype
) -> None:
    """A T4, for example; and one among others."""
    current: list[int] = []

    @contextmanager
    def on(gpu: int) -> Iterator[None]:
        current[:] = [gpu]
        yield

    def supported(*, including_emulation: bool) -> bool:
        return including_emulation or gpus[current[0]]

    monkeypatch.setattr(torch.cuda, "device", on)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert loader._dtype("auto", torch.device("cuda"), tiny_model_dir) == wanted
    assert loader._dtype("auto", torch.device("cuda", 0), tiny_model_dir) == (
        torch.bfloat16 if gpus[0] else torch.float16
    )


def test_a_missing_suffix_store_is_named(loaded: Loader) -> None:
    with pytest.raises(ModelLoadError, match="/no/such/store"):
        loaded(speculators=("suffix:/no/such/store",))


def test_suffix_drafting_begins_empty_where_no_store_belongs_to_the_model(loaded: Loader) -> None:
    model = loaded(speculators=("suffix",))
    assert model.engine.info.speculators == ("suffix",)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("name", ["cuda", "cuda:3"])
def test_a_gpu_that_is_not_there_is_named(loaded: Loader, name: str) -> None:
    with pytest.raises(ModelLoadError, match=f"'{name}' was asked for, but no CUDA GPU"):
        loaded(device=name)


@pytest.mark.parametrize("name", ["gpu", "", "meta", "mps"])
def test_an_unknown_device_is_named(loaded: Loader, name: str) -> None:
    with pytest.raises(ModelLoadError, match="device must be 'auto', 'cpu' or 'cuda'") as error:
        loaded(device=name)
    assert repr(name) in str(error.value)


def test_an_unknown_dtype_is_named(loaded: Loader) -> None:
    with pytest.raises(ModelLoadError, match=r"dtype must be 'auto' or one of .*got 'int3'"):
        loaded(dtype="int3")


@pytest.mark.parametrize("size", [0, 100, -5])
def test_too_little_cache_memory_is_named(loaded: Loader, size: int) -> None:
    with pytest.raises(ModelLoadError, match=rf"at least \d+ bytes \(two pages\), got {size}"):
        loaded(kv_memory_bytes=size)


@pytest.mark.parametrize(("stored", "fast", "wanted"), [
    (torch.bfloat16, True, "bfloat16"),
    (torch.bfloat16, False, "float32"),
    (torch.float32, True, "float32"),
])  # fmt: skip
def test_a_cpu_runs_in_bf16_where_it_multiplies_it_and_the_weights_are_in_it(
    loaded: Loader,
    copied: Path,
    monkeypatch: pytest.MonkeyPatch,
    stored: torch.dtype,
    fast: bool,
    wanted: str,
) -> None:
    model = AutoModelForCausalLM.from_pretrained(copied).to(stored)
    model.save_pretrained(copied)
    monkeypatch.setattr(loader, "multiplies_bf16", lambda: fast)
    assert loaded(model=str(copied), device="cpu").engine.info.dtype == wanted


def test_bf16_on_a_cpu_that_does_not_multiply_it_means_its_weights_in_float32(
    loaded: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emulated products would take tens of times as long as float32's."""
    monkeypatch.setattr(loader, "multiplies_bf16", lambda: False)
    taken: list[torch.nn.Module] = []
    runner = loader.ModelRunner

    def watched(model: torch.nn.Module, **more: Any) -> Any:
        taken.append(model)
        return runner(model, **more)

    monkeypatch.setattr(loader, "ModelRunner", watched)
    assert loaded(device="cpu", dtype="bfloat16").engine.info.dtype == "float32"
    for weight in taken[0].parameters():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, weight.bfloat16().float())
