"""The end of a turn is read from the chat template."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from specchat.engine.output.end_of_turn import EndOfTurn, end_of_turn

VOCAB = {token: i for i, token in enumerate(["</s>", "<|im_start|>", "<|im_end|>", "[INST]", "a"])}


def tokenizer(template: str | None, *, special: bool = True) -> Any:
    backend = Tokenizer(models.WordLevel(VOCAB, unk_token="a"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    made = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    made.add_tokens(["<|im_start|>", "<|im_end|>", "[INST]"], special_tokens=special)
    made.chat_template = template
    return made


def turns(template: str) -> str:
    return "{% for m in messages %}" + template + "{% endfor %}"


CHATML = turns("<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n")


@pytest.mark.parametrize(
    ("template", "found"),
    [
        (CHATML, EndOfTurn((2,))),
        (turns("{% if m.role == 'user' %}[INST] {{ m.content }}{% else %} {{ m.content }}</s>"
               "{% endif %}"), EndOfTurn((0,))),
        (turns("<|im_start|>{{ m.role }}\n{{ m.content }}\n"), EndOfTurn((1,))),  # the next begins
        (turns("### {{ m.role }}:\n{{ m.content }}\n\n"), EndOfTurn(texts=("\n\n### user:",))),
        (turns("{{ m.content }} END<|im_start|>"), EndOfTurn((1,), (" END",))),
        (turns("{{ m.content }}\n"), EndOfTurn()),
        ("{{ messages[-1].content }}", EndOfTurn()),
        ("{{ raise_exception('no') }}", EndOfTurn()),
        (None, EndOfTurn()),
    ],
)  # fmt: skip
def test_what_stands_behind_an_answer_ends_it(template: str | None, found: EndOfTurn) -> None:
    assert end_of_turn(tokenizer(template)) == found


def test_an_added_token_need_not_be_special() -> None:
    assert end_of_turn(tokenizer(CHATML, special=False)) == EndOfTurn((2,))


def test_a_marker_that_is_no_token_is_a_text() -> None:
    template = CHATML.replace("im_end", "turn_over")
    assert end_of_turn(tokenizer(template)).texts == ("<|turn_over|>",)
