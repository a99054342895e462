"""An engine that plays a script, for failures a real engine cannot be made to have on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from specchat.chat.company.profile import Company, load_company
from specchat.chat.service import ChatService
from specchat.engine.request import FinishReason, KnownText, Request, Token, TokenDelta, TurnStats
from specchat.loader import LoadOptions
from specchat.training.tokenizer import train_tokenizer
from storage import Store, open_store

TEXTS = [
    "where is my refund for order please cancel the invoice and tell me your order number",
    "I am sorry to hear that, your refund is on its way. User: Assistant: My name is",
] * 4


def stats(tokens: int = 3) -> TurnStats:
    """Statistics of an answer of `tokens` tokens."""
    return TurnStats(
        prompt_tokens=9,
        cached_tokens=0,
        completion_tokens=tokens,
        queue_ms=0.5,
        ttft_ms=4.0,
        e2e_ms=12.0,
        steps=2,
        drafted=4,
        accepted=1,
        drafted_by_depth=(2, 2),
        accepted_by_depth=(1, 0),
        drafted_by_source={"mlp": 4},
        accepted_by_source={"mlp": 1},
        accepted_lengths=(1, 0),
        draft_ms=1.0,
        verify_ms=7.0,
        peak_pages=2,
        preemptions=0,
    )


Act = tuple[str, str] | Exception | Callable[[], None]
"""A token (text, source), an error to raise, or something to do before the next token."""


@dataclass
class ScriptedStream:
    """One delta for every token of the script, then the last one with statistics."""

    request: Request
    script: tuple[Act, ...]
    finish: FinishReason = FinishReason.STOP
    cancelled: threading.Event = field(default_factory=threading.Event)
    closed: bool = False
    tokens: int = 0

    @property
    def request_id(self) -> str:
        return self.request.request_id

    def __iter__(self) -> Iterator[TokenDelta]:
        return self._deltas

    def __post_init__(self) -> None:
        self._deltas = self._run()

    def next_within(self, timeout_s: float) -> TokenDelta | None:
        return next(self._deltas)

    def _run(self) -> Iterator[TokenDelta]:
        for act in self.script:
            if self.cancelled.is_set():
                break
            if isinstance(act, Exception):
                raise act
            if callable(act):
                act()
                continue
            self.tokens += 1
            yield TokenDelta(self.request_id, (Token(1, *act),), 1.0)
        finish = FinishReason.CANCELLED if self.cancelled.is_set() else self.finish
        yield TokenDelta(self.request_id, (), 2.0, finish, stats(self.tokens))

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.cancelled.set()
        self.closed = True


class ScriptedEngine:
    """Plays `script` for every request and keeps the requests and streams."""

    def __init__(self, context_length: int = 2048) -> None:
        self.info = SimpleNamespace(
            name="scripted",
            context_length=context_length,
            speculators=("mlp",),
            hardware="none",
            device="cpu",
            dtype="float32",
        )
        self.script: tuple[Act, ...] = (("Hello", "target"), (" there", "mlp"), (".", "mlp"))
        self.refuse: Exception | None = None
        self.streams: list[ScriptedStream] = []
        self.evicted: list[str] = []
        self.learned: list[list[int]] = []
        self.read: list[KnownText] = []
        self.likelihoods: list[float] = []  # of the next texts that are read; all alike without

    def log_likelihoods(self, texts: Sequence[KnownText]) -> list[float]:
        self.read += texts
        return self.likelihoods[: len(texts)] or [-1.0] * len(texts)

    def says(self, *script: Act) -> None:
        """What the next answers are."""
        self.script = script

    def submit(self, request: Request) -> ScriptedStream:
        if self.refuse is not None:
            raise self.refuse
        self.streams.append(ScriptedStream(request, self.script))
        return self.streams[-1]

    def snapshot(self) -> Any:
        return SimpleNamespace(backend="eager")

    def learn(
        self, answers: Sequence[Sequence[int]], salt: str = "", *, fresh: bool = False
    ) -> None:
        assert salt == ""
        self.learned = [*([] if fresh else self.learned), *map(list, answers)]

    def evict_salt(self, salt: str) -> int:
        self.evicted.append(salt)
        return 0


@dataclass
class Chat:
    """A service with its parts in reach."""

    service: ChatService
    engine: ScriptedEngine
    store: Store
    tokenizer: Any

    def prompt(self, number: int = -1) -> str:
        """The text of a prompt the engine was given."""
        return str(self.tokenizer.decode(self.engine.streams[number].request.prompt_ids))


@pytest.fixture(scope="session")
def company() -> Company:
    return load_company()


@pytest.fixture(scope="session")
def care_tokenizer() -> Any:
    """A small tokenizer of the bundled kind: chat tokens and slot tokens."""
    return train_tokenizer(TEXTS, 420)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'chat.db'}") as opened:
        yield opened


@pytest.fixture
def make_chat(store: Store, company: Company, care_tokenizer: Any) -> Callable[..., Chat]:
    """A chat on a scripted engine. `uses_slots=False` is any model that reads pages, known as
    `model`; `orders` gives the shop its order table, `german` its German pages."""

    def make(
        *,
        uses_slots: bool = True,
        context_length: int = 2048,
        tokenizer: Any = None,
        orders: bool = False,
        german: bool = True,
        learn: bool = False,
        retention_days: int | None = None,
        engine: ScriptedEngine | None = None,
        model: str = "smollm2",
    ) -> Chat:
        engine = engine or ScriptedEngine(context_length)
        left_out: dict[str, Any] = {} if orders else {"orders": ()}
        left_out |= {} if german else {"german": None}
        shop = company.model_copy(update=left_out)
        tokenizer = tokenizer or care_tokenizer
        options = LoadOptions(model="care-mini" if uses_slots else model)
        loaded: Any = SimpleNamespace(
            engine=engine,
            tokenizer=tokenizer,
            options=options,
            model=options.model,
            uses_slots=uses_slots,
        )
        service = ChatService(loaded, store, shop, learn=learn, retention_days=retention_days)
        return Chat(service, engine, store, tokenizer)

    return make


@pytest.fixture
def chat(make_chat: Callable[..., Chat]) -> Chat:
    return make_chat()


def pause(seconds: float) -> Callable[[], None]:
    """A wait in a script."""
    return lambda: time.sleep(seconds)
