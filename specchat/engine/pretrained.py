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
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from specchat.engine.errors import ModelLoadError

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


def load_causal_lm(directory: Path, dtype: torch.dtype, device: torch.device) -> Any:
    """The language model saved in a directory; spread over all cards for device "cuda".

    Raises:
        ModelLoadError: missing, damaged, or without some of its weights.
    """
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


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
