"""From a model's name to a running engine: target, tokenizer, speculators, memory, backend."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from specchat.engine.cuda.graphs import GRAPH_ROWS
from specchat.engine.drafting.speculator import Speculator
from specchat.engine.engine import Engine
from specchat.engine.errors import ModelLoadError
from specchat.engine.hardware import describe_hardware, multiplies_bf16, usable_cpus
from specchat.engine.kv.memory_plan import MemoryPlan, devices, page_count, stored_bytes, work_bytes
from specchat.engine.model.compiled import CPU_BUCKETS, CompileQueue, keep_work_in
from specchat.engine.model.pretrained import (
    find_files,
    load_causal_lm,
    load_tokenizer,
    quantized_natively,
)
from specchat.engine.model.quantized import quantize_model
from specchat.engine.model.runner import ModelRunner
from specchat.engine.model.shape import ModelShape, layer_devices, read_shape
from specchat.engine.options import EngineOptions
from specchat.engine.output.detokenizer import Detokenizer
from specchat.engine.output.end_of_turn import end_of_turn
from specchat.engine.snapshot import ModelInfo
from specchat.pretrained.packed import unpacked
from specchat.speculators.registry import Needs, Target, load_speculator, needs, spell_out

log = logging.getLogger(__name__)

BUNDLED = Path(__file__).resolve().parents[1] / "assets" / "models"
ASSISTANT, SMALL = "care", "care-mini"
ADAPTER = BUNDLED / ASSISTANT / "adapter"
PREFILL_ROWS = {"cpu": 64, "cuda": 512}
"""Prompt rows of a step while other requests stream: what takes a few hundredths of a second."""
PAGE_SIZE = 16
DEFAULT_CPU_KV_BYTES = 512 * 2**20
DEFAULT_GPU_KV_SHARE = 0.6
NOTHING_BESIDE = Needs()
QUESTION_TOKENS = 256
"""Of the context, that the longest answer must leave for the question and what stands before it."""

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What to load and how.

    `model` is `care`, `care-mini` (bundled), a directory, a GGUF file or a Hub name; a speculator
    is spelled as in `speculators.registry`.
    """

    model: str = ASSISTANT
    speculators: tuple[str, ...] = ("auto",)
    device: str = "auto"
    dtype: str = "auto"
    threads: int | None = None
    quantize: str | None = None  # "int8", "int4" or "fp8": weights of the target
    kv_memory_bytes: int | None = None
    kv_memory_share: float | None = None  # of what is free after the weights; bytes win
    compile: bool = True
    answer_tokens: int | None = None  # most of an answer, where somebody set it: must leave room
    engine: EngineOptions = field(default_factory=EngineOptions)  # `prefill_rows` is the device's
    skip_what_fails: bool = False  # go on without a speculator, or with a smaller bundled model


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A running engine and what belongs to it."""

    engine: Engine
    tokenizer: Any  # PreTrainedTokenizerFast
    options: LoadOptions
    directory: str
    uses_slots: bool  # the tokenizer knows tokens such as {{order_number}}
    problems: tuple[str, ...] = ()  # why speculators were skipped
    memory: MemoryPlan | None = None

    @property
    def model(self) -> str:
        """The name of what was loaded."""
        return self.options.model


def load(options: LoadOptions) -> LoadedModel:
    """Load everything and start the engine.

    Raises:
        ModelLoadError: a model, tokenizer or speculator is missing, damaged or does not fit; the
            message names it.
    """
    torch.set_num_threads(options.threads or min(torch.get_num_threads(), usable_cpus()))
    device = _device(options.device)
    options, directory, problems = _found(options)
    dtype = _dtype(options.dtype, device, directory)
    tokenizer = load_tokenizer(directory)
    model = load_causal_lm(directory, dtype, device, options.quantize)
    emulated = dtype == torch.bfloat16 and device.type == "cpu" and not multiplies_bf16()
    natively = quantized_natively(options.quantize, device)
    if emulated and (natively or options.quantize is None):
        log.info("this CPU does not multiply bfloat16: weights in it, arithmetic in float32")
        dtype, model = torch.float32, model.float()
    if natively:
        quantize_model(model, options.quantize or "")
    shape = read_shape(model.config, dtype)
    _check_vocabulary(tokenizer, shape.vocab_size, directory)
    _keep_compiled_work()
    queue = CompileQueue(options.compile, in_background=device.type == "cpu")
    family = _family(options.model, directory)
    entries = spell_out(options.speculators, options.model, family)
    drafters = needs(entries, options.model, family, dtype)
    pages, memory = plan_memory(options, model, shape, drafters)
    runner = ModelRunner(
        model,
        pages=pages,
        page_size=PAGE_SIZE,
        queue=queue,
        buckets=CPU_BUCKETS if device.type == "cpu" and options.compile else (),
    )
    context = min(shape.context_length, pages * PAGE_SIZE)
    _check_room(options.answer_tokens, context)
    target = Target(options.model, directory, family, tokenizer, runner, queue)
    speculators, skipped = _speculators(options, entries, target)
    info = ModelInfo(
        name=options.model,
        vocab_size=shape.vocab_size,
        context_length=context,
        parameters=sum(p.numel() for p in model.parameters()),
        dtype=str(dtype).removeprefix("torch."),
        device=str(device),
        hardware=describe_hardware(device),
        speculators=tuple(s.name for s in speculators),
    )
    engine = Engine(
        runner,
        info,
        detokenizer=Detokenizer(tokenizer),
        eos_ids=_eos_ids(model, tokenizer),
        speculators=speculators,
        queue=queue,
        options=replace(options.engine, prefill_rows=PREFILL_ROWS[device.type]),
    )
    uses_slots = any(re.fullmatch(r"\{\{\w+\}\}", t) for t in tokenizer.get_added_vocab())
    return LoadedModel(
        engine, tokenizer, options, str(directory), uses_slots, (*problems, *skipped), memory
    )


def resolve(model: str) -> Path:
    """The directory of a bundled model, a local one, or one fetched from the Hub. `care` is made
    from its base and the bundled adapter the first time, in the user's cache, and so is a directory
    of a GGUF file.

    Raises:
        ModelLoadError: nothing is found under that name.
    """
    if model == ASSISTANT and ADAPTER.is_dir():
        from specchat.pretrained.adapter import care

        return care(ADAPTER)
    if model.endswith(".gguf"):
        from specchat.pretrained.gguf_file import gguf_directory

        return gguf_directory(Path(model).expanduser())
    bundled = BUNDLED / model / "target"
    if re.fullmatch(r"[a-z0-9_-]+", model) and bundled.is_dir():
        return unpacked(bundled)
    return find_files(model, "model")


def _found(options: LoadOptions) -> tuple[LoadOptions, Path, list[str]]:
    """The model's directory; where the assistant cannot be had and something else will do, the
    small bundled model's, with a sentence that says so."""
    try:
        return options, resolve(options.model), []
    except ModelLoadError as error:
        if options.model != ASSISTANT or not options.skip_what_fails:
            raise
        log.warning("%s answers instead of %s: %s", SMALL, ASSISTANT, error)
        problem = f"The model {ASSISTANT} cannot be used: {error}. {SMALL} answers instead."
        return replace(options, model=SMALL), resolve(SMALL), [problem]


def _family(model: str, directory: Path) -> Path:
    """Where what belongs to a target lies: a cache holds bundled models, not their speculators."""
    return BUNDLED / model if model in (ASSISTANT, SMALL) else directory.parent


def _speculators(
    options: LoadOptions, entries: Sequence[str], target: Target
) -> tuple[list[Speculator], list[str]]:
    """The speculators asked for, and the problems of those that were skipped."""
    made: list[Speculator] = []
    problems: list[str] = []
    for entry in entries:
        try:
            made.append(_speculator(entry, target))
        except ModelLoadError as error:
            if not options.skip_what_fails:
                raise
            log.warning("speculator %s is skipped: %s", entry, error)
            problems.append(f"Speculator {entry} is not used: {error}")
    return made, problems


def _speculator(entry: str, target: Target) -> Speculator:
    try:
        return load_speculator(entry, target)
    except torch.OutOfMemoryError as error:
        reason = str(error).partition("\n")[0]
        raise ModelLoadError(
            f"speculator {entry} does not fit beside the model: {reason}"
        ) from None


def _check_vocabulary(tokenizer: Any, vocab_size: int, directory: Path) -> None:
    largest = max(tokenizer.get_vocab().values())
    if largest >= vocab_size:
        raise ModelLoadError(
            f"{directory}: the tokenizer has ids up to {largest}, "
            f"but the model's vocabulary has {vocab_size}; they do not belong together"
        )


def _check_room(answer: int | None, context: int) -> None:
    most = context - QUESTION_TOKENS
    if answer is not None and answer > most:
        raise ModelLoadError(
            f"max_tokens must be at most {most}: the context holds {context} tokens, "
            f"of which a question needs {QUESTION_TOKENS}; got {answer}"
            if most > 0
            else f"a context of {context} tokens is too small for a question and an answer; "
            "raise the KV memory or use another model"
        )


def _eos_ids(model: Any, tokenizer: Any) -> list[int]:
    """What ends an answer: what the files call so, and what ends a turn in the chat template."""
    found = set(end_of_turn(tokenizer).ids)
    for value in (
        tokenizer.eos_token_id,
        model.config.get_text_config().eos_token_id,
        getattr(model, "generation_config", None) and model.generation_config.eos_token_id,
    ):
        if isinstance(value, int):
            found.add(value)
        elif value is not None:
            found.update(value)
    return sorted(found)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ModelLoadError(f"device must be 'auto', 'cpu' or 'cuda', got {name!r}")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ModelLoadError(f"device {name!r} was asked for, but no CUDA GPU is usable here")
    return device


def _dtype(name: str, device: torch.device, directory: Path) -> torch.dtype:
    """`auto` is bfloat16 where the device multiplies it and, on a CPU, the weights are stored in
    it: float32 would hold the same weights and take longer. On a GPU that does not (before Ampere)
    it is float16."""
    if name == "auto" and device.type == "cuda" and not _gpus_multiply_bf16(device):
        return torch.float16
    if name == "auto":
        stored = device.type != "cpu" or (
            multiplies_bf16() and _stored_dtype(directory) == "bfloat16"
        )
        return torch.bfloat16 if stored else torch.float32
    if name not in DTYPES:
        raise ModelLoadError(f"dtype must be 'auto' or one of {', '.join(DTYPES)}, got {name!r}")
    return DTYPES[name]


def _gpus_multiply_bf16(device: torch.device) -> bool:
    """Whether all GPUs that may be used have instructions for bfloat16: emulated it is slow, and
    Triton refuses it."""
    gpus = range(torch.cuda.device_count()) if device.index is None else [device.index]
    for gpu in gpus:
        with torch.cuda.device(gpu):
            if not torch.cuda.is_bf16_supported(including_emulation=False):
                return False
    return True


def _stored_dtype(directory: Path) -> str | None:
    try:
        config = json.loads((directory / "config.json").read_text())
    except (OSError, ValueError):
        return None  # whoever reads the model says what is wrong with it
    return config.get("dtype") or config.get("torch_dtype")


def plan_memory(
    options: LoadOptions, model: Any, shape: ModelShape, drafters: Needs = NOTHING_BESIDE
) -> tuple[int, MemoryPlan]:
    """Pages of the KV cache beside a loaded model and its `drafters`, which are loaded after it,
    and the account of its memory.

    Raises:
        ModelLoadError: the cache does not fit.
    """
    layers = layer_devices(model, shape)
    where = [found for device in dict.fromkeys(layers) for found in devices(device)]
    each = shape.kv.page_bytes(PAGE_SIZE) // shape.kv.layers
    work = 0
    wanted, share = options.kv_memory_bytes, options.kv_memory_share
    if layers[0].type == "cuda":
        config = model.config.get_text_config()
        inner = getattr(config, "intermediate_size", None) or 4 * shape.hidden_size
        work = work_bytes(
            GRAPH_ROWS, hidden=shape.hidden_size, inner=inner, layers=shape.kv.layers,
            vocab=shape.vocab_size, dtype=shape.kv.dtype,
        )  # fmt: skip
    elif wanted is None and share is None:
        wanted = min(DEFAULT_CPU_KV_BYTES, (where[0].free_bytes - drafters.weights) // 4)
    pages = page_count(
        {device: each * layers.count(device) for device in dict.fromkeys(layers)}, where,
        work=work + drafters.weights, wanted_bytes=wanted, share=share or DEFAULT_GPU_KV_SHARE,
        beside=drafters.cache_share,
    )  # fmt: skip
    weights = stored_bytes([*model.parameters(), *model.buffers()])
    cache = pages * shape.kv.page_bytes(PAGE_SIZE)
    beside = drafters.weights + int(drafters.cache_share * cache)
    memory = MemoryPlan(weights, work, cache, beside)
    log.info("memory: %s", memory)
    return pages, memory


def _keep_compiled_work() -> None:
    try:
        import platformdirs
    except ImportError:  # a machine for measuring has what the engine needs and no more
        return
    keep_work_in(platformdirs.user_cache_dir("specchat"))
