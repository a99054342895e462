"""The native step built for other processors than this one: right, and a row's bits its own.

Compilers fuse and order arithmetic differently for each processor, so what holds for the build of
the machine at hand may fail elsewhere.
"""

from __future__ import annotations

import copy
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.kv.page_pool import PagePool
from specchat.engine.kv.page_table import PageTable
from specchat.engine.model.batch import Rows, lay_out, pack
from specchat.engine.model.quantized import KINDS, quantize_model
from specchat.engine.model.runner import ModelRunner
from specchat.engine.native import library as native
from specchat.engine.native.model import NativeModel

V3 = frozenset({"avx2", "fma", "bmi1", "bmi2", "abm", "movbe", "f16c"})
AVX512 = V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
NEEDS: dict[str, frozenset[str]] = {
    "x86-64": frozenset(),
    "x86-64-v3": V3,
    "haswell": V3,
    "znver3": V3,
    "skylake-avx512": AVX512,
    "sapphirerapids": AVX512 | {"avx512_bf16", "avx512vbmi", "avx512_vnni", "avx512_bitalg"},
    "native": frozenset(),
}
"""Instruction sets to build for -> what the processor must know to run the build."""

NUMBERS = ("float32", "float32 that bf16 holds", "bf16", *KINDS)
PAGE_SIZE = 4
VOCAB = 67  # no multiple of a vector
MOST_THREADS = 4
FAMILIES: dict[str, Callable[..., Any]] = {
    "llama": lambda **sizes: LlamaForCausalLM(LlamaConfig(**sizes)),
    "qwen2": lambda **sizes: Qwen2ForCausalLM(Qwen2Config(**sizes)),  # biases
    "gemma2": lambda **sizes: Gemma2ForCausalLM(  # windows, caps, another gate, more norms
        Gemma2Config(**sizes, sliding_window=64, attn_logit_softcapping=2.0)
    ),
}


@pytest.fixture(scope="module", params=NEEDS)
def built(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every step of the test runs natively as built for this instruction set."""
    processor: str = request.param
    if processor != "native" and platform.machine() != "x86_64":
        pytest.skip(f"{processor} is a kind of x86-64, this is {platform.machine()}")
    lacking = NEEDS[processor] - _features()
    if lacking:
        pytest.skip(f"a build for {processor} needs {', '.join(sorted(lacking))}")
    with pytest.MonkeyPatch.context() as patch:
        flags = tuple(f"-march={processor}" if f == "-march=native" else f for f in native.FLAGS)
        patch.setattr(native, "FLAGS", flags)
        patch.setattr(native, "_library", None)
        yield processor


@dataclass(frozen=True)
class Shape:
    """A small model: widths that are no multiple of a vector, in one of the number formats."""

    hidden: int
    inner: int
    head_dim: int
    heads: int
    kv_heads: int
    kind: str  # one of `NUMBERS`
    family: str  # one of `FAMILIES`

    def runner(self) -> ModelRunner:
        torch.manual_seed(5)
        sizes = {
            "vocab_size": VOCAB,
            "hidden_size": self.hidden,
            "intermediate_size": self.inner,
            "num_hidden_layers": 2,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "max_position_embeddings": 512,
        }
        model = FAMILIES[self.family](**sizes).eval()
        if self.kind in ("float32 that bf16 holds", "bf16"):
            model = model.bfloat16()
        if self.kind != "bf16":
            model = model.float()
        if self.kind in KINDS:
            quantize_model(model, self.kind)
        return ModelRunner(model, pages=128, page_size=PAGE_SIZE)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    kv_heads = draw(st.integers(1, 2))
    heads = kv_heads * draw(st.sampled_from([1, 2, 3, 5]))
    kind = draw(st.sampled_from(NUMBERS))
    columns = {"int8": 4, "int4": 32}.get(kind, 1)  # else they are not quantised
    return Shape(
        hidden=heads * columns * draw(st.integers(9 // columns + 1, 40 // columns)),
        inner=columns * draw(st.integers(9 // columns + 1, 120 // columns)),
        head_dim=2 * draw(st.integers(16, 128)),
        heads=heads,
        kv_heads=kv_heads,
        kind=kind,
        family=draw(st.sampled_from(list(FAMILIES))),
    )


@st.composite
def trees(draw: st.DrawFn) -> DraftTree:
    """Up to 63 nodes; one drawn parent each, mostly the node before, so that some are deep."""
    tree = DraftTree()
    for node in range(draw(st.integers(0, 63))):
        parent = node - 1 if draw(st.booleans()) else draw(st.integers(-1, max(node - 1, -1)))
        tree.add(draw(st.integers(0, VOCAB - 1)), parent, "test")
    return tree


THOROUGHLY = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@THOROUGHLY
@given(
    shapes(),
    trees(),
    st.integers(0, 75),
    st.integers(0, 12),
    st.integers(2, MOST_THREADS),
    st.data(),
)
def test_a_row_has_its_own_bits_in_any_step_and_with_any_threads(
    built: str,
    shape: Shape,
    tree: DraftTree,
    context: int,
    company: int,
    threads: int,
    data: st.DataObject,
) -> None:
    """One tree in one step beside another request, against its nodes' paths token by token."""
    runner = shape.runner()
    step = NativeModel(runner.model, runner.cache)
    table, other = _table(runner, 0), _table(runner, 30)
    prompt = [token % VOCAB for token in range(context)]
    with torch.inference_mode():
        with _threads(threads):
            if context:
                step.run(lay_out([Rows.chunk(table, prompt, last=False)]))
            table.length = context
            beside = [Rows.chunk(other, [1] * company, last=False)] if company else []
            whole = step.run(lay_out([*beside, Rows.tree(table, 9, tree)])).logits.clone()
        for node in data.draw(st.sets(st.integers(0, len(tree)), min_size=1, max_size=2)):
            path = _path(tree, node - 1)
            table.length = context
            with _threads(1):
                for token in (9, *(tree.tokens[each] for each in path)):
                    alone = step.run(lay_out([Rows.tree(table, token, DraftTree())])).logits
                    table.length += 1
                assert torch.equal(alone[0], whole[node]), (built, shape, node)


@THOROUGHLY
@given(shapes(), st.integers(1, 130), st.integers(1, MOST_THREADS), st.data())
def test_a_prompt_gives_the_same_bits_in_whatever_chunks_it_comes(
    built: str, shape: Shape, tokens: int, threads: int, data: st.DataObject
) -> None:
    runner = shape.runner()
    step = NativeModel(runner.model, runner.cache)
    table = _table(runner, 0)
    prompt = [3 * token % VOCAB for token in range(tokens)]
    with torch.inference_mode():
        with _threads(threads):
            whole = step.run(lay_out([Rows.chunk(table, prompt, last=True)])).logits.clone()
        while table.length < tokens:
            count = data.draw(st.integers(1, tokens - table.length))
            chunk = prompt[table.length : table.length + count]
            with _threads(1):
                parts = step.run(lay_out([Rows.chunk(table, chunk, last=True)])).logits
            table.length += count
    assert torch.equal(parts[-1], whole[-1]), (built, shape)


@pytest.mark.parametrize(
    "shape",
    [
        Shape(48, 88, 32, 6, 2, "float32", "llama"),
        Shape(50, 91, 64, 4, 2, "float32 that bf16 holds", "qwen2"),
        Shape(48, 88, 128, 4, 1, "bf16", "llama"),
        Shape(48, 88, 32, 6, 2, "int8", "qwen2"),
        Shape(96, 160, 32, 6, 2, "int4", "qwen2"),
        Shape(48, 88, 32, 6, 2, "float32", "gemma2"),
    ],
    ids=lambda shape: f"{shape.kind} {shape.family}",
)
def test_the_step_computes_what_exact_numbers_give(built: str, shape: Shape) -> None:
    runner = shape.runner()
    exact = copy.deepcopy(runner.model).double()
    exact_runner = ModelRunner(exact, pages=64, page_size=PAGE_SIZE)
    step = NativeModel(runner.model, runner.cache)
    rows = Rows.chunk(_table(runner, 0), [token % VOCAB for token in range(23)], last=True)
    with torch.inference_mode():
        found = step.run(lay_out([rows])).logits.double()
        wanted = exact_runner.eager.forward(pack([rows], exact_runner.device)).logits
    off = float((found - wanted).abs().max() / wanted.abs().max())
    assert off < (0.05 if shape.kind == "bf16" else 1e-4), (built, off)


def _table(runner: ModelRunner, first: int) -> PageTable:
    """A request's table with room for 160 rows, on pages that are no neighbours."""
    pool = PagePool(runner.pages, runner.cache.page_size)
    pool.allocate(1 + first)
    table = PageTable.open(pool, "", [0])
    table.reserve(160)
    table.pages = table.pages[::-1]
    table.length = 0
    return table


def _path(tree: DraftTree, node: int) -> list[int]:
    path: list[int] = []
    while node >= 0:
        path.insert(0, node)
        node = tree.parents[node]
    return path


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _features() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").split())
