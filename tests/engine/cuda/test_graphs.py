"""Recorded steps without a GPU: a recorder that replays the function on the fixed tensors, and
the Triton kernels under the interpreter."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers as hf
from torch.utils._python_dispatch import TorchDispatchMode

from specchat.engine.cuda.fused import fuse
from specchat.engine.cuda.graphs import StepGraphs
from specchat.engine.cuda.recording import Recording, recorded_function
from specchat.engine.cuda.sampling import choose_by_kernel
from specchat.engine.cuda.step_tables import Geometry
from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.kv.page_pool import PagePool
from specchat.engine.kv.page_table import PageTable
from specchat.engine.model.attention import StepContext, set_step
from specchat.engine.model.batch import Rows, lay_out
from specchat.engine.model.compiled import CompileQueue
from specchat.engine.model.runner import ModelRunner
from specchat.engine.model.step_output import StepOutput
from specchat.engine.request import FinishReason, SamplingParams
from specchat.engine.sampling.noise import gumbel_noise
from specchat.engine.sampling.sampler import RowGroup, choose
from tests.engine.model.test_attention import CONFIGS, GROUPED, build, bushy
from tests.engine.running import Engines, Oracle, ask, poisoned, request, wait_idle

PAGES = 24


def replay_on_cpu(function: Callable[[], Any]) -> Recording:
    """What a graph does: the same work again on the same tensors, into the same outputs."""
    with torch.inference_mode():
        output = tuple(tensor if tensor is None else tensor.clone() for tensor in function())

    def replay() -> None:
        for kept, fresh in zip(output, function(), strict=True):
            if kept is not None:
                kept.copy_(fresh)

    return Recording(replay, output)


def with_graphs(runner: ModelRunner, rows: tuple[int, ...]) -> ModelRunner:
    """Lets a runner on CPU work as on a GPU. Other tests use its model too, so it gets a copy."""
    kv = runner.shape.kv
    runner.eager.model = copy.deepcopy(runner.model)
    runner.eager.geometry = Geometry(runner.shape.heads, kv.kv_heads, runner.cache.page_size, 2)
    runner.eager.fused = fuse(runner.model)
    runner.graphs = StepGraphs(runner.eager, rows, replay_on_cpu)
    runner.graphs.compile()
    return runner


def steps(runner: ModelRunner) -> list[StepOutput]:
    """Two requests on scattered pages: prefill in chunks, then a tree and a plain token."""
    rng = random.Random(5)
    pool = PagePool(PAGES, runner.cache.page_size)
    pages = pool.allocate(PAGES)
    rng.shuffle(pages)
    tables = [PageTable(pool, pages=pages[:12]), PageTable(pool, pages=pages[12:])]
    prompts = [[rng.randrange(3, 60) for _ in range(n)] for n in (11, 5)]
    out = [runner.forward([Rows.chunk(tables[0], prompts[0][:7], last=False)])]
    tables[0].advance(7)
    out.append(
        runner.forward(
            [
                Rows.chunk(tables[0], prompts[0][7:], last=True),
                Rows.chunk(tables[1], prompts[1], last=True),
            ]
        )
    )
    tables[0].advance(4)
    tables[1].advance(5)
    parts = [Rows.tree(tables[0], 9, bushy(rng, 6)), Rows.tree(tables[1], 8, DraftTree())]
    return [*out, runner.forward(parts)]


def llama_runner() -> ModelRunner:
    return ModelRunner(build(hf.LlamaConfig(**GROUPED)), pages=PAGES, page_size=4)


def test_recorded_steps_equal_eager_ones_at_every_padding() -> None:
    expected = [(out.logits.clone(), out.hidden.clone()) for out in steps(llama_runner())]
    runner = with_graphs(llama_runner(), (1, 8, 16))
    assert runner.graphs.ready
    with torch.inference_mode():
        for out, (logits, hidden) in zip(steps(runner), expected, strict=True):
            torch.testing.assert_close(out.logits, logits, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(out.hidden, hidden, atol=1e-5, rtol=1e-5)
            assert (out.best or []) == logits.argmax(-1).tolist()


def test_inner_hidden_states_come_with_a_recorded_step() -> None:
    runner = llama_runner()
    runner.collect([1])
    expected = [out.aux.clone() for out in steps(runner) if out.aux is not None]
    runner = llama_runner()
    runner.collect([1])
    found = [out.aux for out in steps(with_graphs(runner, (16,)))]
    assert len(expected) == len(found) == 3
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


def test_a_step_is_padded_to_the_next_recorded_size_and_larger_ones_stay_eager() -> None:
    runner = with_graphs(llama_runner(), (1, 4))
    assert [runner.place(rows) for rows in (1, 2, 4, 5)] == [
        ("graph", 1), ("graph", 4), ("graph", 4), ("eager", 5)
    ]  # fmt: skip
    assert (runner.prior_ms("graph", 4) or 0) > 0
    table = PageTable(pool := PagePool(PAGES, 4), pages=pool.allocate(4))
    parts = [Rows.chunk(table, [3] * 5, last=True)]
    assert runner.graphs.run(lay_out(parts)) is None
    assert runner.forward(parts).logits.shape == (1, 60)


def test_hidden_states_outlive_the_next_replay() -> None:
    runner = with_graphs(llama_runner(), (1,))
    table = PageTable(pool := PagePool(PAGES, 4), pages=pool.allocate(4))
    first = runner.forward([Rows.chunk(table, [3], last=True)]).hidden
    kept = first.clone()
    table.advance(1)
    runner.forward([Rows.chunk(table, [7], last=True)])
    torch.testing.assert_close(first, kept, atol=0, rtol=0)


def test_a_model_that_cannot_be_recorded_stays_eager(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(function: Callable[[], Any]) -> Recording:
        raise RuntimeError("operation not permitted when stream is capturing")

    runner = llama_runner()
    runner.eager.geometry = Geometry(4, 2, 4, 2)
    runner.graphs = StepGraphs(runner.eager, (1, 4), refuse)
    runner.graphs.compile()
    assert not runner.graphs.ready
    assert "not permitted" in (runner.graphs.reason or "")
    assert runner.place(1) == ("eager", 1)
    assert "no CUDA graph" in caplog.text


@pytest.mark.parametrize("bad", [1, 4, 8])
def test_a_size_that_cannot_be_recorded_costs_that_size_alone(bad: int) -> None:
    sizes = iter([8, 4, 1])  # in which they are recorded

    def record(function: Callable[[], Any]) -> Recording:
        if next(sizes) == bad:
            raise RuntimeError("out of resource: shared memory")
        return replay_on_cpu(function)

    runner = llama_runner()
    runner.eager.geometry = Geometry(4, 2, 4, 2)
    runner.graphs = StepGraphs(runner.eager, (1, 4, 8), record)
    runner.graphs.compile()
    for size in (1, 4, 8):
        larger = {1: 4, 4: 8, 8: None}[size]
        assert runner.graphs.bucket(size) == (larger if size == bad else size)
    assert f"a step of {bad} rows" in (runner.graphs.reason or "")


def test_an_engine_on_recorded_steps_answers_as_an_eager_one(
    engines: Engines, keep_all_drafts: None
) -> None:
    prompt = list(range(5, 20))
    eager = engines()
    answer = ask(eager, prompt, max_tokens=12)
    drafter = Oracle({tuple(prompt): answer.tokens})
    engine = engines(drafter, pages=PAGES)
    with_graphs(engine._runner, (1, 8, 16))
    again = ask(engine, prompt, max_tokens=12)
    assert again.said == answer.said
    assert again.stats.accepted > 0


def test_sampled_answers_are_those_of_an_eager_engine(
    engines: Engines, keep_all_drafts: None
) -> None:
    """A sampled, a filtered and a greedy request: by the kernel together, or not where one asks for
    more than temperature."""
    prompt = list(range(5, 20))
    wanted: list[dict[str, Any]] = [
        {"temperature": 0.9, "seed": 3}, {"temperature": 0.7, "top_p": 0.8}, {"temperature": 0.0}
    ]  # fmt: skip
    eager = engines()
    answers = [ask(eager, prompt, max_tokens=8, **params) for params in wanted]
    drafter = Oracle({tuple(prompt): answers[0].tokens})
    engine = engines(drafter, pages=PAGES)
    with_graphs(engine._runner, (1, 8, 16))
    for params, answer in zip(wanted, answers, strict=True):
        assert ask(engine, prompt, max_tokens=8, **params).said == answer.said


@pytest.mark.parametrize("params", [{}, {"temperature": 0.9, "seed": 3}], ids=str)
def test_logits_that_are_no_numbers_end_a_request_on_recorded_steps(
    engines: Engines, tiny_model: Any, params: dict[str, Any]
) -> None:
    engine = engines(model=poisoned(tiny_model, 299), pages=PAGES)
    with_graphs(engine._runner, (1, 8, 16))
    assert ask(engine, [*range(5, 18), 299], max_tokens=5, **params).finish is FinishReason.ERROR
    assert len(ask(engine, [*range(5, 18)], max_tokens=5, ignore_eos=True, **params).tokens) == 5


def test_rows_are_sampled_by_their_own_depth() -> None:
    tree = bushy(random.Random(1), 6)
    params = SamplingParams(temperature=0.8, seed=5)
    logits = torch.randn(9, 400) * 2
    noise = gumbel_noise(5, 30, 8, 400, torch.device("cpu"))[[0, *tree.depths]]
    sampled = RowGroup(params, 7, noise, None, position=30)
    greedy = RowGroup(SamplingParams(), 2, None, None)
    chain = DraftTree.chain([5], "x")
    expected = choose(logits, [sampled, greedy])
    assert choose_by_kernel(logits, [sampled, greedy], [tree, chain]) == expected
    best = logits.argmax(-1).tolist()
    assert choose_by_kernel(logits, [sampled, greedy], [tree, chain], best) == expected


def test_streams_get_every_token_though_they_are_served_a_step_later(engines: Engines) -> None:
    prompt = list(range(5, 20))
    engine = engines(pages=PAGES)
    expected = ask(engine, prompt, max_tokens=6, ignore_eos=True).tokens
    with_graphs(engine._runner, (1, 16))
    with engine.submit(request(prompt, max_tokens=60, ignore_eos=True)) as stream:
        deltas = [next(stream) for _ in range(3)]
        stream.cancel()
        deltas += list(stream)
    tokens = [token.token_id for delta in deltas for token in delta.tokens]
    assert tuple(tokens[:6]) == expected[: len(tokens)]
    assert deltas[-1].finish == "cancelled"
    assert deltas[-1].stats is not None
    assert len(tokens) == deltas[-1].stats.completion_tokens
    wait_idle(engine)


def test_a_recorded_function_works_on_its_own_copies() -> None:
    given = torch.ones(2, 3), torch.full((2, 3), 2.0)
    with torch.inference_mode():
        call = recorded_function(lambda a, b: (a + b, a * b), given, replay_on_cpu)
        total, product = call(torch.full((2, 3), 5.0), torch.full((2, 3), 3.0))
    assert total.eq(8).all()
    assert product.eq(15).all()
    assert given[0].eq(1).all()


class NoWaiting(TorchDispatchMode):
    """Refuses what would make the host wait for the GPU: not allowed while a graph is made."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in ("_local_scalar_dense", "nonzero", "masked_select", "equal", "unique_dim"):
            raise RuntimeError(f"{name} waits for the GPU")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("family", [name for name in CONFIGS if "moe" not in name])
def test_a_forward_pass_can_be_recorded(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = ModelRunner(build(CONFIGS[family]()), pages=PAGES, page_size=4)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    set_step(StepContext(runner.cache, torch.full((4,), runner.cache.scratch_slot), []))
    ids = torch.arange(4)
    with torch.inference_mode(), NoWaiting():
        logits, hidden, _ = runner.eager.forward_rows(ids, ids)
    assert logits.shape == (4, 60)
    assert hidden.shape[0] == 4


def test_an_eager_step_does_not_wait_for_the_gpu() -> None:
    runner = llama_runner()
    set_step(StepContext(runner.cache, torch.full((4,), runner.cache.scratch_slot), []))
    ids = torch.arange(4)
    with torch.inference_mode(), NoWaiting():
        assert runner.eager.forward_rows(ids, ids)[0].shape[0] == 4


def test_a_gpu_s_queue_does_its_jobs_before_the_start_is_over() -> None:
    runner = llama_runner()
    runner.eager.geometry = Geometry(4, 2, 4, 2)
    runner.graphs = StepGraphs(runner.eager, (1,), replay_on_cpu)
    queue = CompileQueue(enabled=True, in_background=False)
    queue.add(runner.graphs)
    assert queue.description == "eager"
    queue.start()
    assert queue.done
    assert queue.description == "recorded 1/1"
    assert runner.place(1) == ("graph", 1)
