"""A stand-in for the engine: an arithmetic "model" that streams, drafts and can be made to err."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import torch

from specchat.engine.errors import RequestError
from specchat.engine.request import (
    FinishReason,
    KnownText,
    Request,
    SamplingParams,
    Token,
    TokenDelta,
    TurnStats,
)

VOCABULARY = 50
DRAFT_LENGTH = 2  # accepted draft tokens of every speculative step


@dataclass
class FakeStream:
    """Plays a prepared list of deltas."""

    request_id: str
    deltas: list[TokenDelta]
    closed: bool = False
    read: int = 0  # deltas taken by `next_within`

    def __iter__(self) -> Iterator[TokenDelta]:
        return iter(self.deltas)

    def next_within(self, timeout_s: float) -> TokenDelta | None:
        self.read += 1
        return self.deltas[self.read - 1]

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> FakeStream:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@dataclass
class FakeEngine:
    """Plain takes 4 ms a token; a speculative step takes 5 ms and gives three."""

    backend: str = "compiled 7/7"
    waits: int = 0  # how often `snapshot` says it is not ready
    gap: float = 1.0  # between the two best logits
    rows_per_request: int = 0  # in exact mode
    wrong_at: int | None = None  # position at which speculative answers go wrong
    finish: FinishReason = FinishReason.LENGTH
    requests: list[Request] = field(default_factory=list)
    streams: list[FakeStream] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    info: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(
            name="double",
            vocab_size=VOCABULARY,
            context_length=2048,
            parameters=1,
            dtype="float32",
            device="cpu",
            hardware="no machine, 2 threads",
            speculators=("ngram",),
        )
    )

    def submit(self, request: Request) -> FakeStream:
        if not request.prompt_ids:
            raise RequestError("prompt_ids must hold at least one token, got none")
        self.requests.append(request)
        stream = FakeStream(request.request_id, self._deltas(request))
        self.streams.append(stream)
        return stream

    def log_likelihoods(self, texts: Sequence[KnownText]) -> list[float]:
        return [-1.0] * len(texts)

    def snapshot(self) -> SimpleNamespace:
        self.waits -= 1
        return SimpleNamespace(backend=self.backend, ready=self.waits < 0)

    def logits(self, token_ids: Sequence[int]) -> torch.Tensor:
        return self._scores(token_ids, seed=0)

    def _scores(self, token_ids: Sequence[int], seed: int) -> torch.Tensor:
        logits = torch.zeros(VOCABULARY)
        best = _next_token(token_ids, seed)
        logits[best] = 10.0
        logits[(best + 1) % VOCABULARY] = 10.0 - self.gap
        return logits

    def choice_scores(
        self, token_ids: Sequence[int], params: SamplingParams, position: int
    ) -> torch.Tensor:
        return self._scores(token_ids, params.seed if params.temperature else 0)

    def close(self) -> None:
        """Nothing runs."""

    def _deltas(self, request: Request) -> list[TokenDelta]:
        speculative = request.params.speculate
        tokens = self._answer(request)
        size, step_ms = (1 + DRAFT_LENGTH, 5.0) if speculative else (1, 4.0)
        runs = [tokens[:1]] + [tokens[i : i + size] for i in range(1, len(tokens), size)]
        deltas = [
            TokenDelta(request.request_id, tuple(run), 10.0 + step_ms * step)
            for step, run in enumerate(runs)
        ]
        last = deltas[-1]
        stats = _stats(request, len(tokens), len(runs) - 1, last.at_ms)
        deltas[-1] = TokenDelta(last.request_id, last.tokens, last.at_ms, self.finish, stats)
        return deltas

    def _answer(self, request: Request) -> list[Token]:
        context = list(request.prompt_ids)
        tokens = []
        for position in range(request.params.max_tokens):
            seed = request.params.seed if request.params.temperature else 0
            token = _next_token(context, seed)
            if request.params.speculate and position == self.wrong_at:
                token = (token + 1) % VOCABULARY
            context.append(token)
            tokens.append(Token(token, f" {token}", "target"))
        return tokens


def _next_token(context: Sequence[int], seed: int) -> int:
    return (31 * context[-1] + 7 * len(context) + seed) % VOCABULARY


def _stats(request: Request, tokens: int, steps: int, e2e_ms: float) -> TurnStats:
    accepted = tokens - 1 - steps if request.params.speculate else 0
    drafted = DRAFT_LENGTH * steps if request.params.speculate else 0
    return TurnStats(
        prompt_tokens=len(request.prompt_ids),
        cached_tokens=0,
        completion_tokens=tokens,
        queue_ms=0.0,
        ttft_ms=10.0,
        e2e_ms=e2e_ms,
        steps=steps,
        drafted=drafted,
        accepted=accepted,
        drafted_by_depth=(steps, steps) if drafted else (),
        accepted_by_depth=(steps, steps) if drafted else (),
        drafted_by_source={"ngram": drafted} if drafted else {},
        accepted_by_source={"ngram": accepted} if drafted else {},
        accepted_lengths=(DRAFT_LENGTH,) * steps if drafted else (0,) * steps,
        draft_ms=0.0,
        verify_ms=0.0,
        peak_pages=1,
        preemptions=0,
    )
