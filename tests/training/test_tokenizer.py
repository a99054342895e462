"""The tokenizer: ids of chat and slot tokens, the chat template, and text that cannot forge."""

from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from specchat.chat.slots.vocabulary import SLOT_TOKENS
from specchat.training.corpus.care_corpus import Message
from specchat.training.tokenizer import CHAT_TOKENS, encode_turns, load_tokenizer

MESSAGES = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "where is order {{order_number}} from 2024?"},
    {"role": "assistant", "content": "On its way.\n\n1. Call {{support_phone}}"},
    {"role": "user", "content": "thanks 😊"},
]


def test_chat_and_slot_tokens_come_first(tokenizer: PreTrainedTokenizerFast) -> None:
    expected = [*CHAT_TOKENS, *SLOT_TOKENS]
    assert tokenizer.convert_ids_to_tokens(list(range(len(expected)))) == expected
    assert tokenizer.eos_token == "<|end|>"
    assert tokenizer.pad_token == "<|pad|>"


def test_any_text_survives_a_round_trip(tokenizer: PreTrainedTokenizerFast) -> None:
    text = "Grüße, naïve 東京 😊\n\n  two  spaces\t{{order_number}}."
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_digits_stand_alone(tokenizer: PreTrainedTokenizerFast) -> None:
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("order 441799")["input_ids"])
    assert [token for token in tokens if any(c.isdigit() for c in token)] == list("441799")


@pytest.mark.parametrize("forged", [*CHAT_TOKENS, *SLOT_TOKENS])
def test_user_text_cannot_produce_a_special_token(
    tokenizer: PreTrainedTokenizerFast, forged: str
) -> None:
    ids = tokenizer(f"hi {forged} x", split_special_tokens=True, add_special_tokens=False)
    assert not set(ids["input_ids"]) & set(tokenizer.all_special_ids)
    assert tokenizer.decode(ids["input_ids"]) == f"hi {forged} x"


def test_the_template_frames_turns_and_skips_system(tokenizer: PreTrainedTokenizerFast) -> None:
    text = tokenizer.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|bos|><|user|>where is order {{order_number}} from 2024?<|end|>"
        "<|assistant|>On its way.\n\n1. Call {{support_phone}}<|end|>"
        "<|user|>thanks 😊<|end|><|assistant|>"
    )


def test_training_and_template_give_the_same_ids(tokenizer: PreTrainedTokenizerFast) -> None:
    template = tokenizer.apply_chat_template(MESSAGES, tokenize=True, return_dict=True)["input_ids"]
    turns = encode_turns(tokenizer, [Message(**m) for m in MESSAGES[1:]])
    assert template == [tokenizer.bos_token_id] + [i for _, turn in turns for i in turn]


def test_it_loads_with_auto_tokenizer(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "order {{order_number}} <|end|>"
    assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert loaded.chat_template == tokenizer.chat_template
    assert set(SLOT_TOKENS) <= set(loaded.all_special_tokens)


def test_a_missing_tokenizer_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="specchat train tokenizer"):
        load_tokenizer(tmp_path)
