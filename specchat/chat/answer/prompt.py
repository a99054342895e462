"""Conversation to token ids, with the model's own chat template.

What people type can never become a special token: the template is rendered with placeholders,
and every message is encoded on its own by a tokenizer that knows no special tokens. Slots are
put in between as the structure they are (`parts.Slot`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from specchat.chat import wording as say
from specchat.chat.answer.encoding import Piece, TextEncoder, Written
from specchat.chat.slots.message import Message, Parts, Slot, merged
from specchat.chat.types import ChatError
from specchat.engine.output.end_of_turn import end_of_turn

PROMPT_TOKENS = 8
"""Of a prompt's end that an answer is drafted behind: the question's last words say much about how
the answer begins."""

WITHOUT_THOUGHTS = {"enable_thinking": False, "thinking": False}
"""What templates call the switch of a model that may think before it answers."""


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
        lengths = {key: len(self._encoder.encode(content)) for key, content in contents.items()}
        start = self._content(opening)
        for dropped in range(_first_that_may_fit(turns, lengths, context_budget), len(turns)):
            kept = [*system, *(message for turn in turns[dropped:] for message in turn)]
            rendered = self._render(kept, [contents[id(message)] for message in kept])
            ids = self._encoder.encode([*rendered.pieces, *start])
            if len(ids) <= context_budget:
                before = self._encoder.encode(rendered.pieces[: rendered.public])
                return PromptBuild(tuple(ids), dropped, _alike(before, ids))
        size = lengths[id(messages[-1])]
        raise ChatError(
            f"This question is too long: it has {size} tokens, and with what goes around it at "
            f"most {max(context_budget, 0)} fit. Please shorten it, or allow a shorter answer."
        )

    def whole(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """The ids of a conversation just as it is, whoever speaks last. Raises ChatError where the
        template refuses it."""
        contents = [self._content(message.parts) for message in messages]
        return tuple(self._encoder.encode(self._render(messages, contents).pieces))

    def answer(self, parts: Parts, *, whole: bool, question: Parts = ()) -> list[int]:
        """An answer as the model writes it: behind the last tokens of the prompt that asks for it,
        and with the end where it is `whole`. Without a question, behind the last token alone."""
        asked = self._content(question)
        pieces = self._render([Message.of("user", "")], [asked]).pieces
        prompt = self._encoder.encode(pieces)
        written = self._encoder.encode([*pieces, *self._content(parts)])
        end = self._tokenizer.eos_token_id
        first = _alike(prompt, written) - (PROMPT_TOKENS if asked else 1)
        return [*written[max(0, first) :], *([end] if whole and end is not None else [])]

    def text(self, question: str) -> str:
        """The prompt of a question as the template writes it. Raises ChatError as `build` does."""
        return self._template(["user"], [question])

    def _content(self, parts: Parts) -> list[Piece]:
        """One message: words without special tokens, slots as their tokens."""
        return [
            self._encoder.special(part.token)
            if isinstance(part, Slot)
            else Written(part, typed=True)
            for part in merged(_stripped(parts))
        ]

    def _render(self, messages: Sequence[Message], contents: Sequence[list[Piece]]) -> _Rendered:
        marks = [_new_mark() for _ in messages]
        rendered = self._template([m.role for m in messages], marks)
        pieces: list[Piece] = []
        by_mark = dict(zip(marks, contents, strict=True))
        said = {mark for mark, m in zip(marks, messages, strict=True) if m.role != "system"}
        public: int | None = None
        for text in re.split(f"({'|'.join(marks)})", rendered):
            if text in said and public is None:
                public = len(pieces)
            pieces += by_mark[text] if text in by_mark else self._encoder.template(text)
        return _Rendered(pieces, public or 0)

    def _template(self, roles: Sequence[str], marks: Sequence[str]) -> str:
        """The chat as the model's template writes it, each content replaced by its mark.

        Raises:
            ChatError: the template refuses such a conversation, or leaves a message out.
        """
        if not getattr(self._tokenizer, "chat_template", None):
            return _plain_template(roles, marks, getattr(self._tokenizer, "bos_token", None))
        reason = ""
        for those, contents in _arrangements(roles, marks):
            try:
                rendered = self._applied(those, contents)
            except TemplateError as error:
                reason = str(error)
                continue
            if all(mark in rendered for mark in marks):
                return rendered
            lost = (role for role, mark in zip(roles, marks, strict=True) if mark not in rendered)
            reason = f"it leaves out what the {next(lost)} says"
        raise ChatError(say.bad_template(reason))

    def _applied(self, roles: Sequence[str], contents: Sequence[str]) -> str:
        chat = [
            {"role": role, "content": content}
            for role, content in zip(roles, contents, strict=True)
        ]
        rendered = self._tokenizer.apply_chat_template(
            chat, tokenize=False, add_generation_prompt=True, **WITHOUT_THOUGHTS
        )
        return str(rendered)


@dataclass(frozen=True, slots=True)
class _Rendered:
    """A conversation as its pieces, and how many of them come before its first word."""

    pieces: list[Piece]
    public: int


def _arrangements(
    roles: Sequence[str], marks: Sequence[str]
) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Roles and contents as they are; then, for templates that know less of a system role, with
    one system message, and with none: its text opens the first question."""
    yield roles, marks
    count = next((i for i, role in enumerate(roles) if role != "system"), len(roles))
    if not count or count == len(roles):
        return
    system = "\n\n".join(marks[:count])
    if count > 1:
        yield ["system", *roles[count:]], [system, *marks[count:]]
    yield roles[count:], [f"{system}\n\n{marks[count]}", *marks[count + 1 :]]


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _plain_template(roles: Sequence[str], marks: Sequence[str], bos: str | None) -> str:
    """ "User: ...", "Assistant: ..." lines for models that come without a template."""
    names = {"system": "Instructions", "user": "User", "assistant": "Assistant"}
    lines = [f"{names[role]}: {mark}\n" for role, mark in zip(roles, marks, strict=True)]
    return (bos or "") + "".join(lines) + "Assistant:"


PLAIN_STOP = ("\nUser:", "\nInstructions:")
"""Stop strings for models without a template, which go on with the customer's next line."""


def stop_texts(tokenizer: Any) -> tuple[str, ...]:
    """Texts behind which an answer to a prompt of this file is over."""
    if not getattr(tokenizer, "chat_template", None):
        return PLAIN_STOP
    return end_of_turn(tokenizer).texts


def _turns(messages: Sequence[Message]) -> list[list[Message]]:
    """Messages in turns, each beginning with the customer's."""
    turns: list[list[Message]] = []
    for message in messages:
        if message.role == "user" or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns


def _first_that_may_fit(
    turns: Sequence[Sequence[Message]], lengths: Mapping[int, int], budget: int
) -> int:
    """The first turn from which the contents alone fit: a lower bound, cheap to find. A message by
    itself may have a token more at each end than beside the template's words."""
    total = 0
    for index in range(len(turns) - 1, -1, -1):
        total += sum(max(0, lengths[id(message)] - 2) for message in turns[index])
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
