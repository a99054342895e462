"""Anybody's conversations as prompts and answers for any target: a file's, or one's own history.

Prompts are built as the chat builds them. Answers in the text serve the first stage of a
speculator's training; for the second the target answers the same prompts itself.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specchat.chat.answer.prompt import PromptBuilder
from specchat.chat.redaction.redact import WITHHELD
from specchat.chat.slots.written_message import written_message
from specchat.chat.types import ChatError
from specchat.training.corpus.care_corpus import Message
from specchat.training.corpus.own_answers import Prompt
from specchat.training.corpus.packing import Sample
from storage import Dialogue

HELD_OUT_SHARE = 0.1
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Task:
    """A prompt, and the answer that the text gives to it."""

    prompt: Prompt
    answer: list[int] | None  # token ids with the end token; None where the text has none

    @property
    def held_out(self) -> bool:
        """Whether it is kept for measuring. A matter of the prompt alone, so that it stays so."""
        return zlib.crc32(str(self.prompt.ids).encode()) % 1000 < 1000 * HELD_OUT_SHARE

    def sample(self) -> Sample | None:
        """The text's own answer as a training sample."""
        if not self.answer:
            return None
        before = self.prompt.ids
        return Sample(before + self.answer, [0.0] * len(before) + [1.0] * len(self.answer))


def read_conversations(path: Path) -> list[tuple[Message, ...]]:
    """Conversations of a file with one JSON object a line, `{"messages": [{"role", "content"}]}`.

    Raises `ValueError` that names the line, or `FileNotFoundError`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no conversations file {path}")
    found = []
    lines = path.read_text(encoding="utf-8").split("\n")  # JSON text may hold other line breaks
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(_messages(json.loads(line)))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}, line {number}: a conversation is "
                    f'{{"messages": [{{"role": ..., "content": ...}}, ...]}} ({error})'
                ) from None
    if not found:
        raise ValueError(f"{path} holds no conversation")
    return found


def history_conversations(dialogues: Iterable[Dialogue]) -> list[tuple[Message, ...]]:
    """Stored, redacted conversations. What was withheld as a whole teaches nothing, nor does what
    came after it."""
    found = []
    for dialogue in dialogues:
        messages: list[Message] = []
        for exchange in dialogue.exchanges:
            if WITHHELD in (exchange.question, exchange.answer) or not exchange.answer:
                break
            messages.append(Message("user", exchange.question))
            messages.append(Message("assistant", exchange.answer))
        if messages:
            found.append(tuple(messages))
    return found


def make_tasks(
    tokenizer: Any, conversations: Sequence[Sequence[Message]], max_tokens: int
) -> list[Task]:
    """One task per customer's turn, none twice; prompts beyond `max_tokens` are left out."""
    tasks: dict[tuple[int, ...], Task] = {}
    for messages in conversations:
        for task in _tasks(tokenizer, messages, max_tokens):
            tasks.setdefault(tuple(task.prompt.ids), task)
    return list(tasks.values())


def _tasks(tokenizer: Any, messages: Sequence[Message], max_tokens: int) -> Iterator[Task]:
    slots = any(token.startswith("{{") for token in tokenizer.get_added_vocab())
    builder = PromptBuilder(tokenizer)
    written = [written_message(m.role, m.content, slots) for m in messages]  # type: ignore[arg-type]
    for place, message in enumerate(messages):
        if message.role != "user":
            continue
        try:
            build = builder.build(written[: place + 1], context_budget=max_tokens)
        except ChatError:
            continue
        following = messages[place + 1] if place + 1 < len(messages) else None
        answer = None
        if following is not None and following.role == "assistant":
            ids = tokenizer(following.content, add_special_tokens=False)["input_ids"]
            answer = [*ids, tokenizer.eos_token_id]
        # Named by its text, so that answers made earlier are found again when there is more text.
        name = hashlib.sha256(str(build.ids).encode()).hexdigest()[:16]
        yield Task(Prompt(name, list(build.ids)), answer)


def _messages(raw: Any) -> tuple[Message, ...]:
    messages = tuple(Message(m["role"], m["content"]) for m in raw["messages"])
    for message in messages:
        if message.role not in ROLES or not isinstance(message.content, str):
            raise ValueError(f"role must be one of {', '.join(ROLES)}, got {message.role!r}")
    if not any(message.role == "user" for message in messages):
        raise ValueError("nobody asks anything")
    return messages
