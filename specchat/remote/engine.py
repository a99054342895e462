"""An engine for the chat whose tokens come from an OpenAI-compatible server.

Requests go to `/v1/completions` with the prompt as token ids. The model's own template is applied
here, as for our own engine: it is the one place where nothing that a customer writes can become a
special token, where old turns leave a prompt that is too long, and where the same prompt is sure to
be read by both sides of a race. `/v1/chat/completions` would need no tokenizer here, but would give
all three into the server's hands.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import threading
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import httpx

from specchat.engine.errors import EngineClosedError, EngineError, RequestError, ServerError
from specchat.engine.options import EngineOptions
from specchat.engine.request import FinishReason, Request, TokenDelta, TurnStats
from specchat.engine.sequence import TokenStream
from specchat.engine.snapshot import EngineSnapshot, ModelInfo
from specchat.engine.validation import Validation
from specchat.remote.figures import Figures
from specchat.remote.pieces import Pieces
from specchat.remote.server import OURS, TIMEOUT, Counted, Server
from specchat.remote.wire import body_of, counters, events

log = logging.getLogger(__name__)

CLOSE_S = 10.0
"""For connections to be closed."""

NEEDS_SECOND = (
    "Plain decoding needs a second server that does not speculate; "
    "SPECCHAT_PLAIN_BASE_URL names it."
)

Ended = Callable[[FinishReason, TurnStats | None], None]


@dataclass(slots=True)
class _Answer:
    """One request on its way; only the loop's thread touches it."""

    request: Request
    server: Server
    body: dict[str, Any]
    stream: TokenStream
    figures: Figures
    before: Counted | None = None
    counted: Counted | None = None  # what the whole server did meanwhile


class RemoteEngine:
    """Serves the chat from one server, and plain answers from a second one where there is one.

    Answers are read on a thread of its own. To cancel one is to close its connection, which ends
    the request at the server; nothing is ever sent twice. Safe from any thread.
    """

    def __init__(
        self, server: Server, info: ModelInfo, tokenizer: Any, plain: Server | None = None
    ) -> None:
        self.info = info
        self.options = EngineOptions()
        self._server, self._plain = server, plain
        self._pieces = Pieces(tokenizer)
        self._validation = Validation(info, info.context_length)
        self._watchers: tuple[Ended, ...] = ()
        self._salts: dict[str, str] = {}  # what an evicted salt is called now
        self._secret = secrets.token_hex(16)
        self._tells: set[Server] = set()  # those that told of one request alone
        self._tasks: dict[str, asyncio.Task[FinishReason]] = {}
        self._closed = False
        self._afterwards: tuple[Callable[[], None], ...] = ()
        self._loop = asyncio.new_event_loop()
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT,
            # A connection of its own for each: none that the server has closed meanwhile.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )
        self._thread = threading.Thread(target=self._run, name="specchat-remote", daemon=True)
        self._thread.start()

    # From any thread

    def submit(self, request: Request) -> TokenStream:
        """Send a request and return its stream.

        Reading the stream raises QueueFullError where the server is full, RequestError where it
        refuses the request, and ServerError where it cannot be reached or ends early.

        Raises:
            RequestError: the prompt does not fit, something only our own engine has is asked for,
                or plain decoding without a server for it.
            EngineClosedError: this was closed.
        """
        self._validation.request(request)
        server = self._server_for(request)
        body = body_of(request, server, self._salt(request.salt))
        stream = TokenStream(request.request_id, self.cancel)
        answer = _Answer(request, server, body, stream, Figures(len(request.prompt_ids)))
        self._post(lambda: self._start(answer))
        return stream

    def cancel(self, request_id: str) -> None:
        """End a request with finish reason `cancelled`; unknown or finished ids are ignored."""
        with suppress(EngineClosedError):
            self._post(lambda: self._cancel(request_id))

    def watch(self, ended: Ended) -> None:
        """Have `ended` told of every request that ends from now on; it must return at once."""
        self._watchers = (*self._watchers, ended)

    @property
    def alive(self) -> bool:
        """False once it was closed. A server that is away may come back."""
        return not self._closed

    def snapshot(self) -> EngineSnapshot:
        """The requests under way here; of its pages and steps a server is not asked."""
        return EngineSnapshot(
            running=len(self._tasks), waiting=0, pages_total=0, pages_free=0, pages_cached=0,
            pages_held=0, pages_shared=0, page_size=1, prefix_hit_tokens=0, prefix_query_tokens=0,
            pages_evicted=0, pages_copied=0, rows_moved=0, steps=0, failed_steps=0, preemptions=0,
            refused=0, backend=self.info.hardware, ready=True,
        )  # fmt: skip

    def evict_salt(self, salt: str) -> int:
        """Never use a tenant's cached prompts again. No server is told to forget them: they are
        under a salt that nobody will send any more, and leave as others need the room."""
        self._salts[salt] = secrets.token_hex(16)
        return 0

    def close(self) -> None:
        """Cancel everything; returns when the connections are closed."""
        if self._closed:
            return
        self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_S)
        for afterwards in self._afterwards:
            afterwards()

    def close_with(self, afterwards: Callable[[], None]) -> None:
        """Have this called when the connections are closed: whoever began the server ends it."""
        self._afterwards = (*self._afterwards, afterwards)

    def _server_for(self, request: Request) -> Server:
        if request.params.speculate:
            return self._server
        if self._plain is not None:
            return self._plain
        if self._server.owner == OURS:
            return self._server
        raise RequestError(NEEDS_SECOND)

    def _salt(self, salt: str) -> str:
        """A tenant's name at the server: it tells nothing, and is another after each start."""
        named = self._salts.get(salt, salt)
        return hashlib.sha256(f"{self._secret}/{named}".encode()).hexdigest()[:32]

    def _post(self, job: Callable[[], None]) -> None:
        if self._closed:
            raise EngineClosedError("the engine is closed")
        try:
            self._loop.call_soon_threadsafe(job)
        except RuntimeError:  # closed since
            raise EngineClosedError("the engine is closed") from None

    # On the thread of the loop

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())  # of what was sent at the last moment too
        self._loop.close()

    def _start(self, answer: _Answer) -> None:
        task = self._loop.create_task(self._answered(answer))
        self._tasks[answer.request.request_id] = task
        task.add_done_callback(lambda done: self._over(answer, done))

    def _cancel(self, request_id: str) -> None:
        task = self._tasks.get(request_id)
        if task is not None:
            task.cancel()

    async def _end(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def _answered(self, answer: _Answer) -> FinishReason:
        """Hand the answer over as it comes in; why it ended."""
        server, figures = answer.server, answer.figures
        counts = server.counts and server not in self._tells
        answer.before = await counters(self._client, server) if counts else None
        figures.restart()
        finish: str | None = None
        async with aclosing(events(self._client, server, answer.body)) as found:
            async for event in found:
                figures.told(event)
                for choice in event.get("choices") or ():
                    self._hand_over(answer, choice)
                    finish = choice.get("finish_reason") or finish
        if figures.tells:
            self._tells.add(server)
        elif answer.before is not None:
            after = await counters(self._client, server)
            answer.counted = after.since(answer.before) if after else None
        if finish not in ("stop", "length"):
            raise ServerError(f"the server at {server.place} ended the answer early ({finish})")
        return FinishReason(finish)

    def _hand_over(self, answer: _Answer, choice: dict[str, Any]) -> None:
        text, ids = choice.get("text") or "", choice.get("token_ids")
        if not text and not ids:
            return
        answer.figures.heard(text)
        tokens = self._pieces.tokens(text, ids)
        now = answer.figures.now_ms
        answer.stream.put(TokenDelta(answer.request.request_id, tokens, now))

    def _over(self, answer: _Answer, task: asyncio.Task[FinishReason]) -> None:
        del self._tasks[answer.request.request_id]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            if not isinstance(error, EngineError):
                log.error("an answer of a server could not be read", exc_info=error)
            self._tell(FinishReason.ERROR, None)
            answer.stream.put(error)
            return
        reason = FinishReason.CANCELLED if task.cancelled() else task.result()
        stats = answer.figures.stats(answer.counted, self._pieces.count)
        self._tell(reason, stats)
        name = answer.request.request_id
        answer.stream.put(TokenDelta(name, (), answer.figures.now_ms, reason, stats))

    def _tell(self, reason: FinishReason, stats: TurnStats | None) -> None:
        for ended in self._watchers:
            ended(reason, stats)
