"""Token by token to text: characters of several bytes, special tokens, slots."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from specchat.engine.errors import ModelLoadError
from specchat.engine.output.detokenizer import Detokenizer

TEXTS = [
    "Where is my refund?",
    "naïve café – 12 €",
    "日本語のテキスト",
    "👩‍🚀 emoji 🎉🎉",
    "  \n\n\ttabs",
]


def pieces(tokenizer: Any, ids: list[int]) -> list[str]:
    step = Detokenizer(tokenizer).start()
    return [step(token_id) for token_id in ids]


@pytest.mark.parametrize("text", TEXTS)
def test_the_pieces_make_the_text(tiny_tokenizer: Any, text: str) -> None:
    ids = tiny_tokenizer.encode(text, add_special_tokens=False)
    assert "".join(pieces(tiny_tokenizer, ids)) == text


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_survives(tiny_tokenizer: Any, text: str) -> None:
    ids = tiny_tokenizer.encode(text, add_special_tokens=False)
    if tiny_tokenizer.decode(ids) == text and not text.endswith("\ufffd"):
        assert "".join(pieces(tiny_tokenizer, ids)) == text


def test_half_a_character_is_never_shown(tiny_tokenizer: Any) -> None:
    ids = tiny_tokenizer.encode("a🎉b", add_special_tokens=False)
    assert len(ids) > 3  # the tiny tokenizer spells the character in bytes
    shown = pieces(tiny_tokenizer, ids)
    assert [piece for piece in shown if piece] == ["a", "🎉", "b"]


def test_bytes_that_never_become_a_character_do_not_hold_up_the_text(tiny_tokenizer: Any) -> None:
    (lead, *_) = tiny_tokenizer.encode("🎉", add_special_tokens=False)
    rest = tiny_tokenizer.encode("hello", add_special_tokens=False)
    shown = "".join(pieces(tiny_tokenizer, [lead, *rest]))
    assert shown.endswith("hello")
    assert "hello" in "".join(pieces(tiny_tokenizer, [lead] * 20 + rest))


def test_words_seen_before_do_not_hide_what_begins_or_ends_inside_a_character(
    tiny_tokenizer: Any,
) -> None:
    detokenizer = Detokenizer(tiny_tokenizer)
    for text in ["a🎉b", "ab", "🎉a", "b🎉🎉", "aé", "éa"] * 2:
        step = detokenizer.start()
        ids = tiny_tokenizer.encode(text, add_special_tokens=False)
        assert "".join(step(token_id) for token_id in ids) == text


def test_special_tokens_are_not_shown(tiny_tokenizer: Any) -> None:
    ids = tiny_tokenizer.encode("<|user|>Where<|end|>", add_special_tokens=False)
    assert "".join(pieces(tiny_tokenizer, ids)) == "Where"


def test_a_slot_is_shown_although_it_is_special(tiny_tokenizer: Any) -> None:
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["{{order_number}}"]})
    ids = tokenizer.encode("no {{order_number}} yet", add_special_tokens=False)
    assert "".join(pieces(tokenizer, ids)) == "no {{order_number}} yet"


def test_two_answers_do_not_share_state(tiny_tokenizer: Any) -> None:
    detokenizer = Detokenizer(tiny_tokenizer)
    ids = tiny_tokenizer.encode("🎉", add_special_tokens=False)
    first, second = detokenizer.start(), detokenizer.start()
    for token_id in ids[:-1]:
        assert first(token_id) == second(token_id) == ""
    assert first(ids[-1]) == "🎉"
    assert second(ids[-1]) == "🎉"


def test_a_word_piece_tokenizer_keeps_its_spaces() -> None:
    vocab = {"▁Hello": 0, "▁world": 1, "!": 2, "<unk>": 3}
    backend = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    assert pieces(tokenizer, [0, 1, 2]) == ["Hello", " world", "!"]


def test_a_tokenizer_without_a_fast_backend_is_refused() -> None:
    with pytest.raises(ModelLoadError, match="object has no fast backend"):
        Detokenizer(object())
