"""Compiled steps: the same numbers as eager ones, padded to the sizes that were made."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys

import pytest
import torch
import transformers as hf

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.kv.page_pool import PagePool
from specchat.engine.model.batch import Rows, pack
from specchat.engine.model.compiled import CompileQueue
from specchat.engine.model.runner import ModelRunner
from tests.engine.model.test_attention import GPT2, build, path_to, reference, scattered

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")


def test_a_compiled_step_equals_eager_attention_and_leaves_other_sizes_eager() -> None:
    """One graph of 4 rows of a model without a native step; takes some ten seconds."""
    model = build(hf.GPT2Config(**GPT2))
    prompt, chain = list(range(3, 20)), DraftTree.chain([30, 31], "x")
    expected = [reference(model, [*prompt, *path_to(chain, node)])[-1] for node in (-1, 0, 1)]
    queue = CompileQueue(enabled=True)
    runner = ModelRunner(model, pages=48, page_size=4, queue=queue, buckets=(4,))
    runner.collect([0, 1])
    table = scattered(PagePool(48, 4), random.Random(0))
    assert runner.place(3) == ("eager", 3)
    queue.start()
    assert queue.wait(800)
    assert queue.failure is None
    assert runner.place(3) == ("compiled", 4)
    assert runner.place(5) == ("eager", 5)
    assert (runner.prior_ms("compiled", 4) or 0) > 0
    runner.forward([Rows.chunk(table, prompt[:-1], last=False)])
    table.advance(len(prompt) - 1)
    out = runner.forward([Rows.tree(table, prompt[-1], chain)])
    torch.testing.assert_close(out.logits.clone(), torch.stack(expected), atol=1e-5, rtol=1e-5)
    assert out.aux is not None
    rows = pack([Rows.tree(table, prompt[-1], chain)], runner.device)
    with torch.inference_mode():
        torch.testing.assert_close(out.aux, runner.eager.forward(rows).aux, atol=1e-5, rtol=1e-5)


def test_a_queue_that_is_switched_off_compiles_nothing() -> None:
    model = build(hf.GPT2Config(**GPT2))
    queue = CompileQueue(enabled=False)
    runner = ModelRunner(model, pages=8, queue=queue, buckets=(4,))
    queue.start()
    assert queue.done
    assert queue.description == "eager"
    assert runner.place(4) == ("eager", 4)


class Job:
    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name, self.error, self.ready = name, error, False

    def wanted(self) -> bool:
        return True

    def compile(self) -> None:
        if self.error is not None:
            raise self.error
        self.ready = True


class Another(Job):
    pass


@pytest.mark.parametrize("in_background", [False, True])
def test_a_job_that_fails_costs_no_job_of_another_kind(in_background: bool) -> None:
    first, second = Job("one", ValueError("no")), Job("two")
    others = Another("three"), Another("four")
    queue = CompileQueue(enabled=True, in_background=in_background)
    for job in (first, second, *others):
        queue.add(job)
    queue.start()
    assert queue.wait(10)
    assert [job.ready for job in others] == [True, True]
    assert second.ready != in_background  # there its like are given up, as each takes long
    word = "compiled 2/4" if in_background else "recorded 3/4"
    assert queue.description == f"{word} (1 failed: ValueError)"


ENDS_WHILE_COMPILING = """
import time
import torch
from specchat.engine.model.compiled import CompileQueue

class Endless:
    name = "a job inside the compiler's C++ nearly all the time"
    ready = False
    def wanted(self): return True
    def compile(self):
        numbers = torch.ones(200, 200)
        while True:
            numbers @ numbers

queue = CompileQueue(enabled=True)
queue.add(Endless())
queue.start()
time.sleep(0.3)
"""


def test_a_process_that_ends_while_something_is_compiled_ends_well() -> None:
    """A thread that comes back from C++ to an interpreter that is gone takes the process down."""
    done = subprocess.run(
        [sys.executable, "-c", ENDS_WHILE_COMPILING], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
