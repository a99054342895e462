"""A GGUF file as an ordinary model directory: bf16 safetensors, tokenizer, chat template, converted
once into the user's cache."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

from specchat.engine.errors import ModelLoadError
from specchat.pretrained.cache import cache_folder, keep_newest, kept

ARCHITECTURES = ("llama", "qwen2", "qwen3", "mistral")
"""Families that transformers reads from GGUF and the native step computes."""
KEPT_FILES = 3
MAGIC = b"GGUF"

log = logging.getLogger(__name__)


def gguf_directory(file: Path) -> Path:
    """The directory made of a GGUF file; again when the file has changed.

    Raises:
        ModelLoadError: the file is missing or damaged, of another family or of a number format
            that cannot be read; or the cache cannot be written.
    """
    if not file.is_file():
        raise ModelLoadError(f"there is no file {file}")
    about = file.stat()
    mark = f"{file.resolve()}\0{about.st_size}\0{about.st_mtime_ns}"
    name = f"{file.stem}-{hashlib.sha256(mark.encode()).hexdigest()[:12]}"

    def make(folder: Path) -> None:
        _check(file)
        log.warning("preparing %s, once; this takes a while", file.name)
        convert(file, folder)

    found = kept(f"gguf/{name}", make)
    keep_newest(cache_folder() / "gguf", KEPT_FILES)
    return found


def convert(file: Path, folder: Path) -> None:
    """Write the file's model, tokenizer and template into a folder.

    Raises:
        ModelLoadError: it cannot be converted; the message says why.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        model = AutoModelForCausalLM.from_pretrained(
            file.parent,
            gguf_file=file.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
        )
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except ImportError as error:
        raise ModelLoadError(f"reading {file.name} needs the gguf package: {error}") from None
    except Exception as error:  # transformers raises many kinds
        raise ModelLoadError(f"{file.name} cannot be converted: {error}") from None


def _check(file: Path) -> None:
    """Refuse what would fail late or compute nonsense."""
    with file.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise ModelLoadError(f"{file} is no GGUF file")
    family = _family(file)
    if family not in ARCHITECTURES:
        raise ModelLoadError(
            f"{file.name} holds a model of the family {family!r}; GGUF files are read of "
            f"{', '.join(ARCHITECTURES)}: load it from its directory or the Hub instead"
        )


def _family(file: Path) -> str:
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise ModelLoadError(f"reading {file.name} needs the gguf package: {error}") from None
    try:
        field: Any = GGUFReader(file).get_field("general.architecture")
        return str(field.contents())
    except Exception as error:  # a damaged file raises many kinds
        raise ModelLoadError(f"{file} is damaged: {error}") from None
