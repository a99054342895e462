"""The native step computes what eager mode computes, and the same bits at any batch."""

from __future__ import annotations

import copy
import operator
import sys
from itertools import accumulate
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.speculator import DraftContext
from specchat.engine.kv.page_pool import PagePool
from specchat.engine.kv.page_table import PageTable
from specchat.engine.model import quantized
from specchat.engine.model.batch import Rows, lay_out, pack
from specchat.engine.model.runner import ModelRunner
from specchat.engine.model.step_output import StepOutput
from specchat.engine.native import library as native
from specchat.engine.native.library import NativeUnavailableError
from specchat.engine.native.model import NativeModel
from specchat.engine.native.steps import without_disturbance
from specchat.speculators.mlp import native as mlp_native
from specchat.speculators.mlp.heads import MlpConfig, MlpHeads
from specchat.speculators.mlp.native import NativeMlp
from tests.engine.native.families import FAMILIES, SIZES, WINDOWS

pytestmark = pytest.mark.usefixtures("several_threads")

KINDS = {
    "float32": (torch.float32, torch.float32),
    "float32 that bf16 holds": (torch.bfloat16, torch.float32),
    "bf16": (torch.bfloat16, torch.bfloat16),
    "int8": (torch.float32, torch.float32),
    "int4": (torch.float32, torch.float32),
}
"""Data types the weights are rounded to, and then held in; some are quantised after that."""


def make_runner(family: str = "llama", kind: str = "float32") -> ModelRunner:
    torch.manual_seed(3)
    model = FAMILIES[family]().eval()
    for parameter in model.parameters():
        if parameter.ndim == 1:  # biases and norms that matter
            torch.nn.init.normal_(parameter, 1.0, 0.3)
    rounded, held = KINDS[kind]
    model = model.to(rounded).to(held)
    if kind in quantized.KINDS:
        quantized.quantize_model(model, kind)
    return ModelRunner(model, pages=128, page_size=4)


def scattered(runner: ModelRunner, tokens: int) -> PageTable:
    """A table whose pages are not neighbours."""
    pool = PagePool(runner.pages, runner.cache.page_size)
    pool.allocate(3)
    table = PageTable.open(pool, "", [0])
    for _ in range(0, tokens, 4):
        table.reserve(4)
        table.keep(4)
        pool.allocate(1)
    table.reserve(40)
    table.length = 0
    return table


def run(step: NativeModel, *parts: Rows) -> StepOutput:
    out = step.run(lay_out(parts))
    return out._replace(logits=out.logits.clone())  # the next step overwrites them


def ids(count: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, SIZES["vocab_size"], (count,), generator=generator).tolist()


def bushy_tree(nodes: int = 20) -> DraftTree:
    tree = DraftTree()
    generator = torch.Generator().manual_seed(7)
    for token in ids(nodes, seed=8):
        parent = int(torch.randint(-1, len(tree), (1,), generator=generator)) if len(tree) else -1
        tree.add(token, parent, "test")
    return tree


@pytest.mark.parametrize("kind", ["float32", "float32 that bf16 holds", "int8", "int4"])
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_and_hidden_states_are_those_of_eager_mode(family: str, kind: str) -> None:
    runner = make_runner(family, kind)
    step = NativeModel(runner.model, runner.cache)
    table = scattered(runner, 64)
    with torch.inference_mode():
        for rows in (
            Rows.chunk(table, ids(23), last=True),
            Rows.tree(table, 5, bushy_tree()),
        ):
            eager = runner.eager.forward(pack([rows], runner.device))
            found = run(step, rows)
            torch.testing.assert_close(found.logits, eager.logits, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(found.hidden, eager.hidden, rtol=1e-4, atol=1e-4)
            assert found.best == found.logits.argmax(-1).tolist()
            table.length += 23


@pytest.mark.parametrize("kind", ["float32", "int4", "bf16"])
@pytest.mark.parametrize("family", WINDOWS)
def test_what_a_window_leaves_out_is_not_seen(family: str, kind: str) -> None:
    runner = make_runner(family, kind)
    step = NativeModel(runner.model, runner.cache)
    table = scattered(runner, 200)
    rows = Rows.chunk(table, ids(170), last=True)
    with torch.inference_mode():
        for some in (rows._replace(wanted=range(170)), Rows.tree(table, 5, bushy_tree())):
            eager = runner.eager.forward(pack([some], runner.device))
            found = run(step, some)
            if kind == "bf16":
                off = (found.logits - eager.logits.float()).norm() / eager.logits.float().norm()
                assert off < 0.05
            else:
                torch.testing.assert_close(found.logits, eager.logits, rtol=1e-4, atol=1e-4)
            table.length = 170


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["llama", "heads of 64", "columns in groups"])
def test_a_row_has_the_same_bits_whatever_else_is_in_the_step(family: str, kind: str) -> None:
    runner = make_runner(family, kind)
    step = NativeModel(runner.model, runner.cache)
    tokens = ids(40)
    one, other = scattered(runner, 64), scattered(runner, 64)
    other.pages = [page + 1 for page in other.pages]  # never the same pages
    with torch.inference_mode():
        together = run(step, Rows.tree(one, tokens[0], chain(tokens[1:]))).logits
        singly = []
        for token in tokens:
            company = Rows.chunk(other, ids(5), last=False)
            found = run(step, company, Rows.tree(one, token, DraftTree()))
            singly.append(found.logits[-1])
            one.length += 1
    assert torch.equal(together, torch.stack(singly))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["heads of 64", "columns in groups", *WINDOWS])
def test_chunks_of_any_size_leave_the_same_states_keys_and_values(
    family: str, kind: str, threads: int
) -> None:
    runner = make_runner(family, kind)
    step = NativeModel(runner.model, runner.cache)
    pool = PagePool(runner.pages, runner.cache.page_size)
    table = PageTable.open(pool, "", [0])
    table.reserve(200)
    prompt = ids(200)
    before = torch.get_num_threads()
    found = []
    try:
        torch.set_num_threads(threads)
        for size in (200, 64, 33, 32, 31, 7, 2, 1):
            for layer in (*runner.cache.keys, *runner.cache.values):
                layer.zero_()
            hidden = []
            for first in range(0, 200, size):
                table.length = first
                chunk = Rows.chunk(table, prompt[first : first + size], last=True)
                out = run(step, chunk._replace(wanted=range(len(chunk.tokens))))
                hidden.append(out.hidden)
            cached = [layer.clone() for layer in (*runner.cache.keys, *runner.cache.values)]
            found.append((torch.cat(hidden), out.logits[-1], *cached))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(map(torch.equal, found[0], other))


@pytest.mark.parametrize("context", [0, 7, 131])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["llama", "heads of 64", *WINDOWS])
def test_an_accepted_branch_has_the_bits_of_plain_decoding(
    family: str, kind: str, context: int
) -> None:
    runner = make_runner(family, kind)
    step = NativeModel(runner.model, runner.cache)
    tree = bushy_tree()
    deepest = max(range(len(tree)), key=tree.depths.__getitem__)
    path = [deepest]
    while tree.parents[path[0]] >= 0:
        path.insert(0, tree.parents[path[0]])
    table = scattered(runner, 160)
    with torch.inference_mode():
        run(step, Rows.chunk(table, ids(context), last=False))
        table.length = context
        whole = run(step, Rows.tree(table, 9, tree)).logits
        plain = chain([tree.tokens[node] for node in path])
        line = run(step, Rows.tree(table, 9, plain)).logits
    assert torch.equal(line, whole[[0, *(node + 1 for node in path)]])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bf16_model_rounds_what_it_multiplies_and_sums_in_float32(family: str) -> None:
    runner = make_runner(family, "bf16")
    step = NativeModel(runner.model, runner.cache)
    rows = Rows.chunk(scattered(runner, 32), ids(20), last=True)
    with torch.inference_mode():
        logits = run(step, rows).logits
        eager = runner.eager.forward(pack([rows], runner.device)).logits.float()
    assert logits.dtype == torch.float32
    assert float((logits - eager).abs().max() / eager.abs().max()) < 0.05


@pytest.mark.parametrize("family", ["heads of 64", "wide heads", "heads of 128"])
def test_a_bf16_model_is_no_further_from_exact_numbers_than_in_eager_mode(family: str) -> None:
    runner = make_runner(family, "bf16")
    step = NativeModel(runner.model, runner.cache)
    rows = Rows.chunk(scattered(runner, 64), ids(37), last=True)
    exact = ModelRunner(copy.deepcopy(runner.model).float(), pages=64, page_size=4)
    with torch.inference_mode():
        expected = exact.eager.forward(pack([rows], exact.device)).hidden
        native = run(step, rows).hidden - expected
        eager = runner.eager.forward(pack([rows], runner.device)).hidden.float() - expected
    assert native.norm() < 1.1 * eager.norm()


def test_products_of_bf16_pairs_are_those_of_rounded_activations() -> None:
    generator = torch.Generator().manual_seed(4)
    model = LlamaForCausalLM(LlamaConfig(**SIZES | {"num_hidden_layers": 1})).eval()
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) / 8
    exact = model.double()
    runner = ModelRunner(exact.bfloat16(), pages=64, page_size=4)
    step = NativeModel(runner.model, runner.cache)
    with torch.inference_mode():
        found = run(step, Rows.chunk(scattered(runner, 32), ids(9), last=True))
    logits, hidden = found.logits, found.hidden
    rounded = hidden.bfloat16().double() @ model.lm_head.weight.double().T
    torch.testing.assert_close(logits.double(), rounded, rtol=1e-5, atol=1e-5)


def test_gate_and_up_are_multiplied_together_though_bf16_holds_only_one_of_them() -> None:
    runner = make_runner()
    for layer in runner.model.model.layers:
        layer.mlp.up_proj.bfloat16().float()
    step = NativeModel(runner.model, runner.cache)
    rows = Rows.chunk(scattered(runner, 32), ids(20), last=True)
    with torch.inference_mode():
        logits = run(step, rows).logits
        eager = runner.eager.forward(pack([rows], runner.device)).logits
    torch.testing.assert_close(logits, eager, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_however_many_threads_share_the_work_the_bits_are_the_same(kind: str) -> None:
    runner = make_runner(kind=kind)
    step = NativeModel(runner.model, runner.cache)
    table = scattered(runner, 64)
    steps = [Rows.chunk(table, ids(count), last=True) for count in (1, 7, 30)]
    before = torch.get_num_threads()
    try:
        with torch.inference_mode():
            torch.set_num_threads(1)
            alone = [run(step, rows).logits for rows in steps]
            for threads in (2, 3, 8) * 20:  # more than there are processors: some come late
                torch.set_num_threads(threads)
                for rows, wanted in zip(steps, alone, strict=True):
                    assert torch.equal(run(step, rows).logits, wanted)
    finally:
        torch.set_num_threads(before)


def test_weights_that_bf16_holds_exactly_are_stored_in_bf16_and_others_are_not() -> None:
    rounded = torch.randn(8, 8).bfloat16().float()
    assert native.compact(rounded).dtype == torch.bfloat16
    assert torch.equal(native.compact(rounded).float(), rounded)
    assert native.compact(rounded + 1e-6).dtype == torch.float32


def test_a_model_with_a_window_below_a_tree_is_left_to_the_other_backends() -> None:
    model = MistralForCausalLM(MistralConfig(**SIZES, sliding_window=8)).eval()
    runner = ModelRunner(model, pages=8)
    with pytest.raises(NativeUnavailableError, match="sliding window"):
        NativeModel(runner.model, runner.cache)


def test_native_steps_take_over_only_when_they_agree_with_eager_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner = make_runner()
    runner.native.compile()
    assert runner.native.ready
    assert runner.place(3) == ("native", 3)
    other = make_runner()
    zeros = StepOutput(torch.zeros(4, SIZES["vocab_size"]), torch.zeros(4, SIZES["hidden_size"]))
    monkeypatch.setattr(NativeModel, "run", lambda self, layout: zeros)
    other.native.compile()
    assert not other.native.ready
    assert "differs from eager" in (other.native.reason or "")


@pytest.mark.parametrize("scale_input", [False, True])
def test_native_drafts_are_those_of_pytorch(
    scale_input: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = make_heads(scale_input)
    monkeypatch.setattr(mlp_native, "LEAST_CHANCE", 0.0)
    drafts = NativeMlp("mlp", heads, siblings=3)
    drafts.compile()
    assert drafts.ready
    hidden, noise = torch.randn(5, 48), torch.rand(5, 3, 133)
    for temperature in (0.0, 0.7):
        sampled = temperature > 0
        contexts = [
            DraftContext(
                str(i), [1, i], 1, "", hidden[i], temperature, noise[i] if sampled else None, 9
            )
            for i in range(5)
        ]
        drafted = drafts.run(contexts)
        with torch.inference_mode():
            wanted = heads(
                hidden,
                torch.arange(5),
                torch.full((5, 1), 1 / temperature if sampled else 1.0),
                noise if sampled else torch.zeros(1, 1, 1),
                3,
            )
        assert [each.tokens for each in drafted] == wanted[0].flatten(1).tolist()
        chances = torch.tensor([each.confidence for each in drafted])
        torch.testing.assert_close(chances, wanted[1].flatten(1), rtol=1e-3, atol=1e-5)


def test_stages_beyond_the_noise_are_drafted_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine hands out noise for a few positions; a speculator may be deeper."""
    drafts = NativeMlp("mlp", make_heads(scale_input=False), siblings=2)
    drafts.compile()
    monkeypatch.setattr(mlp_native, "LEAST_CHANCE", 0.0)
    hidden, noise = torch.randn(48), torch.rand(3, 133)
    short, whole = (
        DraftContext("r", [1, 2], 1, "", hidden, 0.7, gumbel, 9)
        for gumbel in (noise[:1], torch.cat([noise[:1], torch.zeros(2, 133)]))
    )
    assert list(drafts.run([short])) == list(drafts.run([whole]))


def test_stages_that_a_request_is_not_likely_to_reach_are_not_drafted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drafts = NativeMlp("mlp", make_heads(scale_input=False), siblings=2)
    drafts.compile()
    contexts = [
        DraftContext(str(i), [i], 1, "", (1 + 3 * i) * torch.randn(48), 0.0, None, 9)
        for i in range(6)
    ]
    monkeypatch.setattr(mlp_native, "LEAST_CHANCE", 0.0)
    whole = list(drafts.run(contexts))
    least = sorted(each.confidence[0] for each in whole)[3]
    monkeypatch.setattr(mlp_native, "LEAST_CHANCE", least)
    lengths = set()
    for each, all_of_it in zip(drafts.run(contexts), whole, strict=True):
        joint = list(accumulate(all_of_it.confidence[::2], operator.mul))
        stages = 1 + sum(chance >= least for chance in joint[:-1])
        assert each.tokens == all_of_it.tokens[: 2 * stages]
        assert each.confidence == all_of_it.confidence[: 2 * stages]
        lengths.add(stages)
    assert len(lengths) > 1


def make_heads(scale_input: bool) -> MlpHeads:
    torch.manual_seed(1)
    tensors = {}
    for i in range(3):
        tensors |= {
            f"speculator.emb.{i}.weight": torch.randn(133, 40),
            f"speculator.proj.{i}.weight": torch.randn(40, 48 if i == 0 else 40) / 6,
            f"speculator.head.{i}.weight": torch.randn(133, 40) / 6,
            f"speculator.ln.{i}.weight": torch.rand(40) + 0.5,
            f"speculator.ln.{i}.bias": torch.randn(40) / 4,
        }
    config = MlpConfig(133, 48, 40, 3, scale_input, False)
    return MlpHeads(config, tensors, where=Path("heads"))


def chain(tokens: list[int]) -> DraftTree:
    return DraftTree.chain(tokens, "test")


def test_loading_the_library_leaves_small_numbers_alone() -> None:
    """Code linked with -ffast-math would make this thread round them to 0."""
    native.load_library()
    assert sys.float_info.min / 2 > 0


def test_times_of_steps_that_something_disturbed_are_put_right() -> None:
    clean = {rows: 1.0 + 0.1 * rows for rows in range(1, 17)}
    disturbed = clean | {6: 11.0, 7: 12.0, 8: 12.0, 15: 14.0, 16: 15.0}
    found = without_disturbance(disturbed)
    assert found[9] == clean[9]
    assert all(clean[rows] <= found[rows] <= 1.4 * clean[rows] for rows in clean)
    assert list(found.values()) == sorted(found.values())
    assert without_disturbance(clean) == pytest.approx(clean)
