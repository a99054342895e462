"""Random interleavings of everything that can happen to requests, with the pool checked after each
step: submits, cancellations, preemptions, evictions, priorities, tree shapes, stop conditions."""

from __future__ import annotations

import functools
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specchat.engine.errors import QueueFullError
from specchat.engine.request import FinishReason, Request, SamplingParams
from tests.engine.running import (
    Answer,
    Bushy,
    Engines,
    Liar,
    Oracle,
    Stepped,
    ask_all,
    prompts,
    read,
)

pytestmark = pytest.mark.usefixtures("keep_all_drafts")

COMPANY = prompts(1, 20, seed=20)[0]
TEXTS = tuple(
    (*(COMPANY if shared else ()), *text[:length])
    for text, shared, length in zip(
        prompts(6, 30, seed=21), (1, 1, 1, 0, 0, 0), (3, 12, 30, 1, 16, 30), strict=True
    )
)
STOPS: dict[str, dict[str, Any]] = {
    "length": {"ignore_eos": True},
    "eos": {"logit_bias": {4: 3.0}},
    "token": {"ignore_eos": True, "stop_token_ids": tuple(range(5, 25))},
    "string": {"ignore_eos": True, "stop": ("e", "th")},
}


@dataclass(frozen=True)
class Asked:
    """What a request asks for; who asks changes nothing in the answer."""

    text: int
    stop: str
    max_tokens: int
    sampled: bool
    penalised: bool
    speculate: bool

    def request(self, salt: str, interactive: bool) -> Request:
        params = SamplingParams(
            max_tokens=self.max_tokens,
            temperature=0.8 * self.sampled,
            seed=self.text,
            repetition_penalty=1.3 if self.penalised else 1.0,
            speculate=self.speculate,
            **STOPS[self.stop],
        )
        public = len(COMPANY) if self.text < 3 else 0
        return Request(TEXTS[self.text], params, salt, public, interactive)


asked = st.builds(
    Asked,
    text=st.integers(0, len(TEXTS) - 1),
    stop=st.sampled_from(sorted(STOPS)),
    max_tokens=st.sampled_from([1, 7, 30, 50]),
    sampled=st.booleans(),
    penalised=st.booleans(),
    speculate=st.sampled_from([True, True, True, False]),
)
salts = st.sampled_from(["", "shop", "bank"])
event = st.one_of(
    st.tuples(st.just("submit"), asked, salts, st.booleans()),
    st.tuples(st.just("submit"), asked, salts, st.booleans()),
    st.tuples(st.just("submit"), asked, salts, st.booleans()),
    st.tuples(st.just("step"), st.integers(1, 6)),
    st.tuples(st.just("step"), st.integers(1, 6)),
    st.tuples(st.just("cancel"), st.integers(0, 99)),
    st.tuples(st.just("preempt"), st.integers(0, 99)),
    st.tuples(st.just("evict"), salts),
)


@pytest.fixture(scope="module")
def plain(tiny_model: Any, tiny_tokenizer: Any) -> Iterator[Callable[[Asked], Answer]]:
    """The answer without drafts, alone on a large pool."""
    factory = Engines(tiny_model, tiny_tokenizer)
    engine = factory()
    yield functools.cache(lambda what: ask_all(engine, [what.request("", True)])[0])
    factory.close()


def test_any_interleaving_gives_the_plain_answers_and_every_page_back(
    engines: Engines, plain: Callable[[Asked], Answer]
) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=20)
    @given(
        crowd=st.lists(st.tuples(st.just("submit"), asked, salts, st.booleans()), min_size=4),
        events=st.lists(event, min_size=5, max_size=40),
        drafter=st.sampled_from([Oracle, Liar, Bushy]),
        pages=st.integers(7, 14),
        budget=st.sampled_from([5, 16, 64]),
        prefill=st.sampled_from([3, 16]),
        running=st.sampled_from([3, 16]),
    )
    def check(
        crowd: list[tuple[Any, ...]],
        events: list[tuple[Any, ...]],
        drafter: type[Bushy],
        pages: int,
        budget: int,
        prefill: int,
        running: int,
    ) -> None:
        truth: dict[tuple[int, ...], tuple[int, ...]] = {}
        stepped = Stepped(
            engines(
                drafter(truth, 6), pages=pages, token_budget=budget, prefill_rows=prefill,
                max_running=running, max_waiting=8,
            )
        )  # fmt: skip
        wanted: dict[str, Asked] = {}
        cancelled = set()
        beginning = [*crowd[:8], ("step", 4), ("preempt", 0), ("preempt", 1), ("step", 2)]
        for name, *rest in (*beginning, *events):
            if name == "submit":
                what, salt, interactive = rest
                request = what.request(salt, interactive)
                truth[request.prompt_ids] = plain(what).tokens
                try:
                    stepped.submit(request)
                except QueueFullError:
                    continue
                wanted[request.request_id] = what
            elif name == "step":
                for _ in range(rest[0]):
                    stepped.step()
            elif name == "cancel" and stepped.alive:
                cancelled.add(stepped.alive[rest[0] % len(stepped.alive)])
                stepped.cancel(stepped.alive[rest[0] % len(stepped.alive)])
            elif name == "preempt":
                stepped.preempt(rest[0])
            elif name == "evict":
                stepped.engine._evict_salt(rest[0])
            stepped.engine.pool.check()
        stepped.run()
        for request_id, what in wanted.items():
            answer = read(stepped.streams[request_id])
            assert (answer.finish is FinishReason.CANCELLED) == (request_id in cancelled)
            assert len(answer.tokens) == answer.stats.completion_tokens <= what.max_tokens
            if request_id in cancelled:
                assert answer.tokens == plain(what).tokens[: len(answer.tokens)]
            else:
                assert answer.said == plain(what).said
            seen["cancelled" if request_id in cancelled else "ended"] += 1
            seen["drafted"] += answer.stats.drafted
            seen["accepted"] += answer.stats.accepted
            seen["preemptions"] += answer.stats.preemptions
        assert_empty(stepped)

    check()
    for what in ("ended", "cancelled", "preemptions", "drafted", "accepted"):
        assert seen[what] > 3, seen


def assert_empty(stepped: Stepped) -> None:
    engine = stepped.engine
    assert engine.pool.held == 0
    for salt in ("", "shop", "bank"):
        engine._evict_salt(salt)
    public = engine.pool.cached  # the company's own pages outlive every tenant
    assert public <= len(COMPANY) // 16
    engine.pool.allocate(engine.pool.total)
    assert sorted(engine.pool._references) == [1] * engine.pool.total


@pytest.mark.parametrize("speculative", [False, True])
def test_500_cancelled_streams_leave_the_pool_exactly_as_it_was(
    engines: Engines, speculative: bool
) -> None:
    """Cancelled while queued, in the middle of a prompt or of an answer, and when preempted."""
    rng = random.Random(3)
    drafters = [Bushy({}, 8)] if speculative else []
    stepped = Stepped(engines(*drafters, pages=24, token_budget=40, max_running=8))
    pool = stepped.engine.pool
    before = sorted(pool._free), list(pool._references)
    texts = itertools.cycle(prompts(100, 45, seed=3))
    moments = {"queued": 0, "prompt": 0, "answer": 0, "preempted": 0}
    cancelled = 0
    while cancelled < 500:
        while len(stepped.alive) < 16:
            params = SamplingParams(max_tokens=120, ignore_eos=True)
            stepped.submit(Request(next(texts), params, rng.choice("ab"), rng.choice([0, 20])))
        for _ in range(rng.choice([0, 1, 1, 3, 8])):
            stepped.step()
        if rng.random() < 0.2:
            stepped.preempt(rng.randrange(99))
        for request_id in rng.sample(stepped.alive, min(len(stepped.alive), rng.randint(1, 3))):
            sequence = stepped.engine._sequences[request_id]
            if sequence.table is None:
                moments["preempted" if sequence.counters.preemptions else "queued"] += 1
            else:
                moments["answer" if sequence.answered else "prompt"] += 1
            stepped.cancel(request_id)
            cancelled += 1
            assert read(stepped.streams[request_id]).finish is FinishReason.CANCELLED
        pool.check()
    assert min(moments.values()) > 5, moments
    for request_id in stepped.alive:
        stepped.cancel(request_id)
    assert pool.held == 0
    pool.release(pool.allocate(pool.total))  # evicts what is cached, of tenants and public
    assert (sorted(pool._free), pool._references) == before
    pool.check()
