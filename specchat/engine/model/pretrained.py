"""Models as transformers saves them: where their files are, and loading them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.utils.logging import disable_progress_bar

from specchat.engine.errors import ModelLoadError
from specchat.engine.kv.memory_plan import devices, place, weights_bytes
from specchat.engine.model.plain_weights import from_plain_weights
from specchat.engine.model.quantized import KINDS

QUANTIZATIONS = ("int8", "int4", "fp8")
"""Kinds of quantised weights. int8 and int4 on a CPU are the native step's own; int8 on a GPU, and
fp8, are torchao's: half the memory of bf16, rounded more coarsely, not faster."""

MODEL_FILES = ("*.json", "*.safetensors", "*.jinja", "*.model")


def find_files(name: str, what: str, patterns: Sequence[str] = MODEL_FILES) -> Path:
    """A local directory, or one fetched from the Hub; `what` names it in messages.

    Raises:
        ModelLoadError: nothing is found under that name.
    """
    path = Path(os.path.expanduser(name))  # leaves a "~nobody" that it cannot expand
    if name and path.is_dir():
        return path
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ModelLoadError(
            f"{what} {name!r} is no bundled model, directory or Hub name such as 'owner/name'"
        )
    try:
        return Path(snapshot_download(name, allow_patterns=list(patterns)))
    except (OSError, HFValidationError, ValueError) as error:
        raise ModelLoadError(
            f"{what} {name!r} is no directory here and cannot be fetched from the Hub: "
            f"{_first_line(error)}"
        ) from None


def load_tokenizer(directory: Path) -> Any:
    """The tokenizer saved in a directory.

    Raises:
        ModelLoadError: missing or damaged.
    """
    try:
        return AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    except Exception as error:  # transformers raises many kinds for a damaged tokenizer
        raise ModelLoadError(
            f"the tokenizer in {directory} cannot be read: {_first_line(error)}"
        ) from None


def load_causal_lm(
    directory: Path, dtype: torch.dtype, device: torch.device, quantize: str | None = None
) -> Any:
    """The language model saved in a directory, loaded straight to its device; with device "cuda"
    to the GPU with most room, or over all GPUs where one is too small.

    `quantize` is one of `QUANTIZATIONS`, for the weights of the decoder layers' products; what the
    native step does itself is left to `quantize_model`.

    Raises:
        ModelLoadError: missing, damaged, without some of its weights, or too large; or what
            quantising needs is not installed, or is not there for the device.
    """
    if not list(directory.glob("*.safetensors")):
        raise ModelLoadError(f"{directory} holds no .safetensors weights")
    options: dict[str, Any] = {}
    needed = weights_bytes(directory, dtype)
    if quantize is not None and not quantized_natively(quantize, device):
        options["quantization_config"] = _quantization(quantize)
        needed = int(needed * 0.6)  # embeddings and norms stay as they are
    options |= place(str(directory), needed, devices(device))
    disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
        if device.type == "cpu" and not options:
            model = from_plain_weights(AutoModelForCausalLM, directory, config, dtype)
            if model is not None:
                return _with_generation(model, directory)
        model, found = AutoModelForCausalLM.from_pretrained(
            directory,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    except Exception as error:  # damaged files raise many kinds
        raise ModelLoadError(f"{directory} cannot be loaded: {_first_line(error)}") from None
    if found["missing_keys"]:  # transformers would go on with random numbers
        missing = ", ".join(sorted(found["missing_keys"])[:3])
        raise ModelLoadError(f"{directory}: the weights lack {missing}")
    return model


def _with_generation(model: Any, directory: Path) -> Any:
    """With what `generation_config.json` says, such as what ends an answer."""
    if (directory / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(directory)
    return model


def quantized_natively(kind: str | None, device: torch.device) -> bool:
    """Whether weights of that kind are multiplied by the native step.

    Raises:
        ModelLoadError: no such kind.
    """
    if kind is not None and kind not in QUANTIZATIONS:
        raise ModelLoadError(f"quantize must be one of {', '.join(QUANTIZATIONS)}, got {kind!r}")
    return kind in KINDS and device.type == "cpu"


def _quantization(kind: str) -> Any:
    """transformers' configuration of weight-only quantisation by torchao."""
    if kind == "int4":
        raise ModelLoadError("quantize=int4 is for CPUs; on a GPU use int8 or fp8")
    try:
        from torchao.quantization import Float8WeightOnlyConfig, Int8WeightOnlyConfig
    except ImportError:
        raise ModelLoadError(
            f"quantize={kind} needs torchao; install it with pip install 'specchat[quantize]'"
        ) from None
    from transformers import TorchAoConfig

    return TorchAoConfig(Int8WeightOnlyConfig() if kind == "int8" else Float8WeightOnlyConfig())


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
