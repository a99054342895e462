"""Templates and tokenizers of other families: nothing is lost, the ids are transformers' own."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from specchat.chat.answer.prompt import PromptBuilder, build_prompt
from specchat.chat.slots.message import Message
from specchat.chat.types import ChatError

SPECIAL = ["<s>", "</s>", "<|turn|>", "<|end|>"]
TEXT = ["where is my order", "be kind. never promise a day", "it is on its way [INST] [/INST]"] * 3
TURNS = (
    "<s>{% for m in messages %}<|turn|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)
INST = (  # as Llama 2: the rules inside the first question
    "<s>{% if messages[0].role == 'system' %}{% set rules = messages[0].content + '\n\n' %}"
    "{% set messages = messages[1:] %}{% endif %}{% for m in messages %}{% if m.role == 'user' %}"
    "[INST] {{ rules if loop.first else '' }}{{ m.content }} [/INST]{% else %} {{ m.content }}</s>"
    "{% endif %}{% endfor %}"
)
CHAT = [
    Message.of("system", "Be kind.  Never promise a day."),
    Message.of("user", "Where is my order?"),
    Message.of("assistant", "It is on its way, [INST] or so."),
    Message.of("user", "1 , 2\n\n3 — Straße"),
]

PIECES: dict[str, tuple[Any, Any]] = {
    "byte level": (None, pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "byte level with a space": (None, pre_tokenizers.ByteLevel(add_prefix_space=True)),
    "metaspace first": (None, pre_tokenizers.Metaspace(prepend_scheme="first")),
    "metaspace always": (None, pre_tokenizers.Metaspace(prepend_scheme="always")),
    "metaspace never": (None, pre_tokenizers.Metaspace(prepend_scheme="never")),
    "metaspace in a sequence": (
        normalizers.NFC(),
        pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(), pre_tokenizers.Metaspace(prepend_scheme="first")]
        ),
    ),
    "prepend": (
        normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
        None,
    ),
}


def made(kind: str, template: str, *added: AddedToken) -> Any:
    normalizer, pre_tokenizer = PIECES[kind]
    backend = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    if kind.startswith("byte level"):
        backend.decoder = decoders.ByteLevel()
    if normalizer is not None:
        backend.normalizer = normalizer
    if pre_tokenizer is not None:
        backend.pre_tokenizer = pre_tokenizer
    alphabet = [*pre_tokenizers.ByteLevel.alphabet(), "▁"]
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<unk>", *SPECIAL], initial_alphabet=alphabet
    )
    backend.train_from_iterator(TEXT, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        extra_special_tokens=SPECIAL[2:],
    )  # fmt: skip
    tokenizer.add_tokens(list(added))
    tokenizer.chat_template = template
    return tokenizer


@pytest.mark.parametrize("template", [TURNS, INST], ids=["turns", "inst"])
@pytest.mark.parametrize("kind", PIECES)
def test_the_ids_are_those_of_the_whole_text(kind: str, template: str) -> None:
    tokenizer = made(kind, template)
    plain = [{"role": m.role, "content": str(m.parts[0])} for m in CHAT]
    wanted = tokenizer.apply_chat_template(plain, add_generation_prompt=True, return_dict=False)
    assert list(build_prompt(tokenizer, CHAT, context_budget=999).ids) == list(wanted)


@pytest.mark.parametrize(
    "token",
    [
        AddedToken("<|user|>", special=True, rstrip=True, normalized=False),
        AddedToken("<|user|>", special=False, lstrip=True, normalized=False),
        AddedToken("[user]", special=False, normalized=False),
        AddedToken("kind", special=False, normalized=False),
    ],
    ids=["takes the space behind it", "and before it", "not special", "a word"],
)
@pytest.mark.parametrize("kind", ["metaspace first", "prepend", "byte level"])
def test_added_tokens_of_the_template_are_tokens(kind: str, token: AddedToken) -> None:
    template = TURNS.replace("<|turn|>{{ m.role }}\n", f"a {token.content} \n")
    tokenizer = made(kind, template, token)
    plain = [{"role": m.role, "content": str(m.parts[0])} for m in CHAT]
    wanted = tokenizer.apply_chat_template(plain, add_generation_prompt=True, return_dict=False)
    assert list(build_prompt(tokenizer, CHAT, context_budget=999).ids) == list(wanted)


@pytest.mark.parametrize("kind", PIECES)
def test_an_answer_to_draft_from_is_what_the_model_writes(kind: str) -> None:
    tokenizer = made(kind, TURNS)
    builder = PromptBuilder(tokenizer)
    prompt = builder.build([Message.of("user", "where is it")], context_budget=99).ids
    rendered = "<s><|turn|>user\nwhere is it<|end|>\n<|turn|>assistant\non its way"
    whole = tokenizer.encode(rendered, add_special_tokens=False)
    learned = builder.answer(("on its way",), whole=True, question=("where is it",))
    assert learned[-1] == tokenizer.eos_token_id
    written = learned[:-1]
    assert written == whole[-len(written) :]
    assert len(written) > len(whole) - len(prompt)


@pytest.mark.parametrize(
    "template",
    [
        TURNS.replace("in messages", "in messages if m.role in ('user', 'assistant')"),
        TURNS.replace("in messages", "in messages if m.role != 'system'"),
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        + TURNS,
    ],
    ids=["user and assistant only", "skips the system", "refuses it"],
)
def test_rules_a_template_leaves_out_open_the_first_question(template: str) -> None:
    tokenizer = made("byte level", template)
    chat = [Message.of("system", "our name is Nordwind"), *CHAT]
    text = tokenizer.decode(build_prompt(tokenizer, chat, context_budget=999).ids)
    rules = "our name is Nordwind\n\nBe kind.  Never promise a day.\n\nWhere is my order?"
    assert f"user\n{rules}<|end|>" in text


def test_a_template_that_knows_one_system_message_gets_one() -> None:
    template = (
        "<s>{% if messages[0].role == 'system' %}<|turn|>system\n{{ messages[0].content }}<|end|>"
        "{% endif %}"
    ) + TURNS.removeprefix("<s>").replace("in messages", "in messages if m.role != 'system'")
    tokenizer = made("byte level", template)
    chat = [Message.of("system", "our name is Nordwind"), *CHAT]
    text = tokenizer.decode(build_prompt(tokenizer, chat, context_budget=999).ids)
    assert "system\nour name is Nordwind\n\nBe kind.  Never promise a day.<|end|>" in text


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("<s>{{ messages[-1].content }}<|end|>", "leaves out what the user says"),
        (
            TURNS.replace("in messages", "in messages if m.role != 'assistant'"),
            "the assistant says",
        ),
        (
            "{% if messages|length > 1 %}{{ raise_exception('one turn') }}{% endif %}" + TURNS,
            "one turn",
        ),
    ],
    ids=["the last message only", "no answers", "refuses"],
)
def test_a_template_that_loses_what_was_said_is_an_error(template: str, reason: str) -> None:
    tokenizer = made("byte level", template)
    with pytest.raises(ChatError, match=reason):
        build_prompt(tokenizer, CHAT[1:], context_budget=999)
