"""From a request to the token ids that the model goes on from, and to a customer's question."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from specchat.api.access import Caller
from specchat.api.errors import from_chat, refused
from specchat.api.requests.body import ChatRequest, CompletionRequest, Message, Sampled
from specchat.api.requests.sampling import require_tokens
from specchat.chat.answer.prompt import PromptBuilder, stop_texts
from specchat.chat.knowledge import Exchange
from specchat.chat.slots.message import Message as ChatMessage
from specchat.chat.types import ChatError


class Prompts:
    """Prompts for one tokenizer. Safe to use from any thread."""

    def __init__(self, tokenizer: Any, vocabulary: int) -> None:
        """`vocabulary` is how many tokens the model knows."""
        self._vocabulary = vocabulary
        self._backend = tokenizer.backend_tokenizer
        self._builder = PromptBuilder(tokenizer)
        self.stop = stop_texts(tokenizer)
        """What ends an answer to a conversation, besides the model's own end."""

    def chat(self, request: ChatRequest) -> list[tuple[int, ...]]:
        """The one prompt of a conversation, by the model's own template. Nothing that a message
        says becomes a special token.

        Raises:
            ApiError: 400, the template refuses such a conversation.
        """
        try:
            return [self._builder.whole([_message(each) for each in request.messages])]
        except ChatError as error:
            raise from_chat(error) from error

    def completion(self, request: CompletionRequest) -> list[tuple[int, ...]]:
        """The prompts as they are.

        Raises:
            ApiError: 400, one has no token, or one that the model does not know.
        """
        prompt: Sequence[Any] = [request.prompt]
        if isinstance(request.prompt, list) and not isinstance(request.prompt[0], int):
            prompt = request.prompt
        found = [self._ids(each) for each in prompt]
        for ids in found:
            if not ids:
                raise refused("prompt", "prompt must have at least one token, got none")
            require_tokens("prompt", ids, self._vocabulary)
        return found

    def _ids(self, prompt: str | list[int]) -> tuple[int, ...]:
        if not isinstance(prompt, str):
            return tuple(prompt)
        return tuple(self._backend.encode(prompt).ids)


def exchanges(messages: Sequence[Message]) -> tuple[list[Exchange], str]:
    """The turns before the last question of a conversation with the assistant, and the question.
    What one side says in several messages belongs together.

    Raises:
        ApiError: 400, there are instructions, or the last message is not the customer's.
    """
    for index, message in enumerate(messages):
        if message.role in ("system", "developer"):
            raise refused(
                "messages",
                f"messages[{index}].role must be user or assistant: care-assistant has its own "
                f"instructions, got {message.role}",
                "unsupported_value",
            )
    if messages[-1].role != "user":
        raise refused(
            "messages",
            f"messages must end with a user's question, got one of the {messages[-1].role}",
        )
    turns: list[tuple[list[str], list[str]]] = []
    for message in messages:
        if not turns or (message.role == "user" and turns[-1][1]):
            turns.append(([], []))
        turns[-1][message.role == "assistant"].append(message.content)
    said = [Exchange("\n".join(asked), "\n".join(answered)) for asked, answered in turns]
    return said[:-1], said[-1].question


def tenant(caller: Caller, request: Sampled) -> str:
    """Whose cached prompts may be shared with this request: a name that tells nothing."""
    parts = (caller.id, request.user or "", request.cache_salt or "")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _message(message: Message) -> ChatMessage:
    role = "system" if message.role == "developer" else message.role
    return ChatMessage.of(role, message.content)
