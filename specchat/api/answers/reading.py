"""Reading the engine's streams in an event loop, without a thread for each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import suppress

from specchat.api.answers.events import PING_S
from specchat.engine.request import TokenDelta
from specchat.engine.sequence import TokenStream

COALESCE_S = 0.02
"""Least time between two reads: what comes meanwhile is sent together. It keeps the work for many
streams small, and tells no listener on the network how many tokens each step gave."""


class Bell:
    """Wakes a coroutine from other threads."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rings = asyncio.Event()
        self._rung = False

    def ring(self) -> None:
        """From any thread; cheap while the coroutine has not woken."""
        if not self._rung:
            self._rung = True
            with suppress(RuntimeError):  # the loop is closed, and nobody listens any more
                self._loop.call_soon_threadsafe(self._rings.set)

    async def heard(self, timeout_s: float) -> bool:
        """Wait until it rings; False when it does not within `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._rings.wait()
        except TimeoutError:
            return False
        self._rings.clear()
        self._rung = False  # before what is there is read: what comes later rings again
        return True


async def read(
    streams: Sequence[TokenStream],
) -> AsyncGenerator[list[tuple[int, TokenDelta]], None]:
    """The deltas of all streams, with the number of each, until all have ended; an empty list where
    nothing comes for long. Streams that are not over when it is closed are cancelled.

    Raises:
        EngineClosedError: the engine stopped.
    """
    bell = Bell()
    open_streams = dict(enumerate(streams))
    try:
        for stream in streams:
            stream.notify(bell.ring)
        while open_streams:
            rung = await bell.heard(PING_S)
            found = [
                (number, delta)
                for number, stream in open_streams.items()
                for delta in _there(stream)
            ]
            for number, delta in found:
                if delta.finish is not None:
                    del open_streams[number]
            if found or not rung:
                yield found
            if found and open_streams:
                await asyncio.sleep(COALESCE_S)
    finally:
        for stream in streams:
            stream.close()


def _there(stream: TokenStream) -> Iterator[TokenDelta]:
    """What can be read without waiting."""
    delta = stream.next_within(0)
    while delta is not None:
        yield delta
        delta = None if delta.finish is not None else stream.next_within(0)
