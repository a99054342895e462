"""The engines that are measured: the bundled family, and stand-ins built around it in memory."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from specchat.bench.gpu.context import GpuBench
from specchat.bench.gpu.standin import Shape, build_standin
from specchat.bench.gpu.standin_mlp import enlarge_heads
from specchat.bench.prompts import BenchPrompt
from specchat.engine.drafting.speculator import Speculator
from specchat.engine.engine import Engine
from specchat.engine.hardware import describe_hardware
from specchat.engine.kv.memory_plan import MemoryPlan, stored_bytes
from specchat.engine.model.compiled import CompileQueue
from specchat.engine.model.pretrained import load_causal_lm, load_tokenizer
from specchat.engine.model.runner import ModelRunner
from specchat.engine.model.shape import read_shape
from specchat.engine.options import EngineOptions
from specchat.engine.output.detokenizer import Detokenizer
from specchat.engine.snapshot import ModelInfo
from specchat.loader import (
    BUNDLED,
    PAGE_SIZE,
    PREFILL_ROWS,
    SMALL,
    LoadOptions,
    load,
    plan_memory,
    resolve,
)
from specchat.speculators.mlp.heads import MlpConfig, MlpHeads
from specchat.speculators.mlp.speculator import MlpSpeculator
from specchat.speculators.ngram import NgramSpeculator
from specchat.speculators.registry import DRAFT_DIRECTORY, MLP_DIRECTORY, SUFFIX_STORE
from specchat.speculators.shared.checkpoint_files import read_config, read_tensors
from specchat.speculators.suffix.speculator import SuffixSpeculator
from specchat.speculators.suffix.store_file import load_store, vocabulary_of

CARE = BUNDLED / SMALL
FAQ = BUNDLED.parent / "company" / "faq.toml"
MAX_RUNNING = 128
MAX_NODES = 16
KV_SHARE = 0.3
OPENINGS = ("", "Hello! ", "Hi, I need some help. ", "Sorry to bother you again. ", "Please help: ")


@dataclass(frozen=True, slots=True)
class Measured:
    """A running engine and what its figures are compared with."""

    label: str
    engine: Engine
    runner: ModelRunner
    tokenizer: Any
    memory: MemoryPlan
    read_bytes: int  # weights that one step reads: all but the embedding's rows

    def prompts(self, count: int) -> list[BenchPrompt]:
        """Questions of the bundled FAQ in the model's chat template."""
        entries = tomllib.loads(FAQ.read_text(encoding="utf-8"))["entry"]
        questions = [
            (f"{entry['id']}-{opening}", start + entry["question"])
            for opening, start in enumerate(OPENINGS)
            for entry in entries
        ]
        prompts = []
        for number in range(count):
            name, text = questions[number % len(questions)]
            ids = self.tokenizer.apply_chat_template(
                [{"role": "user", "content": text}], add_generation_prompt=True, return_dict=False
            )
            prompts.append(BenchPrompt(f"{name}-{number}", tuple(ids)))
        return prompts


@contextmanager
def bundled(bench: GpuBench) -> Iterator[Measured]:
    """The bundled model with all its speculators."""
    loaded = load(
        LoadOptions(
            device=str(bench.device), dtype=_name(bench.dtype), compile=bench.device.type == "cuda",
            engine=EngineOptions(max_running=MAX_RUNNING, max_nodes=MAX_NODES),
            kv_memory_bytes=2**24 if bench.tiny else None,
            kv_memory_share=KV_SHARE,
        )
    )  # fmt: skip
    runner = loaded.engine._runner
    assert loaded.memory is not None
    try:
        yield Measured(
            "the bundled model care", loaded.engine, runner, loaded.tokenizer, loaded.memory,
            _read_bytes(runner.model),
        )  # fmt: skip
    finally:
        loaded.engine.close()


@contextmanager
def standin(bench: GpuBench, shape: Shape) -> Iterator[Measured]:
    """A stand-in with the bundled speculators at its size."""
    device, dtype = bench.device, bench.dtype
    base = CARE / DRAFT_DIRECTORY if bench.tiny else resolve(SMALL)
    tokenizer = load_tokenizer(CARE / "target")
    small = load_causal_lm(base, torch.float32, torch.device("cpu"))
    model = build_standin(small, shape, dtype, device)
    options = LoadOptions(
        kv_memory_bytes=2**24 if bench.tiny else None, kv_memory_share=KV_SHARE, dtype=_name(dtype)
    )
    queue = CompileQueue(device.type == "cuda", in_background=False)
    pages, memory = plan_memory(options, model, read_shape(model.config, dtype))
    runner = ModelRunner(model, pages=pages, page_size=PAGE_SIZE, queue=queue)
    speculators = list(_speculators(bench, shape, tokenizer, queue))
    info = ModelInfo(
        shape.label, shape.vocab, runner.shape.context_length,
        sum(p.numel() for p in model.parameters()), _name(dtype), str(device),
        describe_hardware(device), tuple(s.name for s in speculators),
    )  # fmt: skip
    engine = Engine(
        runner, info, detokenizer=Detokenizer(tokenizer), eos_ids=[model.config.eos_token_id],
        speculators=speculators, queue=queue,
        options=EngineOptions(
            prefill_rows=PREFILL_ROWS[device.type], max_running=MAX_RUNNING, max_nodes=MAX_NODES
        ),
    )  # fmt: skip
    try:
        yield Measured(shape.label, engine, runner, tokenizer, memory, _read_bytes(model))
    finally:
        engine.close()


def _speculators(
    bench: GpuBench, shape: Shape, tokenizer: Any, queue: CompileQueue
) -> Iterator[Speculator]:
    """Those of the bundled model. The tiny stand-in is built around the bundled draft model, whose
    hidden states the MLP speculator cannot read."""
    if not bench.tiny:
        directory = CARE / MLP_DIRECTORY
        config = MlpConfig.read(read_config(directory), directory)
        small = MlpHeads(config, read_tensors(directory), directory)
        heads = enlarge_heads(small, shape, bench.dtype, bench.device)
        yield MlpSpeculator(heads, device=bench.device, queue=queue)
    answers = load_store(CARE / SUFFIX_STORE, vocabulary_of(tokenizer), len(tokenizer))
    yield SuffixSpeculator(answers)
    yield NgramSpeculator()


def _read_bytes(model: Any) -> int:
    embedding = model.get_input_embeddings().weight
    head = model.get_output_embeddings().weight
    total = stored_bytes([*model.parameters(), *model.buffers()])
    return total if head is embedding else total - stored_bytes([embedding])


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def shapes(bench: GpuBench, all_shapes: Sequence[Shape], tiny: Shape) -> Sequence[Shape]:
    """The stand-ins to measure."""
    return [tiny] if bench.tiny else all_shapes
