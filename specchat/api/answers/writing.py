"""Answers as OpenAI writes them: one body, or chunks of a stream."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from specchat.api.answers.events import End, Event, Events, Piece
from specchat.api.answers.logprobs import LogprobWriter
from specchat.api.answers.statistics import metrics, usage
from specchat.api.errors import ApiError
from specchat.engine.request import Token
from specchat.version import code_version

PING = b": still at it\n\n"
DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class Written:
    """What one choice has come to."""

    text: str = ""
    tokens: list[Token] = field(default_factory=list)
    end: End | None = None


class ChatWriter:
    """Writes the answers to one request of `/v1/chat/completions`."""

    prefix, whole, chunk = "chatcmpl-", "chat.completion", "chat.completion.chunk"

    def __init__(
        self,
        model: str,
        *,
        choices: int = 1,
        prompts: int = 1,
        logprobs: LogprobWriter | None = None,
        includes_usage: bool = False,
    ) -> None:
        """`logprobs` only where the request asked for them."""
        self.id = f"{self.prefix}{uuid.uuid4().hex}"
        self._model = model
        self._prompts = prompts
        self._logprobs = logprobs
        self._includes_usage = includes_usage
        self._created = int(time.time())
        self.choices = [Written() for _ in range(choices)]

    @property
    def ends(self) -> list[End]:
        """Of the choices that are complete."""
        return [choice.end for choice in self.choices if choice.end is not None]

    @property
    def record(self) -> dict[str, Any]:
        """For the log: what it took, and no word of it."""
        ends = self.ends
        taken = usage(ends, self._prompts) if ends else {}
        return {
            "id": self.id,
            "model": self._model,
            "prompt_tokens": taken.get("prompt_tokens"),
            "completion_tokens": taken.get("completion_tokens"),
            "finish": ",".join(end.reason for end in ends) or None,
        }

    async def body(self, events: Events) -> dict[str, Any]:
        """The whole answer. Raises ApiError."""
        async with aclosing(events):
            async for found in events:
                for event in found:
                    self._take(event)
        choices = [self._choice(number, each) for number, each in enumerate(self.choices)]
        return {**self._head(self.whole), "choices": choices, **self._totals()}

    async def stream(self, events: Events) -> AsyncGenerator[bytes, None]:
        """The answer as server-sent events. An error after the first one is an event of its own.

        Raises:
            ApiError: before anything was written.
        """
        begun = False
        try:
            async with aclosing(events):
                async for found in events:
                    if not found:
                        yield PING
                        continue
                    chunks = [] if begun else list(self._opening())
                    begun = True
                    chunks += [chunk for event in found for chunk in self._chunks(event)]
                    if chunks:
                        yield b"".join(map(_event, chunks))
        except ApiError as error:
            if not begun:
                raise
            yield _event(error.body)
        else:
            if self._includes_usage:
                yield _event({**self._head(self.chunk), "choices": [], **self._totals()})
        yield DONE

    def _take(self, event: Event) -> None:
        choice = self.choices[event.choice]
        if isinstance(event, End):
            choice.end = event
            return
        choice.text += event.text
        if self._logprobs is not None:
            choice.tokens += event.tokens

    def _opening(self) -> Iterator[dict[str, Any]]:
        for number in range(len(self.choices)):
            yield self._delta(number, {"role": "assistant", "content": ""})

    def _chunks(self, event: Event) -> Iterator[dict[str, Any]]:
        before = len(self.choices[event.choice].text)
        self._take(event)
        if isinstance(event, Piece):
            if event.text or self._logprobs is not None:
                yield self._piece(event, before)
            return
        last = self._closing(event)
        if not self._includes_usage and len(self.ends) == len(self.choices):
            last |= {name: value for name, value in self._totals().items() if name != "usage"}
        yield last

    def _totals(self) -> dict[str, Any]:
        """What stands behind the choices, of the whole answer."""
        ends = self.ends
        care = {"care": ends[0].care} if ends[0].care is not None else {}
        return {"usage": usage(ends, self._prompts), "metrics": metrics(ends), **care}

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self._created,
            "model": self._model,
            "system_fingerprint": f"specchat-{code_version()}",
        }

    def _chunk(self, choice: dict[str, Any]) -> dict[str, Any]:
        usage_comes = {"usage": None} if self._includes_usage else {}
        return {**self._head(self.chunk), "choices": [choice], **usage_comes}

    # -- what differs between the routes ---------------------------------------------------------

    def _choice(self, number: int, written: Written) -> dict[str, Any]:
        assert written.end is not None
        return {
            "index": number,
            "message": {"role": "assistant", "content": written.text, "refusal": None},
            "logprobs": self._logprobs.chat(written.tokens) if self._logprobs else None,
            "finish_reason": written.end.reason,
        }

    def _piece(self, piece: Piece, before: int) -> dict[str, Any]:
        logprobs = self._logprobs.chat(piece.tokens) if self._logprobs else None
        return self._delta(piece.choice, {"content": piece.text}, logprobs)

    def _closing(self, end: End) -> dict[str, Any]:
        return self._delta(end.choice, {}, reason=end.reason)

    def _delta(
        self,
        number: int,
        delta: dict[str, Any],
        logprobs: dict[str, Any] | None = None,
        reason: str | None = None,
    ) -> dict[str, Any]:
        return self._chunk(
            {"index": number, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        )


class CompletionWriter(ChatWriter):
    """Writes the answers to one request of `/v1/completions`."""

    prefix, whole, chunk = "cmpl-", "text_completion", "text_completion"

    def _opening(self) -> Iterator[dict[str, Any]]:
        return iter(())

    def _choice(self, number: int, written: Written) -> dict[str, Any]:
        assert written.end is not None
        return self._text(number, written.text, written.tokens, 0, written.end.reason)

    def _piece(self, piece: Piece, before: int) -> dict[str, Any]:
        return self._chunk(self._text(piece.choice, piece.text, piece.tokens, before, None))

    def _closing(self, end: End) -> dict[str, Any]:
        return self._chunk(self._text(end.choice, "", (), 0, end.reason))

    def _text(
        self, number: int, text: str, tokens: Sequence[Token], before: int, reason: str | None
    ) -> dict[str, Any]:
        logprobs = None
        if self._logprobs is not None and tokens:
            logprobs = self._logprobs.completion(tokens, before)
        return {"index": number, "text": text, "logprobs": logprobs, "finish_reason": reason}


def _event(body: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()
