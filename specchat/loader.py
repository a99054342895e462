"""From a model's name to a running engine: target, tokenizer, speculators, memory, backend."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from specchat.engine.compiled import CPU_BUCKETS, CompileQueue, keep_work_in
from specchat.engine.detokenizer import Detokenizer
from specchat.engine.draft import Speculator
from specchat.engine.engine import Engine, EngineOptions, ModelInfo
from specchat.engine.errors import ModelLoadError
from specchat.engine.hardware import describe_hardware, usable_cpus
from specchat.engine.runner import ModelRunner, read_shape
from specchat.speculators.mlp import load_mlp
from specchat.speculators.ngram import NgramSpeculator
from specchat.speculators.suffix import SuffixSpeculator, load_store

log = logging.getLogger(__name__)

BUNDLED = Path(__file__).resolve().parents[1] / "assets" / "models"
MLP_DIRECTORY = "mlp_speculator"
SUFFIX_STORE = "suffix_store.safetensors"
DRAFT_VOCABULARY_SHARE = 0.995
PAGE_SIZE = 16
DEFAULT_CPU_KV_BYTES = 512 * 2**20
DEFAULT_GPU_KV_SHARE = 0.6
HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "*.model"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

KNOWN_MLP = {
    "ibm-granite/granite-20b-code-instruct": "ibm-granite/granite-20b-code-instruct-accelerator",
    "ibm-granite/granite-34b-code-instruct": "ibm-granite/granite-34b-code-instruct-accelerator",
    "ibm-granite/granite-8b-code-instruct": "ibm-granite/granite-8b-code-instruct-accelerator",
    "ibm-granite/granite-7b-instruct": "ibm-granite/granite-7b-instruct-accelerator",
    "meta-llama/Meta-Llama-3-8B-Instruct": "ibm-ai-platform/llama3-8b-accelerator",
    "JackFram/llama-160m": "ibm-fms/llama-160m-accelerator",
}
"""MLP speculators published for well-known targets."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What to load and how.

    `model` is `care` (bundled), a directory or a Hub name. A speculator is `ngram`, `mlp` or
    `suffix` (those that belong to the model), `mlp:` with a directory or Hub name, `suffix:` with
    a store file, or `auto`: all that belong to the model.
    """

    model: str = "care"
    speculators: tuple[str, ...] = ("auto",)
    device: str = "auto"
    dtype: str = "auto"
    threads: int | None = None
    kv_memory_bytes: int | None = None
    max_nodes: int = 16
    compile: bool = True
    max_waiting: int = 256
    max_running: int = 64
    check_pages: bool = False


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A running engine and what belongs to it."""

    engine: Engine
    tokenizer: Any  # PreTrainedTokenizerFast
    options: LoadOptions
    directory: str
    uses_slots: bool  # the tokenizer knows tokens such as {{order_number}}


def load(options: LoadOptions) -> LoadedModel:
    """Load everything and start the engine.

    Raises:
        ModelLoadError: a model, tokenizer or speculator is missing, damaged or does not fit; the
            message names it.
    """
    torch.set_num_threads(options.threads or min(torch.get_num_threads(), usable_cpus()))
    device = _device(options.device)
    directory = resolve(options.model)
    dtype = _dtype(options.dtype, device)
    tokenizer = _tokenizer(directory)
    model = _model(directory, dtype, device)
    shape = read_shape(model.config, dtype)
    _check_vocabulary(tokenizer, shape.vocab_size, directory)
    keep_work_in(platformdirs.user_cache_dir("specchat"))
    queue = CompileQueue(options.compile and device.type == "cpu")
    runner = ModelRunner(
        model,
        pages=_pages(options, shape.kv.page_bytes(PAGE_SIZE), device),
        page_size=PAGE_SIZE,
        queue=queue,
        buckets=CPU_BUCKETS if device.type == "cpu" and options.compile else (),
    )
    speculators = [
        _speculator(entry, options.model, directory, runner, queue)
        for entry in _entries(options, directory)
    ]
    info = ModelInfo(
        name=options.model,
        vocab_size=shape.vocab_size,
        context_length=shape.context_length,
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
        options=EngineOptions(
            max_nodes=options.max_nodes,
            max_waiting=options.max_waiting,
            max_running=options.max_running,
            check_pages=options.check_pages,
        ),
    )
    uses_slots = any(re.fullmatch(r"\{\{\w+\}\}", t) for t in tokenizer.get_added_vocab())
    return LoadedModel(engine, tokenizer, options, str(directory), uses_slots)


def resolve(model: str) -> Path:
    """The directory of a bundled model, a local one, or one fetched from the Hub.

    Raises:
        ModelLoadError: nothing is found under that name.
    """
    bundled = BUNDLED / model / "target"
    if re.fullmatch(r"[a-z0-9_]+", model) and bundled.is_dir():
        return bundled
    return _resolve(model, "model")


def _resolve(name: str, what: str) -> Path:
    path = Path(os.path.expanduser(name))  # leaves a "~nobody" that it cannot expand
    if name and path.is_dir():
        return path
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ModelLoadError(
            f"{what} {name!r} is no bundled model, directory or Hub name such as 'owner/name'"
        )
    try:
        return Path(
            snapshot_download(
                name, allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.model"]
            )
        )
    except (OSError, HFValidationError, ValueError) as error:
        raise ModelLoadError(
            f"{what} {name!r} is no directory here and cannot be fetched from the Hub: "
            f"{_first_line(error)}"
        ) from None


def _tokenizer(directory: Path) -> Any:
    try:
        return AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    except Exception as error:  # transformers raises many kinds for a damaged tokenizer
        raise ModelLoadError(
            f"the tokenizer in {directory} cannot be read: {_first_line(error)}"
        ) from None


def _model(directory: Path, dtype: torch.dtype, device: torch.device) -> Any:
    if not list(directory.glob("*.safetensors")):
        raise ModelLoadError(f"{directory} holds no .safetensors weights")
    disable_progress_bar()
    placed = {"device_map": "auto"} if device.type == "cuda" and device.index is None else {}
    try:
        config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
        model, found = AutoModelForCausalLM.from_pretrained(
            directory,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **placed,
        )
    except Exception as error:  # damaged files raise many kinds
        raise ModelLoadError(f"{directory} cannot be loaded: {_first_line(error)}") from None
    if found["missing_keys"]:  # transformers would go on with random numbers
        missing = ", ".join(sorted(found["missing_keys"])[:3])
        raise ModelLoadError(f"{directory}: the weights lack {missing}")
    return model if placed else model.to(device)


def _check_vocabulary(tokenizer: Any, vocab_size: int, directory: Path) -> None:
    largest = max(tokenizer.get_vocab().values())
    if largest >= vocab_size:
        raise ModelLoadError(
            f"{directory}: the tokenizer has ids up to {largest}, "
            f"but the model's vocabulary has {vocab_size}; they do not belong together"
        )


def _eos_ids(model: Any, tokenizer: Any) -> list[int]:
    found: set[int] = set()
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


def _entries(options: LoadOptions, target: Path) -> list[str]:
    """The speculators asked for, with `auto` spelled out."""
    entries: list[str] = []
    for entry in options.speculators:
        if entry != "auto":
            entries.append(entry)
            continue
        if (target.parent / MLP_DIRECTORY).is_dir() or options.model in KNOWN_MLP:
            entries.append("mlp")
        if (target.parent / SUFFIX_STORE).is_file():
            entries.append("suffix")
        entries.append("ngram")
    return list(dict.fromkeys(entries))


def _speculator(
    entry: str, model: str, target: Path, runner: ModelRunner, queue: CompileQueue
) -> Speculator:
    name, _, where = entry.partition(":")
    if name == "ngram" and not where:
        return NgramSpeculator()
    if name == "suffix":
        path = Path(where) if where else target.parent / SUFFIX_STORE
        return SuffixSpeculator(load_store(path, runner.shape.vocab_size))
    if name != "mlp":
        raise ModelLoadError(
            "speculator must be 'auto', 'ngram', 'suffix', 'suffix:FILE', 'mlp' or 'mlp:PATH', "
            f"got {entry!r}"
        )
    return load_mlp(
        _mlp_directory(where, model, target),
        vocab_size=runner.shape.vocab_size,
        hidden_size=runner.shape.hidden_size,
        dtype=runner.dtype,
        device=runner.device,
        queue=queue,
        vocabulary=_draft_vocabulary(target, runner.shape.vocab_size),
    )


def _draft_vocabulary(target: Path, vocab_size: int) -> list[int] | None:
    """The tokens that answers are made of, where earlier answers are known; else all."""
    path = target.parent / SUFFIX_STORE
    if not path.is_file():
        return None
    return load_store(path, vocab_size).frequent_tokens(DRAFT_VOCABULARY_SHARE) or None


def _mlp_directory(where: str, model: str, target: Path) -> Path:
    if where:
        return _resolve(where, "speculator")
    beside = target.parent / MLP_DIRECTORY
    if beside.is_dir():
        return beside
    if model in KNOWN_MLP:
        return _resolve(KNOWN_MLP[model], "speculator")
    raise ModelLoadError(
        f"no MLP speculator is known for {model!r}; name one as 'mlp:PATH' or use 'ngram' alone"
    )


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
        raise ModelLoadError(f"device {name!r} was asked for, but no CUDA card is usable here")
    return device


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    if name not in DTYPES:
        raise ModelLoadError(f"dtype must be 'auto' or one of {', '.join(DTYPES)}, got {name!r}")
    return DTYPES[name]


def _pages(options: LoadOptions, page_bytes: int, device: torch.device) -> int:
    wanted = options.kv_memory_bytes
    if wanted is None and device.type == "cuda":
        wanted = int(DEFAULT_GPU_KV_SHARE * torch.cuda.mem_get_info(device)[0])
    elif wanted is None:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        wanted = min(DEFAULT_CPU_KV_BYTES, free // 4)
    pages = wanted // page_bytes
    if pages < 2:
        raise ModelLoadError(
            f"the KV cache needs at least {2 * page_bytes} bytes (two pages), got {wanted}"
        )
    return pages


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
