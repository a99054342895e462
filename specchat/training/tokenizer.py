"""The `care` tokenizer: byte-level BPE with chat and slot tokens, and how text becomes ids."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from specchat.chat.slots.vocabulary import SLOT_TOKENS
from specchat.training.corpus.care_corpus import Conversation, Message

VOCAB_SIZE = 4096
PAD, BOS, USER, ASSISTANT, END = "<|pad|>", "<|bos|>", "<|user|>", "<|assistant|>", "<|end|>"
CHAT_TOKENS = (PAD, BOS, USER, ASSISTANT, END)
CONTEXT = 2048  # tokens

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{%- for message in messages -%}"
    "{%- if message['role'] in ('user', 'assistant') -%}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|assistant|>' }}{%- endif -%}"
)

_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train_tokenizer(texts: Iterable[str], vocab_size: int = VOCAB_SIZE) -> PreTrainedTokenizerFast:
    """A tokenizer of at most `vocab_size` ids: chat tokens, slots, bytes, then merges.

    Every digit is a token of its own. Slots in `texts` are not learned from: they are tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [*CHAT_TOKENS, *SLOT_TOKENS]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((_without_slots(text) for text in texts), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=[USER, ASSISTANT, *SLOT_TOKENS],
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


def corpus_texts(conversations: Iterable[Conversation]) -> Iterable[str]:
    """The text of every message."""
    return (message.content for c in conversations for message in c.messages)


def load_tokenizer(path: Path) -> PreTrainedTokenizerFast:
    """The tokenizer saved in a model folder. Raises `FileNotFoundError` when there is none."""
    if not (path / "tokenizer.json").exists():
        raise FileNotFoundError(f"no tokenizer.json in {path}; run `specchat train tokenizer`")
    return PreTrainedTokenizerFast.from_pretrained(path)


def encode_turns(
    tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message]
) -> list[tuple[str, list[int]]]:
    """(role, ids) of each message, `<|user|>` or `<|assistant|>` first and `<|end|>` last.

    Joined behind `<|bos|>` they are what the chat template gives. Slots become their tokens.
    """
    encoded = tokenizer([m.content for m in messages], add_special_tokens=False)["input_ids"]
    opening = {
        "user": tokenizer.convert_tokens_to_ids(USER),
        "assistant": tokenizer.convert_tokens_to_ids(ASSISTANT),
    }
    return [
        (message.role, [opening[message.role], *ids, tokenizer.eos_token_id])
        for message, ids in zip(messages, encoded, strict=True)
    ]


def _without_slots(text: str) -> str:
    for token in SLOT_TOKENS:
        text = text.replace(token, "")
    return text
