"""Answers of the care assistant: as the chat's, for a conversation that its caller keeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from anyio import CancelScope, CapacityLimiter, to_thread

from specchat.api.answers.events import PING_S, End, Events, Piece
from specchat.api.answers.model import reason_of
from specchat.api.errors import broken, from_chat, from_engine, refused, unavailable
from specchat.api.requests.body import ChatRequest
from specchat.api.requests.prompts import exchanges
from specchat.api.requests.refusals import asks_for_nothing
from specchat.api.requests.sampling import Defaults, longest, speculating
from specchat.api.traffic import Traffic
from specchat.chat.answer.intent import wants_person
from specchat.chat.company.orders import facts
from specchat.chat.service import ChatService
from specchat.chat.types import AnswerOptions, AnswerUpdate, ChatError
from specchat.engine.snapshot import ModelInfo

CARE = "care-assistant"

NOT_ITS_OWN: dict[str, tuple[Any, ...]] = {
    "top_p": (None, 1),
    "top_k": (None, 0, -1),
    "min_p": (None, 0),
    "stop": (None, []),
    "stop_token_ids": (None, []),
    "ignore_eos": (None, False),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "repetition_penalty": (None, 1),
    "logit_bias": (None, {}),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "n": (None, 1),
}
"""What would change the words of an answer that is to say what the pages say, with what is
neutral."""


class CareAnswers:
    """Gives the assistant's answers; at most so many at a time as the chat itself."""

    def __init__(
        self,
        service: ChatService,
        most: int,
        traffic: Traffic,
        told: Callable[[str | None, bool], None],
    ) -> None:
        """`told` hears of every answer what it stands on and whether a person is offered."""
        self._told = told
        self._service = service
        self._most = most
        self._traffic = traffic
        self._open = 0
        self._threads = CapacityLimiter(most)

    async def answer(self, request: ChatRequest, owner: str, defaults: Defaults) -> Events:
        """The answer to the last question. Its text comes when it has been checked, in one piece:
        what is wrong in it is replaced by then. Closing the generator cancels it.

        Raises:
            ApiError: the request is wrong, too many are answered, or the engine has stopped.
        """
        options = _options(request, defaults, self._service.loaded.engine.info)
        earlier, question = exchanges(request.messages)
        with self._traffic.answer():
            if self._open >= self._most:
                raise unavailable(f"{self._open} questions are being answered already", "full")
            self._open += 1
            updates = self._service.answer_once(earlier, question, owner=owner, options=options)
            try:
                last, pinged = await self._next(updates), time.monotonic()
                while last is not None and not last.done:
                    if time.monotonic() - pinged >= PING_S:
                        pinged = time.monotonic()
                        yield []
                    last = await self._next(updates)
            except ChatError as error:
                raise from_chat(error) from error
            finally:
                self._open -= 1
                with CancelScope(shield=True):
                    await to_thread.run_sync(updates.close, limiter=self._threads)
            if last is None:
                raise broken()
            end = _end(last, question)
            if end.care is not None:
                self._told(end.care["grounded"], end.care["handoff"]["offered"])
            yield [Piece(0, last.text), end]

    async def _next(self, updates: Generator[AnswerUpdate, None, None]) -> AnswerUpdate | None:
        return await to_thread.run_sync(partial(next, updates, None), limiter=self._threads)


def _options(request: ChatRequest, defaults: Defaults, info: ModelInfo) -> AnswerOptions:
    """Raises ApiError (400) for what the assistant does not take from a caller."""
    for name, neutral in NOT_ITS_OWN.items():
        if not asks_for_nothing(getattr(request, name), neutral):
            raise refused(
                name,
                f"{name} is not supported by {CARE}, which says what the shop's pages say; "
                "leave it out, or use the model itself",
                "unsupported_parameter",
            )
    if request.seed is not None and not 0 <= request.seed < 2**63:
        raise refused("seed", f"seed must be an integer from 0 to 2**63 - 1, got {request.seed}")
    most = longest(request) or defaults.max_tokens
    if most >= info.context_length:
        raise refused(
            "max_tokens",
            f"max_tokens must be below {info.context_length}, the model's context, got {most}",
            "context_length_exceeded",
        )
    chosen = speculating(request.speculation, info.speculators)
    temperature = request.temperature
    return AnswerOptions(
        mode="speculative" if chosen.get("speculate", True) else "plain",
        temperature=defaults.temperature if temperature is None else temperature,
        seed=request.seed,
        max_tokens=most,
        speculators=chosen.get("speculators"),
        adaptive=chosen.get("adaptive", True),
    )


def _end(last: AnswerUpdate, question: str) -> End:
    if last.status != "completed":
        raise from_engine(last.error) if last.error else broken()
    reason = "stop" if last.finish is None else reason_of(last.finish)
    return End(0, reason, last.stats, _report(last, question))


def _report(last: AnswerUpdate, question: str) -> dict[str, Any]:
    """What an answer stands on, and whether a person should see to it. `state` and `unsupported`
    are of models that read pages."""
    grounds = last.grounds
    asked = wants_person(question)
    return {
        "grounded": None if grounds is None else grounds.state,
        "unsupported": [] if grounds is None else list(grounds.unsupported),
        "sources": [
            {"id": source.id, "title": source.title, "text": source.text} for source in last.sources
        ],
        "orders": [
            {"number": each.number, "found": each.order is not None, "facts": facts(each)}
            for each in last.lookups
        ],
        "handoff": {
            "offered": asked or bool(last.doubts),
            "reason": "asked" if asked else "unsure" if last.doubts else None,
        },
        "doubts": list(last.doubts),
        "notes": list(last.notes),
    }
