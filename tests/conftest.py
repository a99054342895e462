"""Fixtures that every part uses: a tiny random model with its tokenizer, as real files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from storage import Store
from tests.chromium import browser, new_context

__all__ = ["browser", "new_context"]

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile(
    "specchat",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("specchat")

# Tensors this small gain nothing from threads, and threads that wait for each other in loops make a
# test many times slower when another process wants a processor. It has to be known before torch and
# NumPy are first imported, here and in the processes that tests start.
for library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{library}_NUM_THREADS"] = "1"
# The Triton kernels run on CPU, on NumPy; it has to be known before Triton is first imported.
os.environ.setdefault("TRITON_INTERPRET", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

SPECIAL_TOKENS = ("<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SENTENCES = (
    "Where is my refund for the order?",
    "I am sorry to hear that. Your refund is on the way to your account.",
    "How do I cancel my order? You can cancel an order before it is sent.",
    "Please tell me the order number and I will look at the status of your order.",
)


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads this machine's settings or touches its database."""
    for name in os.environ:
        if name.startswith("SPECCHAT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SPECCHAT_DATABASE_URL", f"sqlite:///{tmp_path / 'specchat.db'}")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture(autouse=True)
def _patient_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test gives up on a record because the machine has other work."""
    for wait in (Store.flush, Store.wait_for_clean_log, Store.close):
        monkeypatch.setattr(wait, "__defaults__", (120.0,))


@pytest.fixture(scope="module")
def several_threads() -> Iterator[None]:
    """For native code, which shares its work among threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random 2-layer Llama (float32, context 2048) with a byte-level BPE and a chat template."""
    directory = tmp_path_factory.mktemp("tiny-llama")
    vocab_size = _save_tokenizer(directory)
    _save_llama(directory, vocab_size)
    return directory


def _save_tokenizer(directory: Path) -> int:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(SENTENCES, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=["<|system|>", "<|user|>", "<|assistant|>"],
        model_max_length=2048,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(directory)
    return len(tokenizer)


def _save_llama(directory: Path, vocab_size: int) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        initializer_range=0.3,  # wide enough that the greedy answer is no single repeated token
        pad_token_id=SPECIAL_TOKENS.index("<|pad|>"),
        eos_token_id=SPECIAL_TOKENS.index("<|end|>"),
        bos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(directory)
