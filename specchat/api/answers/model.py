"""Answers of the model itself: prompt in, text out, nothing looked up and nothing checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing

from anyio import to_thread

from specchat.api.answers.events import End, Event, Events, Piece, Reason
from specchat.api.answers.reading import read
from specchat.api.errors import broken, from_engine, unavailable
from specchat.api.traffic import Traffic
from specchat.engine.errors import EngineError
from specchat.engine.interface import AnyEngine
from specchat.engine.request import FinishReason, Request, TokenDelta
from specchat.engine.sequence import TokenStream


async def model_answer(
    engine: AnyEngine, prepare: Callable[[], Sequence[Request]], traffic: Traffic
) -> Events:
    """Run requests, one choice each. `prepare` makes them, in a thread: it may take a while.
    Closing the generator cancels them.

    Raises:
        ApiError: what `prepare` raises; the engine refuses a request, is full, or has stopped.
    """
    with traffic.answer():
        streams = await to_thread.run_sync(_submitted, engine, prepare)
        try:
            async with aclosing(read(streams)) as deltas:
                async for found in deltas:
                    yield [event for choice, delta in found for event in _events(choice, delta)]
        except EngineError as error:
            raise from_engine(error) from error


def _submitted(engine: AnyEngine, prepare: Callable[[], Sequence[Request]]) -> list[TokenStream]:
    """All of them or none."""
    streams: list[TokenStream] = []
    try:
        for request in prepare():
            streams.append(engine.submit(request))
    except BaseException as error:
        for stream in streams:
            stream.close()
        if isinstance(error, EngineError):
            raise from_engine(error) from error
        raise
    return streams


def _events(choice: int, delta: TokenDelta) -> list[Event]:
    events: list[Event] = []
    if delta.tokens:
        events.append(Piece(choice, delta.text, delta.tokens))
    if delta.finish is not None:
        events.append(End(choice, reason_of(delta.finish), delta.stats))
    return events


def reason_of(finish: FinishReason) -> Reason:
    """OpenAI's word for why an answer ended.

    Raises:
        ApiError: it has not: the model failed (500), or the engine was closed (503).
    """
    if finish is FinishReason.STOP:
        return "stop"
    if finish is FinishReason.LENGTH:
        return "length"
    if finish is FinishReason.CANCELLED:
        raise unavailable("the answer was ended by the server", "closing")
    raise broken()
