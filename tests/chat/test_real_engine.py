"""The chat on the real engine with a tiny random model: what no double can show."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from specchat.chat.company.profile import Company
from specchat.chat.service import ChatService
from specchat.chat.types import AnswerOptions
from specchat.engine.options import EngineOptions
from specchat.loader import LoadedModel, LoadOptions, load
from storage import Store

OWNER = "ann"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, care_tokenizer: Any) -> Iterator[LoadedModel]:
    directory = tmp_path_factory.mktemp("tiny-care")
    save_tiny_care(directory, care_tokenizer)
    model = load(
        LoadOptions(
            model=str(directory),
            speculators=("ngram",),
            device="cpu",
            dtype="float32",
            kv_memory_bytes=8 * 2**20,
            compile=False,
            engine=EngineOptions(check_pages=True),
        )
    )
    yield model
    model.engine.close()


@pytest.fixture
def service(loaded: LoadedModel, store: Store, company: Company) -> ChatService:
    return ChatService(loaded, store, company)


def save_tiny_care(directory: Path, tokenizer: Any) -> None:
    tokenizer.save_pretrained(directory)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.3,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(directory)


def idle(loaded: LoadedModel) -> bool:
    snapshot = loaded.engine.snapshot()
    return snapshot.running == snapshot.waiting == snapshot.pages_held == 0


def test_an_answer_streams_fills_slots_and_is_stored(
    loaded: LoadedModel, service: ChatService, store: Store
) -> None:
    assert loaded.uses_slots
    conversation = service.new_conversation(OWNER)
    options = AnswerOptions(max_tokens=60, temperature=1.0, seed=1)
    last = list(service.answer(conversation, "where is order 4417?", owner=OWNER, options=options))[
        -1
    ]
    assert last.status == "completed"
    assert "{{" not in last.text
    assert "".join(segment.text for segment in last.segments) == last.text
    assert store.flush()
    (row,) = store.turns(conversation)
    assert row.metrics is not None
    assert row.metrics.completion_tokens == last.stats.completion_tokens > 0  # type: ignore[union-attr]


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_plain_and_speculative_answers_are_the_same_text(
    service: ChatService, temperature: float
) -> None:
    texts = set()
    for mode in ("plain", "speculative"):
        options = AnswerOptions(mode=mode, max_tokens=48, temperature=temperature, seed=5)  # type: ignore[arg-type]
        conversation = service.new_conversation(OWNER)
        stream = service.answer(conversation, "cancel order 4417", owner=OWNER, options=options)
        texts.add(list(stream)[-1].text)
    assert len(texts) == 1


def test_a_second_turn_reuses_the_pages_of_the_first(service: ChatService) -> None:
    conversation = service.new_conversation(OWNER)
    options = AnswerOptions(max_tokens=24)
    question = "why is it so late, it is 12 days and 34 hours and 56 minutes now"
    list(service.answer(conversation, question, owner=OWNER, options=options))
    last = list(service.answer(conversation, "and now?", owner=OWNER, options=options))[-1]
    assert last.stats is not None
    assert last.stats.cached_tokens > 0


def test_closing_mid_answer_frees_the_engine_and_stores_once(
    loaded: LoadedModel, service: ChatService, store: Store
) -> None:
    conversation = service.new_conversation(OWNER)
    options = AnswerOptions(max_tokens=400, temperature=1.0, seed=2)
    stream = service.answer(conversation, "hi there", owner=OWNER, options=options)
    next(stream)
    next(stream)
    stream.close()
    assert idle(loaded)
    assert store.flush()
    (row,) = store.turns(conversation)
    assert row.status == "cancelled"
    assert row.metrics is not None


def test_sixteen_customers_at_once_are_all_answered(
    loaded: LoadedModel, service: ChatService, store: Store
) -> None:
    conversations = [service.new_conversation(f"customer {i}") for i in range(16)]
    ended: dict[str, str] = {}

    def run(number: int, conversation: str) -> None:
        options = AnswerOptions(max_tokens=32, temperature=1.0, seed=number)
        owner = f"customer {number}"
        stream = service.answer(conversation, f"order {1000 + number}?", owner=owner,
                                options=options)  # fmt: skip
        ended[conversation] = list(stream)[-1].status

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(conversations)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(ended.values()) == ["completed"] * 16
    assert idle(loaded)
    assert store.flush()
    assert all(len(store.turns(conversation)) == 1 for conversation in conversations)
