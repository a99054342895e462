"""What a chat, a page and an API need of whatever gives the tokens: our own engine, or a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from specchat.engine.options import EngineOptions
from specchat.engine.request import FinishReason, KnownText, Request, TurnStats
from specchat.engine.sequence import TokenStream
from specchat.engine.snapshot import EngineSnapshot, ModelInfo


class AnyEngine(Protocol):
    """Requests in, token streams out. Everything is safe from any thread."""

    @property
    def info(self) -> ModelInfo:
        """What runs, and on what."""

    @property
    def options(self) -> EngineOptions:
        """Its limits."""

    @property
    def alive(self) -> bool:
        """False when nothing is answered any more."""

    def submit(self, request: Request) -> TokenStream:
        """See `Engine.submit`."""

    def watch(self, ended: Callable[[FinishReason, TurnStats | None], None]) -> None:
        """See `Engine.watch`."""

    def snapshot(self) -> EngineSnapshot:
        """The state now; cheap."""

    def evict_salt(self, salt: str) -> int:
        """See `Engine.evict_salt`."""

    def close(self) -> None:
        """Cancel everything and stop."""


@runtime_checkable
class Judges(Protocol):
    """An engine that also says how likely a text is."""

    def log_likelihoods(self, texts: Sequence[KnownText]) -> list[float]:
        """See `Engine.log_likelihoods`."""


class AnyModel(Protocol):
    """A running engine and what belongs to it."""

    @property
    def engine(self) -> AnyEngine: ...
    @property
    def tokenizer(self) -> Any: ...
    @property
    def model(self) -> str:
        """Its name as it was set: `care`, a directory or a Hub name."""

    @property
    def uses_slots(self) -> bool:
        """True where the tokenizer knows tokens such as {{order_number}}."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is not as it was asked for, as sentences."""
