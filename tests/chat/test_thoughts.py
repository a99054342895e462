"""Thoughts are no part of an answer, however a model marks them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from specchat.chat import wording as say
from specchat.chat.answer.prompt import PromptBuilder
from specchat.chat.types import AnswerOptions
from specchat.engine.output.thoughts import MARKERS, THOUGHT_TOKENS, Thinking
from specchat.engine.request import Token
from tests.chat.conftest import Chat

Make = Callable[..., Chat]

QWEN = (
    "{% for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor %}<|assistant|>"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% endif %}"
)
DEEPSEEK = "{% for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor %}<|assistant|><think>\n"


def spoken(pieces: Sequence[str], thinking: Thinking | None = None) -> str:
    thoughts = (thinking or Thinking()).start()
    said = ""
    for piece in pieces:
        found = thoughts.feed([Token(7, piece, "target")])
        if thoughts.restarted:
            said, thoughts.restarted = "", False
        said += "".join(text for text, _ in found)
    return said + "".join(text for text, _ in thoughts.flush())


@pytest.mark.parametrize(("opening", "closing"), MARKERS)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_thought_is_left_out_however_it_is_cut(opening: str, closing: str, size: int) -> None:
    text = f"{opening}\nShe asks < 5 days [or so].\n{closing}\n\nIt takes 3 < 5 days [at most]."
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert spoken(pieces) == "It takes 3 < 5 days [at most]."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<think>never closed", ""),
        ("Yes. <think>or no?</think> It is so.", "Yes. It is so."),
        ("<think></think>A<think>b</think>C", "AC"),
        ("a thought that the prompt opened</think>\nYes.", "Yes."),
        ("3 <", "3 <"),
        (" a < b <thin", " a < b <thin"),
    ],
)
def test_thoughts_in_other_places(text: str, said: str) -> None:
    assert spoken(list(text)) == said
    assert spoken([text]) == said


def with_template(tokenizer: Any, template: str, **added: Any) -> Any:
    changed = copy.deepcopy(tokenizer)
    changed.add_tokens(["<think>", "</think>"], **added)
    changed.chat_template = template
    return changed


@pytest.mark.parametrize("special", [False, True])
def test_markers_that_are_tokens_are_seen_though_they_are_not_shown(
    care_tokenizer: Any, special: bool
) -> None:
    tokenizer = with_template(care_tokenizer, QWEN, special_tokens=special)
    thinking = Thinking.of(tokenizer, PromptBuilder(tokenizer).text("hi"))
    assert (thinking.tokens, thinking.opened) == (THOUGHT_TOKENS, "")
    opening, closing = tokenizer.convert_tokens_to_ids(["<think>", "</think>"])
    thoughts = thinking.start()
    tokens = [
        Token(opening, "", "target"), Token(7, "hm", "target"), Token(closing, "", "ngram"),
        Token(7, "\n\n", "target"), Token(7, "Yes", "ngram"),
    ]  # fmt: skip
    assert [piece for piece in thoughts.feed(tokens) if piece[0]] == [("Yes", "ngram")]


def test_templates_are_asked_for_no_thoughts(care_tokenizer: Any) -> None:
    tokenizer = with_template(care_tokenizer, QWEN)
    builder = PromptBuilder(tokenizer)
    text = tokenizer.decode(builder.answer((), whole=False, question=("hi",)))
    assert text.endswith("<think>\n\n</think>\n\n")


def test_a_thought_that_the_prompt_opens_is_one(care_tokenizer: Any) -> None:
    tokenizer = with_template(care_tokenizer, DEEPSEEK)
    thinking = Thinking.of(tokenizer, PromptBuilder(tokenizer).text("hi"))
    assert thinking.opened == "</think>"
    assert spoken(["hm, she", " asks</th", "ink>\n\nYes", "."], thinking) == "Yes."


def answered(chat: Chat, script: Sequence[str], most: int) -> Any:
    chat.engine.says(*((text, "target") for text in script))
    conversation = chat.service.new_conversation("ann")
    options = AnswerOptions(max_tokens=most)
    return list(
        chat.service.answer(conversation, "hi what is up", owner="ann", options=options)
    ), conversation


def test_thoughts_are_neither_shown_nor_stored_nor_counted(
    make_chat: Make, care_tokenizer: Any
) -> None:
    chat = make_chat(tokenizer=with_template(care_tokenizer, QWEN), context_length=8192)
    script = ["<think>", *[" hm"] * 30, "</think>", "\n\n", *[" word"] * 6]
    updates, conversation = answered(chat, script, most=4)
    assert all("hm" not in update.text for update in updates)
    last = updates[-1]
    assert (last.text, last.status) == ("word word word word", "completed")
    assert last.notes[-1] == say.cut(4)
    assert chat.engine.streams[-1].request.params.max_tokens == 4 + THOUGHT_TOKENS
    chat.store.flush()
    assert [t.answer for t in chat.service.history(conversation, "ann")] == [last.text]
    assert "hm" not in chat.service.export(conversation, "json", owner="ann")


def test_a_thought_without_an_end_gives_no_answer_and_says_so(
    make_chat: Make, care_tokenizer: Any
) -> None:
    chat = make_chat(tokenizer=with_template(care_tokenizer, DEEPSEEK))
    updates, _ = answered(chat, [" hm"] * 9, most=4)
    assert updates[-1].text == ""
    assert updates[-1].notes[-1] == say.ONLY_THOUGHTS


def test_models_that_do_not_think_have_no_room_for_it(make_chat: Make) -> None:
    chat = make_chat()
    updates, _ = answered(chat, ["It", " is", " so."], most=4)
    assert updates[-1].text == "It is so."
    assert chat.engine.streams[-1].request.params.max_tokens == 4
