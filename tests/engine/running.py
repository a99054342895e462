"""Helpers of the engine's tests: a factory of engines, collected answers, scripted drafters."""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.drafting.speculator import DraftContext, Speculator
from specchat.engine.engine import Engine
from specchat.engine.model.compiled import CompileQueue
from specchat.engine.model.runner import ModelRunner
from specchat.engine.options import MAX_NODES, EngineOptions
from specchat.engine.output.detokenizer import Detokenizer
from specchat.engine.request import FinishReason, Request, SamplingParams, TokenDelta, TurnStats
from specchat.engine.sequence import Counters, TokenStream
from specchat.engine.snapshot import ModelInfo

EOS = 4  # <|end|> of the tiny tokenizer


class Engines:
    """Makes engines on one model and closes them all."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._made: list[Engine] = []

    def __call__(
        self,
        *speculators: Speculator,
        pages: int = 256,
        model: Any = None,
        queue: CompileQueue | None = None,
        **options: Any,
    ) -> Engine:
        model = model or self._model
        runner = ModelRunner(model, pages=pages, queue=queue)
        shape = runner.shape
        info = ModelInfo(
            "tiny", shape.vocab_size, shape.context_length, 0, "float32", "cpu", "test",
            tuple(s.name for s in speculators),
        )  # fmt: skip
        engine = Engine(
            runner,
            info,
            detokenizer=Detokenizer(self._tokenizer),
            eos_ids=[EOS],
            speculators=speculators,
            queue=queue,
            options=EngineOptions(**{"check_pages": True, "max_nodes": MAX_NODES, **options}),
        )
        self._made.append(engine)
        return engine

    def close(self) -> None:
        for engine in self._made:
            engine.close()


@dataclass(frozen=True)
class Answer:
    """A stream read to its end."""

    tokens: tuple[int, ...]
    text: str
    finish: FinishReason
    stats: TurnStats
    sources: tuple[str, ...]
    deltas: tuple[TokenDelta, ...]

    @property
    def said(self) -> tuple[tuple[int, ...], str, FinishReason]:
        """What the customer gets, whatever it cost."""
        return self.tokens, self.text, self.finish


def read(stream: TokenStream) -> Answer:
    """Read a stream to its end."""
    deltas = tuple(stream)
    tokens = [token for delta in deltas for token in delta.tokens]
    last = deltas[-1]
    assert last.finish is not None
    assert last.stats is not None
    return Answer(
        tuple(token.token_id for token in tokens),
        "".join(delta.text for delta in deltas),
        last.finish,
        last.stats,
        tuple(token.source for token in tokens),
        deltas,
    )


def request(prompt: Iterable[int], salt: str = "", **params: Any) -> Request:
    """A request with these sampling parameters."""
    return Request(tuple(prompt), SamplingParams(**params), salt=salt)


def ask(engine: Engine, prompt: Iterable[int], salt: str = "", **params: Any) -> Answer:
    """One answer, waited for."""
    return read(engine.submit(request(prompt, salt, **params)))


def ask_all(engine: Engine, requests: Sequence[Request]) -> list[Answer]:
    """All answers, asked for at once."""
    return [read(stream) for stream in [engine.submit(r) for r in requests]]


def ask_at_once(engine: Engine, requests: Sequence[Request]) -> list[Answer]:
    """All answers, of requests that the engine gets to see in one moment, so that they compete for
    its pages however slow this machine is."""
    streams = [TokenStream(r.request_id, engine.cancel) for r in requests]
    pairs = list(zip(requests, streams, strict=True))
    engine._inbox.post(lambda: [engine._add(r, stream, Counters()) for r, stream in pairs])  # type: ignore[arg-type]
    return [read(stream) for stream in streams]


def prompts(count: int, length: int = 20, seed: int = 0) -> list[tuple[int, ...]]:
    """Random prompts without special tokens."""
    rng = random.Random(seed)
    return [tuple(rng.randrange(5, 300) for _ in range(length)) for _ in range(count)]


def wait_idle(engine: Engine) -> None:
    """Wait until no request is left and check that every page is back."""
    deadline = time.monotonic() + 240
    while (snapshot := engine.snapshot()).running or snapshot.waiting:
        assert time.monotonic() < deadline, "the engine never became idle"
        time.sleep(0.005)
    assert snapshot.pages_held == 0
    assert snapshot.pages_free + snapshot.pages_cached == snapshot.pages_total


def poisoned(model: Any, token: int) -> Any:
    """A copy of `model` with logits that are no numbers wherever `token` comes before."""
    copied = copy.deepcopy(model)
    table = copied.get_input_embeddings()
    weight = table.weight.detach().clone()  # its own, where it was tied to the head
    weight[token] = math.nan
    table.weight = torch.nn.Parameter(weight)
    return copied


class Scripted(Speculator):
    """A drafter that knows the answers. Subclasses say what it makes of them."""

    name = "scripted"

    def __init__(self, answers: dict[tuple[int, ...], tuple[int, ...]], length: int = 4) -> None:
        self._answers, self._length = answers, length

    def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
        trees = []
        for context in batch:
            tokens = tuple(context.tokens)
            answer = self._answers.get(tokens[: context.prompt_length], ())
            trees.append(self.draft(tokens, answer[len(tokens) - context.prompt_length :]))
        return trees

    def draft(self, tokens: tuple[int, ...], truth: tuple[int, ...]) -> DraftTree:
        raise NotImplementedError


class Oracle(Scripted):
    """Drafts the answer itself."""

    name = "oracle"

    def draft(self, tokens: tuple[int, ...], truth: tuple[int, ...]) -> DraftTree:
        return DraftTree.chain(truth[: self._length], self.name)


class Liar(Scripted):
    """Drafts what the answer is not."""

    name = "liar"

    def draft(self, tokens: tuple[int, ...], truth: tuple[int, ...]) -> DraftTree:
        wrong = [(token + 1) % 300 for token in truth[: self._length]]
        return DraftTree.chain(wrong or [7], self.name)


class Bushy(Scripted):
    """Drafts a random tree of up to 63 nodes in which a part of the answer is hidden."""

    name = "bushy"

    def draft(self, tokens: tuple[int, ...], truth: tuple[int, ...]) -> DraftTree:
        rng = random.Random(hash(tokens))
        tree = DraftTree()
        on_path: dict[int, int] = {ROOT: 0}  # node -> how much of the truth leads to it
        for _ in range(rng.randint(1, MAX_NODES)):
            true_end = max(on_path, key=on_path.__getitem__)
            depth = on_path[true_end]
            if depth < min(len(truth), self._length) and rng.random() < 0.3:
                on_path[tree.add(truth[depth], true_end, self.name)] = depth + 1
                continue
            parent = rng.randint(ROOT, len(tree) - 1)
            taken = {tree.tokens[child] for child in tree.children(parent)}
            if parent in on_path and on_path[parent] < len(truth):
                taken.add(truth[on_path[parent]])
            tree.add(rng.choice([t for t in range(5, 60) if t not in taken]), parent, self.name)
        return tree


class Stepped:
    """An engine whose steps are run by hand, so that a test decides what happens between them."""

    def __init__(self, engine: Engine) -> None:
        engine._end_loop()
        self.engine = engine
        self.streams: dict[str, TokenStream] = {}

    def submit(self, request: Request) -> None:
        """Queue a request. Raises what `Engine.submit` raises."""
        self.engine._validation.request(request)
        stream = TokenStream(request.request_id, self.cancel)
        self.engine._add(request, stream, Counters())
        self.streams[request.request_id] = stream

    def cancel(self, request_id: str) -> None:
        self.engine._finish(request_id, FinishReason.CANCELLED)

    def step(self) -> None:
        with torch.inference_mode():
            self.engine._step()

    def preempt(self, pick: int) -> None:
        """Take the pages of one of the running requests, as when they run out."""
        scheduler = self.engine._scheduler
        if scheduler.running:
            scheduler._preempt(scheduler.running[pick % len(scheduler.running)])

    @property
    def alive(self) -> list[str]:
        """Requests that have not ended, oldest first."""
        return list(self.engine._sequences)

    def run(self, most: int = 5000) -> None:
        """Step until every request has ended."""
        for _ in range(most):
            if not self.alive:
                return
            self.step()
        raise AssertionError(f"{len(self.alive)} requests starve")
