"""The Triton kernels, run on CPU by Triton's interpreter, against plain PyTorch.

On a machine with a GPU they run on the GPU only when TRITON_INTERPRET=0 is set; `specchat bench
gpu` checks them there against float64.
"""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from specchat.bench.gpu.cases import KINDS, PAGE, Case, Size, random_case
from specchat.engine.cuda import kernels, step_tables
from specchat.engine.cuda.step_tables import Geometry, StepTables, TableSize, fill
from specchat.engine.sampling.noise import gumbel_noise, noise_key
from specchat.engine.sampling.sampler import NO_TOKEN

CPU = torch.device("cpu")
FEW_ROWS = Size()
MANY_ROWS = Size(
    requests=2, context=40, divisions=((1, 1), (1, 2))
)  # the interpreter takes its time
ROUNDS = 8
EACH = 5


def attend(case: Case) -> torch.Tensor:
    return kernels.attend(case.query, case.keys, case.values, case.tables, **case.options)


def is_split(case: Case) -> bool:
    keys = int(case.tables["split_keys"])
    return any(segment.context + segment.count > keys for segment in case.segments)


@pytest.mark.parametrize("part", range(ROUNDS))
@pytest.mark.parametrize("kind", KINDS)
def test_paged_attention_equals_gathered_pages(
    kind: str, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 random steps in all; in half of the rounds contexts are cut into parts."""
    split = part % 2 == 1
    if split:
        monkeypatch.setattr(step_tables, "KEYS_PER_SPLIT", 32)
    first = 1000 * KINDS.index(kind) + 100 * part
    size = MANY_ROWS if kind in ("full tree", "chunk") else FEW_ROWS
    processors = 6 if split else 1
    cases = [random_case(first + i, kind, processors, size) for i in range(EACH)]
    if kind != "chunk":  # many of these are too short to be cut
        assert any(map(is_split, cases)) == split
    for case in cases:
        expected = case.expected().float()
        torch.testing.assert_close(attend(case), expected, atol=1e-5, rtol=1e-5)


def test_half_precision_is_rounded_once_per_operand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_tables, "KEYS_PER_SPLIT", 32)
    for seed in range(4):
        case = random_case(seed, "tree", 6).to(CPU, torch.float16)
        out = attend(case)
        assert out.dtype == torch.float16
        torch.testing.assert_close(out.double(), case.expected(), atol=4e-3, rtol=4e-3)


def test_a_table_made_for_larger_steps_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorded step's table has room to spare; its old content must not shine through."""
    monkeypatch.setattr(step_tables, "KEYS_PER_SPLIT", 32)
    cases = [random_case(seed, "tree", 6) for seed in (3, 4)]
    size = TableSize.plan(96, 8, 64, cases[0].geometry)
    tables = StepTables.empty(size, cases[0].geometry, CPU)
    for case in cases:
        case = Case(
            case.segments, cases[0].geometry, *_tensors(case, cases[0].geometry), 0.1, 0, 0.0, None
        )
        rows = sum(segment.count for segment in case.segments)
        array = fill(size, case.geometry, [0] * rows, [0] * rows, case.segments, 7)
        tables.data[: len(array)] = torch.from_numpy(array)
        query = torch.randn(case.geometry.heads, 96, case.query.shape[2])
        query[:, :rows] = case.query[:, :rows]
        out = kernels.attend(query, case.keys, case.values, tables, **case.options)
        expected = case.expected().float()
        torch.testing.assert_close(out[:rows], expected[:rows], atol=1e-5, rtol=1e-5)
        assert not out[rows:].any()
        assert tables["slots"][rows:].eq(7).all()


def _tensors(case: Case, geometry: Geometry) -> list[torch.Tensor]:
    """Fresh tensors of the case's rows for another division into heads."""
    rows, dim, cached = case.query.shape[1], 64, case.keys.shape[0]
    return [
        torch.randn(geometry.heads, rows, dim),
        torch.randn(cached, geometry.kv_heads, dim),
        torch.randn(cached, geometry.kv_heads, dim),
    ]


def test_a_step_too_large_for_its_table_is_refused() -> None:
    case = random_case(0, "full tree", 1)
    with pytest.raises(ValueError, match="does not fit a table for 32 rows"):
        fill(TableSize.plan(32, 4, 64, case.geometry), case.geometry, [], [], case.segments, 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_rows_are_written_to_their_slots_and_nowhere_else(dtype: torch.dtype) -> None:
    key, value = torch.randn(2, 7, 3, 80).transpose(1, 2)  # [kv_heads, rows, head_dim]
    keys, values = torch.zeros(2, 5 * PAGE, 3, 80, dtype=dtype)
    slots = torch.tensor(random.Random(0).sample(range(5 * PAGE), 7))
    kernels.write_rows(keys, values, key, value, slots)
    for cache, rows in ((keys, key), (values, value)):
        expected = torch.zeros_like(cache)
        expected[slots] = rows.transpose(0, 1).to(dtype)
        torch.testing.assert_close(cache, expected, atol=0, rtol=0)


def test_sampling_picks_what_the_noise_of_the_engine_picks() -> None:
    vocab, count = 5000, 48
    logits = torch.randn(count + 2, vocab) * 3
    temperatures = torch.linspace(0.2, 3.0, count)
    seeds, positions = list(range(count)), [7 * i + 1 for i in range(count)]
    keys = torch.tensor([noise_key(s, p) for s, p in zip(seeds, positions, strict=True)])
    rows = torch.arange(count).flip(0)
    noise = torch.cat(
        [gumbel_noise(s, p, 1, vocab, CPU) for s, p in zip(seeds, positions, strict=True)]
    )
    expected = (logits[rows] / temperatures[:, None] + noise).argmax(-1)
    assert kernels.sample(logits, rows, keys, temperatures).equal(expected)


def test_a_row_that_is_not_finite_samples_no_token() -> None:
    logits = torch.randn(3, 5000)
    logits[1] = math.nan
    rows, keys = torch.arange(3), torch.tensor([noise_key(1, p) for p in range(3)])
    found = kernels.sample(logits, rows, keys, torch.full((3,), 0.8)).tolist()
    assert found[1] == NO_TOKEN
    assert min(found[0], found[2]) >= 0


@pytest.mark.parametrize("strange", [math.nan, math.inf])
@pytest.mark.parametrize("place", [0, 1023, 1024, 4999])
def test_one_number_that_is_none_spoils_its_row(place: int, strange: float) -> None:
    logits = torch.randn(2, 5000)
    logits[0, place] = strange
    logits[1, place] = -math.inf  # a token that is ruled out
    keys = torch.tensor([noise_key(1, p) for p in range(2)])
    found = kernels.sample(logits, torch.arange(2), keys, torch.full((2,), 0.8)).tolist()
    assert found[0] == NO_TOKEN
    assert found[1] >= 0


ROOT = Path(__file__).resolve().parents[3]


def test_the_kernels_compile_for_a_gpu() -> None:
    """Down to machine code, within the shared memory of each; needs no GPU."""
    own = {"TRITON_INTERPRET": "0", "TRITON_DEFAULT_FP_FUSION": "1", "PYTHONPATH": str(ROOT)}
    code = subprocess.run(
        [sys.executable, "-m", "tests.engine.cuda.compile_kernels"],
        env=os.environ | own,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert code.returncode == 0, code.stderr
    assert [line.split()[1] for line in code.stdout.splitlines()] == [
        "attention", "attention", "attention", "join", "write", "sample", "norm", "gate", "rotate"
    ]  # fmt: skip
