"""Conversation to token ids, with the model's own chat template.

What people type can never become a special token: the template is rendered with placeholders,
and every message is encoded on its own by a tokenizer that knows no special tokens. Slots are
put in between as the structure they are (`parts.Slot`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from specchat.chat.answer.encoding import TextEncoder
from specchat.chat.slots.message import Message, Parts, Slot, merged
from specchat.chat.types import ChatError

PROMPT_TOKENS = 8
"""Of a prompt's end that an answer is drafted behind: the question's last words say much about how
the answer begins."""


@dataclass(frozen=True, slots=True)
class PromptBuild:
    """A prompt that fits."""

    ids: tuple[int, ...]
    dropped_turns: int  # oldest turns (question and answer) that no longer fit
    public_tokens: int = 0  # at the start: the company's own words, the same for every customer


def build_prompt(
    tokenizer: Any, messages: Sequence[Message], *, context_budget: int
) -> PromptBuild:
    """The ids of a conversation whose last message is the customer's, within `context_budget`.

    System messages always stay; the oldest turns leave until the rest fits.

    Raises:
        ChatError: the last question alone (with the system message) is longer than the budget.
        ValueError: `messages` does not end with a user message.
    """
    return PromptBuilder(tokenizer).build(messages, context_budget=context_budget)


class PromptBuilder:
    """Builds prompts for one tokenizer. Safe to use from any thread."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._encoder = TextEncoder(tokenizer)

    def build(
        self, messages: Sequence[Message], *, context_budget: int, opening: Parts = ()
    ) -> PromptBuild:
        """See `build_prompt`. `opening` is the start of the answer, for the model to go on from."""
        if not messages or messages[-1].role != "user":
            raise ValueError("the last message must be the user's")
        system = [message for message in messages if message.role == "system"]
        turns = _turns([message for message in messages if message.role != "system"])
        contents = {id(m): self._content(m.parts) for m in messages}
        start = self._content(opening)
        first = _first_that_may_fit(turns, contents, context_budget)
        for dropped in range(first, len(turns)):
            kept = [*system, *(message for turn in turns[dropped:] for message in turn)]
            ids, public = self._render(kept, [contents[id(message)] for message in kept])
            ids += start
            if len(ids) <= context_budget:
                return PromptBuild(tuple(ids), dropped, public)
        size = len(contents[id(messages[-1])])
        raise ChatError(
            f"This question is too long: it has {size} tokens, and with what goes around it at "
            f"most {max(context_budget, 0)} fit. Please shorten it, or allow a shorter answer."
        )

    def answer(self, parts: Parts, *, whole: bool, question: Parts = ()) -> list[int]:
        """An answer as the model writes it: behind the last tokens of the prompt that asks for it,
        and with the end where it is `whole`. Without a question, behind the last token alone."""
        asked = self._content(question)
        prompt = self._render([Message.of("user", "")], [asked])[0]
        end = self._tokenizer.eos_token_id
        return [
            *prompt[-PROMPT_TOKENS if asked else -1 :],
            *self._content(parts),
            *([end] if whole and end is not None else []),
        ]

    def _content(self, parts: Parts) -> list[int]:
        """Ids of one message: words without special tokens, slots as their tokens."""
        ids: list[int] = []
        for part in merged(_stripped(parts)):
            if isinstance(part, Slot):
                ids += self._encoder.special(part.token)
            else:
                ids += self._encoder.words(part)
        return ids

    def _render(
        self, messages: Sequence[Message], contents: Sequence[list[int]]
    ) -> tuple[list[int], int]:
        """The ids, and how many of them come before the first word of the conversation."""
        marks = [_new_mark() for _ in messages]
        rendered = self._template([m.role for m in messages], marks)
        ids: list[int] = []
        by_mark = dict(zip(marks, contents, strict=True))
        said = {mark for mark, m in zip(marks, messages, strict=True) if m.role != "system"}
        public: int | None = None
        for piece in re.split(f"({'|'.join(marks)})", rendered):
            if piece in said and public is None:
                public = len(ids)
            ids += by_mark[piece] if piece in by_mark else self._encoder.template(piece)
        return ids, public or 0

    def _template(self, roles: Sequence[str], marks: Sequence[str]) -> str:
        """The chat as the model's template writes it, each content replaced by its mark."""
        if not getattr(self._tokenizer, "chat_template", None):
            return _plain_template(roles, marks, getattr(self._tokenizer, "bos_token", None))
        try:
            return self._applied(roles, marks)
        except TemplateError:
            if roles[0] != "system":
                raise
        # Templates without a system role (Gemma 2): the system text opens the first question.
        folded = [marks[0] + "\n\n" + marks[1], *marks[2:]]
        return self._applied(roles[1:], folded)

    def _applied(self, roles: Sequence[str], contents: Sequence[str]) -> str:
        chat = [
            {"role": role, "content": content}
            for role, content in zip(roles, contents, strict=True)
        ]
        rendered = self._tokenizer.apply_chat_template(
            chat, tokenize=False, add_generation_prompt=True
        )
        return str(rendered)


def _plain_template(roles: Sequence[str], marks: Sequence[str], bos: str | None) -> str:
    """ "User: ...", "Assistant: ..." lines for models that come without a template."""
    names = {"system": "Instructions", "user": "User", "assistant": "Assistant"}
    lines = [f"{names[role]}: {mark}\n" for role, mark in zip(roles, marks, strict=True)]
    return (bos or "") + "".join(lines) + "Assistant:"


PLAIN_STOP = ("\nUser:", "\nInstructions:")
"""Stop strings for models without a template, which go on with the customer's next line."""


def _turns(messages: Sequence[Message]) -> list[list[Message]]:
    """Messages in turns, each beginning with the customer's."""
    turns: list[list[Message]] = []
    for message in messages:
        if message.role == "user" or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns


def _first_that_may_fit(
    turns: Sequence[Sequence[Message]], contents: dict[int, list[int]], budget: int
) -> int:
    """The first turn from which the contents alone fit: a lower bound, cheap to find."""
    total = 0
    for index in range(len(turns) - 1, -1, -1):
        total += sum(len(contents[id(message)]) for message in turns[index])
        if total > budget:
            return min(index + 1, len(turns) - 1)
    return 0


def _stripped(parts: Parts) -> Parts:
    """Without space at the outer ends, as chat templates trim it."""
    result = list(merged(parts))
    if result and isinstance(result[0], str):
        result[0] = result[0].lstrip()
    if result and isinstance(result[-1], str):
        result[-1] = result[-1].rstrip()
    return merged(result)


def _new_mark() -> str:
    """A placeholder nobody can guess, of letters and digits only so that no template alters it."""
    return f"mark{secrets.token_hex(12)}mark"
