"""A GGUF file as an ordinary model directory: bf16 safetensors, tokenizer, chat template, converted
once into the user's cache."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np

from specchat.engine.errors import ModelLoadError
from specchat.pretrained.cache import cache_folder, keep_newest, kept
from specchat.pretrained.gguf_header import damage

ARCHITECTURES = ("llama", "qwen2", "qwen3", "mistral", "gemma2", "gemma3")
"""Families that transformers reads whole from GGUF and the native step computes."""
LLAMA3_CONTEXT = 8192
"""That Llama 3 was trained on before its positions were scaled."""
GEMMA_HEAD = 256
"""Of the Gemmas whose scale of attention is the one that transformers assumes: all below 27B."""
KEPT_FILES = 3

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
        from gguf import GGUFReader

        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        model = AutoModelForCausalLM.from_pretrained(
            file.parent,
            gguf_file=file.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
        )
        rope = _llama3(GGUFReader(file))
        if rope is not None:
            model.config.rope_parameters = rope
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except ImportError as error:
        raise ModelLoadError(f"reading {file.name} needs the gguf package: {error}") from None
    except Exception as error:  # transformers raises many kinds
        raise ModelLoadError(f"{file.name} cannot be converted: {error}") from None


def _check(file: Path) -> None:
    """Refuse what would fail late or compute nonsense."""
    try:
        damaged = damage(file)
    except OSError as error:
        raise ModelLoadError(f"{file} cannot be read: {error.strerror}") from None
    if damaged:
        raise ModelLoadError(f"{file} {damaged}")
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise ModelLoadError(f"reading {file.name} needs the gguf package: {error}") from None
    try:
        unfit = _unfit(GGUFReader(file))
    except Exception as error:  # a damaged file raises many kinds
        raise ModelLoadError(f"{file} is damaged: {error}") from None
    if unfit:
        raise ModelLoadError(
            f"{file.name} {unfit}: load the model from its directory or the Hub instead"
        )


def _unfit(reader: Any) -> str | None:
    """What of a file transformers would leave out, without a word."""
    family = str(reader.get_field("general.architecture").contents())
    if family not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        return f"holds a model of the family {family!r}; GGUF files are read of {known}"
    scaling = reader.get_field(f"{family}.rope.scaling.type")
    scaled = scaling is not None and scaling.contents() != "none"
    if scaled or (_factors(reader) is not None and _llama3(reader) is None):
        return "scales its positions, which cannot be read from GGUF"
    head = reader.get_field(f"{family}.attention.key_length")
    if family.startswith("gemma") and (head is None or head.contents() != GEMMA_HEAD):
        return f"has heads of another size than {GEMMA_HEAD}, of which the scale is not known"
    return None


def _factors(reader: Any) -> np.ndarray | None:
    """What each frequency of the positions is divided by, `[rotated / 2]`."""
    return next((each.data for each in reader.tensors if each.name.startswith("rope_f")), None)


def _llama3(reader: Any) -> dict[str, Any] | None:
    """The rope of Llama 3.1 and later, whose parameters a file holds as what they give."""
    factors = _factors(reader)
    theta = reader.get_field("llama.rope.freq_base")
    if factors is None or theta is None:
        return None
    rope: dict[str, Any] = {"rope_type": "llama3", "rope_theta": float(theta.contents())}
    rope |= {"factor": float(factors.max()), "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    rope |= {"original_max_position_embeddings": LLAMA3_CONTEXT}
    rotated = 2 * len(factors)
    waves = 2 * np.pi * rope["rope_theta"] ** (np.arange(0, rotated, 2) / rotated)
    share = np.clip((LLAMA3_CONTEXT / waves - 1) / (4 - 1), 0, 1)  # of the frequency as it is
    wanted = 1 / ((1 - share) / rope["factor"] + share)
    return rope if np.allclose(factors, wanted, rtol=1e-3) else None
