"""One's own conversations as prompts: built as the chat builds them, held out, from the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer
from transformers import PreTrainedTokenizerFast as Tokenizer

from specchat.chat.answer.prompt import build_prompt
from specchat.chat.redaction.redact import WITHHELD
from specchat.chat.slots.message import Message as ChatMessage
from specchat.training.corpus.care_corpus import Message
from specchat.training.corpus.training_tasks import (
    history_conversations,
    make_tasks,
    read_conversations,
)
from storage import Dialogue, Exchange

TALK = (
    Message("user", "Where is my refund?"),
    Message("assistant", "It is on its way."),
    Message("user", "Since when?"),
)


@pytest.fixture(scope="module")
def tiny(tiny_model_dir: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model_dir)


def test_every_question_becomes_the_prompt_that_the_chat_would_make_of_it(tiny: Any) -> None:
    first, second = make_tasks(tiny, [TALK], 200)
    said = [ChatMessage.of(m.role, m.content) for m in TALK]  # type: ignore[arg-type]
    assert tuple(first.prompt.ids) == build_prompt(tiny, said[:1], context_budget=200).ids
    assert tuple(second.prompt.ids) == build_prompt(tiny, said, context_budget=200).ids
    assert first.answer is not None
    assert tiny.decode(first.answer[:-1]) == "It is on its way."
    assert first.answer[-1] == tiny.eos_token_id
    assert second.answer is None
    assert second.sample() is None


def test_a_sample_weighs_the_answer_alone(tiny: Any) -> None:
    first = make_tasks(tiny, [TALK], 200)[0]
    sample = first.sample()
    assert sample is not None
    assert first.answer is not None
    assert sample.ids == first.prompt.ids + first.answer
    assert sample.weights == [0.0] * len(first.prompt.ids) + [1.0] * len(first.answer)


def test_no_question_comes_twice_and_none_beyond_the_length(tiny: Any) -> None:
    assert len(make_tasks(tiny, [TALK, TALK], 200)) == 2
    long = (Message("user", "word " * 300),)
    assert make_tasks(tiny, [long], 100) == []


def test_about_a_tenth_is_held_out_whatever_else_there_is(tiny: Any) -> None:
    talks = [(Message("user", f"question {i} about {i * i}"),) for i in range(400)]
    tasks = make_tasks(tiny, talks, 200)
    held = {task.prompt.id for task in tasks if task.held_out}
    assert 20 < len(held) < 60
    again = make_tasks(tiny, talks[50:350], 200)
    assert all(task.held_out == (task.prompt.id in held) for task in again)


def test_a_customers_numbers_become_slots_where_the_model_has_them(tokenizer: Tokenizer) -> None:
    (task,) = make_tasks(tokenizer, [(Message("user", "where is my order 4417?"),)], 200)
    assert tokenizer.convert_tokens_to_ids("{{order_number}}") in task.prompt.ids


def test_history_goes_as_far_as_the_model_was_understood() -> None:
    said = Exchange("Where is it?", "On its way.")
    withheld, silent = Exchange(WITHHELD, "Yes."), Exchange("And now?", "")
    found = history_conversations(
        [
            Dialogue("a", (said, said)),
            Dialogue("b", (said, withheld, said)),
            Dialogue("c", (silent, said)),
        ]
    )
    assert [len(messages) for messages in found] == [4, 2]
    assert [m.role for m in found[0]] == ["user", "assistant"] * 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no conversation"),
        ("{", "line 1: a conversation is"),
        ('{"messages": []}', "nobody asks anything"),
        ('\n{"messages": [{"role": "boss", "content": "x"}]}', "line 2.*got 'boss'"),
        ('{"messages": [{"role": "user"}]}', "line 1"),
        ("[1]", "line 1"),
    ],
)
def test_a_file_that_is_none_is_named_with_its_line(
    tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_conversations(file)


def test_what_unicode_calls_a_line_break_is_text(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(
        '{"messages": [{"role": "user", "content": "a\u2028b\u2029c\x85"}]}\r\n', encoding="utf-8"
    )
    assert read_conversations(file) == [(Message("user", "a\u2028b\u2029c\x85"),)]


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"messages": [{"role": "user", "content": "hi"}]}\n\n')
    assert read_conversations(file) == [(Message("user", "hi"),)]
    with pytest.raises(FileNotFoundError, match="no conversations file"):
        read_conversations(tmp_path / "other.jsonl")
